/**
 * Limits that hold for all of JetStream on this server: the block `jetstream.limits`, and how many requests may wait. What streams may
 * take is in jetstream.ts, limits of accounts are in values/account-features.ts. In the fields null means that there is no limit, or
 * that the default holds.
 */
import { rowsOf, type Section } from "../option.ts";
import { duration, limit, type ValueType } from "../values/value-type.ts";

interface JetStreamLimitsConfig {
  readonly maxAckPending: number | null;
  readonly maxRequestBatch: number | null;
  /** 0: no limit. */
  readonly defaultMaxConsumers: number;
  readonly duplicateWindowMs: number | null;
  /** Of clusters: shown, and of no effect on one server. */
  readonly maxHaAssets: number | null;
  readonly maxBatchInflightPerStream: number | null;
  readonly maxBatchInflightTotal: number | null;
  readonly maxBatchMessages: number | null;
  readonly maxBatchTimeoutMs: number | null;
  readonly requestQueueLimit: number | null;
  readonly infoQueueLimit: number | null;
}

export interface SeenByJetStreamLimits {
  readonly jetStreamLimits: JetStreamLimitsConfig;
}

const count = limit("integer");
const CONSUMERS_DEFAULT_MAX = 1000;

/** 0: the default; below: no limit, which is kept as 0. */
const consumers: ValueType<number> = {
  name: count.name,
  nodeFromText: (text, at) => count.nodeFromText(text, at),
  fromNode: (node, notes) => {
    if (node.kind === "int" && node.value === 0n) return undefined;
    return count.fromNode(node, notes) ?? 0;
  },
  show: (value) => (value === 0 ? "no limit" : String(value)),
};

const time = duration({ minMs: 0, zero: "itself", bareNumber: "refused" });
/** 0 and less: null. */
const boundOfTime: ValueType<number | null> = {
  ...time,
  fromNode(node, notes) {
    if (node.kind === "string" && node.value.startsWith("-")) return null;
    const ms = time.fromNode(node, notes) ?? 0;
    return ms === 0 ? null : ms;
  },
  show: (value) => (value === null ? "no limit" : time.show(value)),
};

const { option } = rowsOf<SeenByJetStreamLimits, "jetStreamLimits">("jetStreamLimits", "JetStream");
const counted = (
  key: string,
  field: Exclude<keyof JetStreamLimitsConfig, "defaultMaxConsumers">,
  defaultText: string,
  description: string,
  type: ValueType<number | null> = count,
) =>
  option({
    key: `jetstream.${key}`,
    field,
    type,
    default: null,
    defaultText,
    reload: "restart",
    description,
  });

export const jetStreamLimits: Section<SeenByJetStreamLimits, "jetStreamLimits"> = {
  name: "jetStreamLimits",
  rows: [
    counted(
      "limits.max_ack_pending",
      "maxAckPending",
      "no limit",
      "The most that a consumer may have as its max_ack_pending",
    ),
    counted(
      "limits.max_request_batch",
      "maxRequestBatch",
      "no limit",
      "The most messages that one pull may ask for: the max_batch of consumers that name none, and the most that one may name",
    ),
    option({
      key: "jetstream.limits.default_max_consumers",
      field: "defaultMaxConsumers",
      type: consumers,
      default: CONSUMERS_DEFAULT_MAX,
      defaultText: String(CONSUMERS_DEFAULT_MAX),
      reload: "restart",
      description:
        "Consumers of a stream where neither it nor its account says how many; below 0: any number",
    }),
    counted(
      "limits.duplicate_window",
      "duplicateWindowMs",
      "no limit",
      "The longest duplicate_window of a stream; also its default, where that is longer",
      boundOfTime,
    ),
    counted(
      "limits.max_ha_assets",
      "maxHaAssets",
      "no limit",
      "Replicated streams and consumers on a server of a cluster: of no effect on one server",
    ),
    counted(
      "limits.batch.max_inflight_per_stream",
      "maxBatchInflightPerStream",
      "50 atomic, 1000 fast",
      "Batches of a stream that may be open at a time",
    ),
    counted(
      "limits.batch.max_inflight_total",
      "maxBatchInflightTotal",
      "1000 atomic, 50000 fast",
      "Batches of all streams that may be open at a time",
    ),
    counted("limits.batch.max_msgs", "maxBatchMessages", "1000", "Messages of an atomic batch"),
    counted(
      "limits.batch.timeout",
      "maxBatchTimeoutMs",
      "10s",
      "How long an open batch may be silent",
      boundOfTime,
    ),
    counted(
      "request_queue_limit",
      "requestQueueLimit",
      "10000",
      "Requests of an account that may wait; more are dropped",
    ),
    counted(
      "info_queue_limit",
      "infoQueueLimit",
      "that of request_queue_limit",
      "The same for requests that only ask for information",
    ),
  ],
};
