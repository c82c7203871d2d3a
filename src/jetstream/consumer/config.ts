/** The configuration of a consumer: its fields, what a create fills in, and what is refused. */
import { hasWildcard, isValidSubject, subjectsMeet } from "../../subject/subject.ts";
import { apiErrors } from "../api-error.ts";
import { field, flag, int, list, optional, text, textMap, time, uint, word, type Shape } from "../codec.ts";
import { goDuration } from "../time.ts";
import { isReserved, isValidName, type StreamConfig, type Strictness } from "../stream/config.ts";

export interface ConsumerConfig {
  /** "": ephemeral. */
  readonly durable: string;
  readonly name: string;
  readonly description: string;
  readonly deliverPolicy: "all" | "last" | "new" | "by_start_sequence" | "by_start_time" | "last_per_subject";
  readonly startSequence: number;
  readonly startTime: string;
  readonly ackPolicy: "none" | "all" | "explicit" | "flow_control";
  readonly ackWaitNs: number;
  /** -1: no limit. */
  readonly maxDeliver: number;
  readonly backoffNs: readonly number[];
  readonly filter: string;
  readonly filters: readonly string[];
  readonly replayPolicy: "instant" | "original";
  readonly rateLimitBps: number;
  readonly sampleFrequency: string;
  readonly maxWaiting: number;
  /** -1: no limit; 0 with no acknowledgements. */
  readonly maxAckPending: number;
  readonly flowControl: boolean;
  readonly headersOnly: boolean;
  readonly maxBatch: number;
  readonly maxExpiresNs: number;
  readonly maxBytes: number;
  /** "": a pull consumer. */
  readonly deliverSubject: string;
  readonly deliverGroup: string;
  readonly heartbeatNs: number;
  readonly inactiveThresholdNs: number;
  readonly replicas: number;
  readonly memoryStorage: boolean;
  /** Made by servers, for mirrors and sources. */
  readonly direct: boolean;
  readonly sourcing: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly pauseUntil: string;
  readonly priorityGroups: readonly string[];
  readonly priorityPolicy: "" | "none" | "overflow" | "pinned_client" | "prioritized";
  readonly priorityTimeoutNs: number;
}

export const consumerShape: Shape<ConsumerConfig> = {
  durable: optional("durable_name", text),
  name: optional("name", text),
  description: optional("description", text),
  deliverPolicy: field(
    "deliver_policy",
    word(["all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject"]),
  ),
  startSequence: optional("opt_start_seq", uint),
  startTime: optional("opt_start_time", time),
  ackPolicy: field("ack_policy", word(["none", "all", "explicit", "flow_control"])),
  ackWaitNs: optional("ack_wait", int),
  maxDeliver: optional("max_deliver", int),
  backoffNs: optional("backoff", list(int)),
  filter: optional("filter_subject", text),
  filters: optional("filter_subjects", list(text)),
  replayPolicy: field("replay_policy", word(["instant", "original"])),
  rateLimitBps: optional("rate_limit_bps", uint),
  sampleFrequency: optional("sample_freq", text),
  maxWaiting: optional("max_waiting", int),
  maxAckPending: optional("max_ack_pending", int),
  flowControl: optional("flow_control", flag),
  headersOnly: optional("headers_only", flag),
  maxBatch: optional("max_batch", int),
  maxExpiresNs: optional("max_expires", int),
  maxBytes: optional("max_bytes", int),
  deliverSubject: optional("deliver_subject", text),
  deliverGroup: optional("deliver_group", text),
  heartbeatNs: optional("idle_heartbeat", int),
  inactiveThresholdNs: optional("inactive_threshold", int),
  replicas: field("num_replicas", int),
  memoryStorage: optional("mem_storage", flag),
  direct: optional("direct", flag),
  sourcing: optional("sourcing", flag),
  metadata: optional("metadata", textMap),
  pauseUntil: optional("pause_until", time),
  priorityGroups: optional("priority_groups", list(text)),
  priorityPolicy: optional(
    "priority_policy",
    word(
      ["", "none", "overflow", "pinned_client", "prioritized"],
      (value) => `unknown priority policy: ${JSON.stringify(value)}`,
    ),
  ),
  priorityTimeoutNs: optional("priority_timeout", int),
};

