/** The configuration of a consumer: its fields. What a create fills in and what is refused is in complete.ts. */
import { apiErrors } from "../api-error.ts";
import { field, flag, int, list, optional, text, textMap, time, uint, word, type Shape } from "../codec.ts";

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

/** The patterns that it takes; none: everything. */
export function filtersOf({ filter, filters }: ConsumerConfig): readonly string[] {
  return filter === "" ? filters : [filter];
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

/** Whether it can name a priority group. */
export function isValidGroup(name: string): boolean {
  return /^[a-zA-Z0-9/_=-]{1,16}$/.test(name);
}

/** How its state counts acknowledgements. */
export function countedBy({ ackPolicy }: ConsumerConfig): "none" | "all" | "explicit" {
  return ackPolicy === "flow_control" ? "all" : ackPolicy;
}
