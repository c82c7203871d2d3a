/** The jetstream and msg_trace blocks of an account. */
import { isValidLiteralSubject } from "../../subject/subject.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { field, record, stringTo, type NodeReader } from "./record.ts";
import { booleanOf, integerOf, percentOf } from "./value-type.ts";

/** What an account may take of JetStream; -1: no limit. */
export interface AccountJetStream {
  readonly maxMemoryBytes: number;
  readonly maxStoreBytes: number;
  readonly maxStreams: number;
  readonly maxConsumers: number;
  readonly maxAckPending: number;
  /** Whether streams must declare their maximum size. */
  readonly maxBytesRequired: boolean;
  readonly memoryMaxStreamBytes: number;
  readonly storeMaxStreamBytes: number;
  /** The account that the replicas of its streams use to talk to each other. */
  readonly clusterTraffic: "system" | "owner";
}

/** Destination of the traces of messages with a `traceparent`; the sampling is in percent. */
export interface AccountTrace {
  readonly destination: string;
  readonly sampling: number;
}

const NO_LIMIT = -1;
const SAMPLING_ALL = 100;

const size = (node: ConfNode): number =>
  integerOf(node, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "a size");

const traffic = stringTo("system or owner", (word, { at }): AccountJetStream["clusterTraffic"] => {
  if (word === "system" || word === "") return "system";
  if (word === "owner") return word;
  throw new ConfError(at, `Expected 'system' or 'owner' string value, got ${JSON.stringify(word)}`);
});

const jetStreamLimits = record<AccountJetStream>(
  {
    maxMemoryBytes: field("max_memory max_mem mem memory", size, NO_LIMIT),
    maxStoreBytes: field("max_store max_file max_disk store disk", size, NO_LIMIT),
    maxStreams: field("max_streams streams", size, NO_LIMIT),
    maxConsumers: field("max_consumers consumers", size, NO_LIMIT),
    maxAckPending: field("max_ack_pending", size, NO_LIMIT),
    maxBytesRequired: field("max_bytes_required max_stream_bytes max_bytes", booleanOf, false),
    memoryMaxStreamBytes: field("mem_max_stream_bytes memory_max_stream_bytes", size, NO_LIMIT),
    storeMaxStreamBytes: field("disk_max_stream_bytes store_max_stream_bytes", size, NO_LIMIT),
    clusterTraffic: field("cluster_traffic", traffic, "system"),
  },
  { expected: "true, false, enabled, disabled, or a block of limits" },
);

/** null: the account does not use JetStream. */
export const readJetStream: NodeReader<AccountJetStream | null> = (node, notes) => {
  const { at } = node;
  const withoutLimits = (): AccountJetStream =>
    jetStreamLimits({ kind: "map", entries: new Map(), size: 1, at }, notes);
  if (node.kind === "bool") return node.value ? withoutLimits() : null;
  if (node.kind !== "string") return jetStreamLimits(node, notes);
  const word = node.value.toLowerCase();
  if (word === "enabled" || word === "enable") return withoutLimits();
  if (word === "disabled" || word === "disable") return null;
  const reason = `Expected 'enabled' or 'disabled' for string value, got ${JSON.stringify(node.value)}`;
  throw new ConfError(at, reason);
};

const destination = stringTo("a subject", (subject, { at }) => {
  if (isValidLiteralSubject(subject)) return subject;
  throw new ConfError(at, `Trace destination ${JSON.stringify(subject)} is not valid`);
});

const traceBlock = record(
  {
    destination: field("dest", destination, null),
    sampling: field("sampling", samplingOf, null),
  },
  { expected: "a subject, or a block with dest and sampling" },
);

/** null: a block without a destination, which traces nothing. */
export const readTrace: NodeReader<AccountTrace | null> = (node, notes) => {
  if (node.kind === "string") return { destination: destination(node, notes), sampling: SAMPLING_ALL };
  const { destination: to, sampling } = traceBlock(node, notes);
  if (to !== null) return { destination: to, sampling: sampling ?? SAMPLING_ALL };
  if (sampling !== null)
    notes.warn(node.at, "Trace destination sampling ignored since no destination was set");
  return null;
};

function samplingOf(node: ConfNode): number {
  const percent = percentOf(node);
  const { at } = node;
  if (percent === null)
    throw new ConfError(at, "Trace destination sampling should be a whole number or a percentage");
  if (percent >= 1 && percent <= 100) return percent;
  const reason = `Trace destination sampling value ${percent} is invalid, needs to be from 1 to 100`;
  throw new ConfError(at, reason);
}