/** In the metadata: where messages go that are given up. */
export const DEAD_LETTER = "shoal.dead_letter";
const DESCRIPTION_MAX = 4096;
const METADATA_MAX = 128 * 1024;
const NAME_MAX = 255;
const MS_NS = 1_000_000;
const ACK_WAIT_NS = 30_000 * MS_NS;
const INACTIVE_NS = 5_000 * MS_NS;
const HEARTBEAT_MIN_NS = 100 * MS_NS;
const PIN_NS = 120_000 * MS_NS;
/** Between heartbeats of consumers that acknowledge by flow control. */
const SOURCE_HEARTBEAT_NS = 1000 * MS_NS;
const MAX_WAITING = 512;
const MAX_ACK_PENDING = 1000;

/** The patterns that it takes; none: everything. */
export function filtersOf({ filter, filters }: ConsumerConfig): readonly string[] {
  return filter === "" ? filters : [filter];
}

/** Limits of the account that bound a consumer; -1: none. */
export interface ConsumerBounds {
  readonly maxAckPending: number;
}

/** Fills in the defaults and refuses what cannot be. Throws `ApiError`. */
export function completeConsumer(
  config: ConsumerConfig,
  stream: StreamConfig,
  bounds: ConsumerBounds,
  strictness: Strictness,
): ConsumerConfig {
  checkNames(config);
  if (strictness === "pedantic") checkPedantic(config, stream);
  const complete = withDefaults(config, stream, bounds, strictness);
  checkNumbers(complete);
  if (complete.ackPolicy === "flow_control") checkFlowControlAcks(complete);
  if (complete.deliverSubject !== "") checkPush(complete, stream);
  else checkPull(complete);
  checkBounds(complete, stream, bounds);
  checkDirect(complete);
  checkFilters(complete);
  checkPolicy(complete);
  checkPriority(complete);
  checkDeadLetter(complete, stream);
  if (stream.retention === "workqueue" && !complete.direct && !complete.sourcing) checkWorkQueue(complete);
  return complete;
}

function withDefaults(
  config: ConsumerConfig,
  stream: StreamConfig,
  bounds: ConsumerBounds,
  strictness: Strictness,
): ConsumerConfig {
  const isPush = config.deliverSubject !== "";
  const { ackPolicy, backoffNs, ackWaitNs } = config;
  const hasAckWait = ackPolicy === "explicit" || ackPolicy === "all";
  const isFlow = ackPolicy === "flow_control" && strictness === "lenient";
  const maxAckPending = Math.max(-1, config.maxAckPending);
  return {
    ...config,
    ackWaitNs: backoffNs[0] ?? (ackWaitNs === 0 && hasAckWait ? ACK_WAIT_NS : ackWaitNs),
    maxDeliver: config.maxDeliver <= 0 ? -1 : config.maxDeliver,
    maxWaiting: isPush || config.maxWaiting > 0 ? Math.max(0, config.maxWaiting) : MAX_WAITING,
    maxBatch: Math.max(0, config.maxBatch),
    maxExpiresNs: Math.max(0, config.maxExpiresNs),
    maxBytes: Math.max(0, config.maxBytes),
    heartbeatNs: isFlow ? SOURCE_HEARTBEAT_NS : Math.max(0, config.heartbeatNs),
    flowControl: config.flowControl || isFlow,
    maxAckPending:
      maxAckPending === 0 ? defaultAckPending(stream, bounds, ackPolicy !== "none") : maxAckPending,
    inactiveThresholdNs: inactiveThreshold(config, stream),
    priorityTimeoutNs:
      config.priorityPolicy === "pinned_client" && config.priorityTimeoutNs <= 0
        ? PIN_NS
        : Math.max(0, config.priorityTimeoutNs),
    metadata: Object.fromEntries(
      Object.entries(config.metadata).filter(([key]) => !key.startsWith("_nats.")),
    ),
  };
}

