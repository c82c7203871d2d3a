/** What a create fills into the configuration of a consumer, and what is refused, in nats-server's order and words. */
import { hasWildcard, isValidSubject, subjectCovers, subjectsMeet } from "../../subject/subject.ts";
import { apiErrors } from "../api-error.ts";
import { isReserved, isValidName, type StreamConfig, type Strictness } from "../stream/config.ts";
import { goDuration } from "../time.ts";
import { DEAD_LETTER, filtersOf, isValidGroup, type ConsumerConfig } from "./config.ts";

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

/** Limits of the server and of the account that bound a consumer. */
export interface ConsumerBounds {
  /** One after the other; 0 and less: none. */
  readonly maxAckPendings: readonly number[];
  /** 0: none. */
  readonly maxRequestBatch: number;
  /** Copies of a consumer that there can be. */
  readonly replicasMax: number;
}

/** Fills in the defaults and refuses what cannot be. Throws `ApiError`. */
export function completeConsumer(
  config: ConsumerConfig,
  stream: StreamConfig,
  bounds: ConsumerBounds,
  strictness: Strictness,
): ConsumerConfig {
  checkNames(config);
  if (strictness === "pedantic") checkPedantic(config, stream, bounds);
  const complete = withDefaults(config, stream, bounds, strictness);
  checkNumbers(complete, bounds);
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
    maxBatch: isPush || config.maxBatch > 0 ? Math.max(0, config.maxBatch) : bounds.maxRequestBatch,
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

function defaultAckPending(
  { consumerLimits }: StreamConfig,
  bounds: ConsumerBounds,
  hasAcks: boolean,
): number {
  const limit = consumerLimits?.maxAckPending ?? 0;
  if (limit !== 0 || !hasAcks) return limit;
  return Math.min(MAX_ACK_PENDING, ...bounds.maxAckPendings.filter((most) => most > 0));
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

function checkNumbers(config: ConsumerConfig, bounds: ConsumerBounds): void {
  if (config.backoffNs.some((one) => one < 0)) throw apiErrors.backoffNegative();
  if (config.ackWaitNs < 0) throw apiErrors.ackWaitNegative();
  if (config.backoffNs.length > 0 && config.maxDeliver > 0 && config.maxDeliver < config.backoffNs.length)
    throw apiErrors.maxDeliverSmall();
  if (config.replicas < 0) throw apiErrors.replicasNegative();
  if (config.replicas > bounds.replicasMax) throw apiErrors.replicasNotSupported();
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
  { maxAckPending, inactiveThresholdNs, deliverSubject, maxBatch }: ConsumerConfig,
  { consumerLimits }: StreamConfig,
  bounds: ConsumerBounds,
): void {
  const { maxRequestBatch, maxAckPendings } = bounds;
  if (deliverSubject === "" && maxRequestBatch > 0 && maxBatch > maxRequestBatch)
    throw apiErrors.maxBatchExceeded(maxRequestBatch);
  for (const most of [...maxAckPendings, consumerLimits?.maxAckPending ?? 0])
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

function checkPedantic(
  config: ConsumerConfig,
  { consumerLimits }: StreamConfig,
  bounds: ConsumerBounds,
): void {
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
  if (config.deliverSubject === "" && config.maxBatch === 0 && bounds.maxRequestBatch > 0)
    refuse("max_request_batch must be set if it's JetStream limits are set");
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
    // those that have subjects in common may be there, as in nats-server, if neither covers the other
    const overlaps = (other: string): boolean => subjectCovers(one, other) || subjectCovers(other, one);
    if (filters.slice(0, i).some(overlaps)) throw apiErrors.overlappingFilters();
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