/** Throws `ApiError`: some things cannot be changed. */
export function checkConsumerUpdate(before: ConsumerConfig, next: ConsumerConfig): void {
  if ((before.deliverSubject === "") !== (next.deliverSubject === "")) {
    const [from, to] = before.deliverSubject === "" ? ["pull", "push"] : ["push", "pull"];
    throw apiErrors.consumerCreate(`can not update ${from} consumer to ${to} based`);
  }
  const fixed: readonly (readonly [keyof ConsumerConfig, string])[] = [
    ["deliverPolicy", "deliver policy can not be updated"],
    ["direct", "direct can not be updated"],
    ["sourcing", "sourcing can not be updated"],
    ["startSequence", "start sequence can not be updated"],
    ["startTime", "start time can not be updated"],
    ["ackPolicy", "ack policy can not be updated"],
    ["replayPolicy", "replay policy can not be updated"],
    ["heartbeatNs", "heart beats can not be updated"],
    ["flowControl", "flow control can not be updated"],
    ["maxWaiting", "max waiting can not be updated"],
  ];
  for (const [key, problem] of fixed) if (before[key] !== next[key]) throw apiErrors.consumerCreate(problem);
}

/** The level of the API that is needed to understand the configuration. */
export function requiredConsumerLevel(config: ConsumerConfig): number {
  if (config.ackPolicy === "flow_control") return 4;
  const hasPriority =
    config.priorityGroups.length > 0 ||
    config.priorityTimeoutNs !== 0 ||
    !["", "none"].includes(config.priorityPolicy);
  return hasPriority || config.pauseUntil !== "" ? 1 : 0;
}

function defaultAckPending(
  { consumerLimits }: StreamConfig,
  bounds: ConsumerBounds,
  hasAcks: boolean,
): number {
  const limit = consumerLimits?.maxAckPending ?? 0;
  if (limit !== 0 || !hasAcks) return limit;
  return bounds.maxAckPending > 0 ? Math.min(bounds.maxAckPending, MAX_ACK_PENDING) : MAX_ACK_PENDING;
}

function inactiveThreshold(config: ConsumerConfig, stream: StreamConfig): number {
  if (config.inactiveThresholdNs > 0) return config.inactiveThresholdNs;
  const limit = stream.consumerLimits?.inactiveThresholdNs ?? 0;
  if (limit > 0) return limit;
  return config.durable === "" ? INACTIVE_NS : 0;
}

function checkNames({ durable, name, description, metadata }: ConsumerConfig): void {
  if (durable !== "" && name !== "" && durable !== name) throw apiErrors.durableNotName();
  if (/[/\\]/.test(name + durable)) throw apiErrors.consumerPath();
  if (name.length > NAME_MAX || durable.length > NAME_MAX) throw apiErrors.consumerNameTooLong(NAME_MAX);
  for (const [what, one] of [
    ["name", name],
    ["durable name", durable],
  ] as const) {
    if (one !== "" && !isValidName(one))
      throw apiErrors.streamInvalidConfig(`consumer ${what} can not contain '.', '*', '>', '\\', '/'`);
  }
  if (description.length > DESCRIPTION_MAX) throw apiErrors.consumerDescriptionTooLong(DESCRIPTION_MAX);
  const size = Object.entries(metadata).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (size > METADATA_MAX) throw apiErrors.consumerMetadata("128KB");
}

function checkNumbers(config: ConsumerConfig): void {
  if (config.backoffNs.some((one) => one < 0)) throw apiErrors.backoffNegative();
  if (config.ackWaitNs < 0) throw apiErrors.ackWaitNegative();
  if (config.backoffNs.length > 0 && config.maxDeliver > 0 && config.maxDeliver < config.backoffNs.length)
    throw apiErrors.maxDeliverSmall();
  if (config.replicas < 0) throw apiErrors.replicasNegative();
  if (config.replicas > 1) throw apiErrors.replicasNotSupported();
  if (config.sampleFrequency !== "" && !/^\+?\d{1,18}%?$/.test(config.sampleFrequency))
    throw apiErrors.invalidSampling(
      `strconv.Atoi: parsing ${JSON.stringify(config.sampleFrequency.replace(/%$/, ""))}: invalid syntax`,
    );
}

function checkPush(config: ConsumerConfig, stream: StreamConfig): void {
  const { deliverSubject, heartbeatNs } = config;
  if (!isValidSubject(deliverSubject) || /\s/.test(deliverSubject)) throw apiErrors.invalidDeliverSubject();
  if (hasWildcard(deliverSubject)) throw apiErrors.deliverToWildcards();
  if (isReserved(deliverSubject)) throw apiErrors.invalidDeliverSubject();
  if (stream.subjects.some((subject) => subjectsMeet(subject, deliverSubject)))
    throw apiErrors.deliverCycle();
  if (config.maxWaiting !== 0) throw apiErrors.pushMaxWaiting();
  if (config.maxAckPending > 0 && config.ackPolicy === "none") throw apiErrors.maxAckPendingNeedsAck();
  if (heartbeatNs > 0 && heartbeatNs < HEARTBEAT_MIN_NS) throw apiErrors.smallHeartbeat();
  if (config.flowControl && heartbeatNs === 0) throw apiErrors.flowControlNeedsHeartbeat();
}

function checkDirect({ direct, deliverSubject, durable }: ConsumerConfig): void {
  if (!direct) return;
  if (deliverSubject === "") throw apiErrors.directNeedsPush();
  if (durable !== "") throw apiErrors.directNeedsEphemeral();
}

function checkPull(config: ConsumerConfig): void {
  if (config.rateLimitBps > 0) throw apiErrors.pullWithRate();
  if (config.heartbeatNs > 0) throw apiErrors.heartbeatNeedsPush();
  if (config.flowControl) throw apiErrors.flowControlNeedsPush();
  if (config.maxExpiresNs !== 0 && config.maxExpiresNs < MS_NS) throw apiErrors.maxExpiresSmall();
}

function checkPolicy({ deliverPolicy, startSequence, startTime, filter, filters }: ConsumerConfig): void {
  const name = deliverPolicy.replaceAll("_", " ");
  const without = (what: string): Error =>
    apiErrors.invalidPolicy(`consumer delivery policy is deliver ${name}, but optional ${what} is not set`);
  const too = (what: string): Error =>
    apiErrors.invalidPolicy(`consumer delivery policy is deliver ${name}, but optional ${what} is also set`);
  if (deliverPolicy === "by_start_sequence") {
    if (startSequence === 0) throw without("start sequence");
    if (startTime !== "") throw too("start time");
    return;
  }
  if (startSequence !== 0) throw too("start sequence");
  if (deliverPolicy === "by_start_time") {
    if (startTime === "") throw without("start time");
    return;
  }
  if (startTime !== "") throw too("start time");
  if (deliverPolicy === "last_per_subject" && filter === "" && filters.length === 0)
    throw apiErrors.invalidPolicy(
      "consumer delivery policy is deliver last per subject, but optional filter subject is not set",
    );
}

function checkFlowControlAcks(config: ConsumerConfig): void {
  if (config.deliverSubject === "") throw apiErrors.flowAcksNeedPush();
  if (!config.flowControl) throw apiErrors.flowAcksNeedFlow();
  if (config.heartbeatNs !== SOURCE_HEARTBEAT_NS)
    throw apiErrors.streamInvalidConfig("flow control ack policy heartbeat needs to be 1s");
  if (config.maxAckPending <= 0) throw apiErrors.flowAcksNeedMaxPending();
  if (config.ackWaitNs !== 0 || config.backoffNs.length > 0) throw apiErrors.flowAcksWithAckWait();
  if (config.maxDeliver > 0) throw apiErrors.flowAcksWithMaxDeliver();
}

function checkBounds(
  { maxAckPending, inactiveThresholdNs }: ConsumerConfig,
  { consumerLimits }: StreamConfig,
  bounds: ConsumerBounds,
): void {
  for (const most of [bounds.maxAckPending, consumerLimits?.maxAckPending ?? 0])
    if (most > 0 && maxAckPending > most) throw apiErrors.maxAckPendingExceeded(most);
  const longest = consumerLimits?.inactiveThresholdNs ?? 0;
  if (longest > 0 && inactiveThresholdNs > longest)
    throw apiErrors.inactiveThresholdExceeded(goDuration(longest));
}

function checkPriority(config: ConsumerConfig): void {
  const { priorityPolicy, priorityGroups, priorityTimeoutNs, deliverSubject } = config;
  if (priorityPolicy === "" || priorityPolicy === "none") {
    if (priorityGroups.length > 0) throw apiErrors.groupsWithoutPolicy();
    if (priorityTimeoutNs > 0) throw apiErrors.pinTimeWithoutPolicy();
    return;
  }
  if (deliverSubject !== "") throw apiErrors.pushWithGroups();
  if (priorityGroups.length === 0) throw apiErrors.policyWithoutGroup();
  if (priorityGroups.includes("")) throw apiErrors.emptyGroup();
  if (!priorityGroups.every(isValidGroup)) throw apiErrors.invalidGroup();
}

/** Whether it can name a priority group. */
export function isValidGroup(name: string): boolean {
  return /^[a-zA-Z0-9/_=-]{1,16}$/.test(name);
}

function checkPedantic(config: ConsumerConfig, { consumerLimits }: StreamConfig): void {
  const refuse = (text: string): void => {
    throw apiErrors.pedantic(text);
  };
  if (config.maxDeliver < -1) refuse("max_deliver must be set to -1");
  if (config.maxWaiting < 0) refuse("max_waiting must not be negative");
  if (config.maxAckPending < -1) refuse("max_ack_pending must be set to -1");
  if (config.maxBatch < 0) refuse("max_batch must not be negative");
  if (config.maxExpiresNs < 0) refuse("max_expires must not be negative");
  if (config.maxBytes < 0) refuse("max_bytes must not be negative");
  if (config.heartbeatNs < 0) refuse("idle_heartbeat must not be negative");
  if (config.inactiveThresholdNs < 0) refuse("inactive_threshold must not be negative");
  if (config.priorityTimeoutNs < 0) refuse("priority_timeout must not be negative");
  const [first] = config.backoffNs;
  const ackWaitNs = config.ackWaitNs === 0 && config.ackPolicy !== "none" ? ACK_WAIT_NS : config.ackWaitNs;
  if (first !== undefined && first !== ackWaitNs) refuse("first backoff value has to equal batch AckWait");
  if (config.maxAckPending === 0 && (consumerLimits?.maxAckPending ?? 0) > 0)
    refuse("max_ack_pending must be set if it's configured in stream limits");
  if (config.inactiveThresholdNs === 0 && (consumerLimits?.inactiveThresholdNs ?? 0) > 0)
    refuse("inactive_threshold must be set if it's configured in stream limits");
}

/** Where messages go that are given up: never into the stream that they come from, which would deliver them again. */
function checkDeadLetter({ metadata }: ConsumerConfig, { name, subjects }: StreamConfig): void {
  const target = metadata[DEAD_LETTER] ?? "";
  if (target === "") return;
  if (!isValidSubject(target) || /\s/.test(target) || hasWildcard(target) || isReserved(target))
    throw apiErrors.consumerCreate(
      `${DEAD_LETTER} must be the name of a stream, or a subject without wildcards that a stream takes`,
    );
  if (target === name || subjects.some((subject) => subjectsMeet(subject, target)))
    throw apiErrors.consumerCreate(`${DEAD_LETTER} must not lead back into the stream of the consumer`);
}

function checkFilters(config: ConsumerConfig): void {
  const { filter, filters } = config;
  if (filter !== "" && filters.length > 0) throw apiErrors.twoFilters();
  if (filters.includes("")) throw apiErrors.emptyFilter();
  for (const [i, one] of filters.entries()) {
    if (filters.slice(0, i).some((other) => subjectsMeet(one, other))) throw apiErrors.overlappingFilters();
  }
  for (const one of filtersOf(config)) {
    if (!isValidSubject(one) || /\s/.test(one)) throw apiErrors.streamInvalidConfig("invalid subject");
  }
}

function checkWorkQueue({ ackPolicy, deliverPolicy, deliverSubject }: ConsumerConfig): void {
  if (ackPolicy !== "explicit" && ackPolicy !== "flow_control") {
    if (deliverSubject === "" && ackPolicy === "none") throw apiErrors.pullNeedsExplicitAck();
    throw apiErrors.workQueueExplicitAck();
  }
  if (deliverPolicy !== "all") throw apiErrors.workQueueDeliverAll();
}
