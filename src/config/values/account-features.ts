/** What an account says of JetStream and of message tracing. */
import { isValidLiteralSubject } from "../../subject/subject.ts";
import { readBlock } from "./block.ts";
import type { AccountTrace } from "../config.ts";
import type { AccountJetStream } from "../jetstream.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { integerOf, mismatch, stringOf, type Notes } from "./value-type.ts";

const NO_LIMIT = -1;
const SAMPLING_ALL = 100;
const JETSTREAM_WITHOUT_LIMITS: AccountJetStream = {
  maxMemoryBytes: NO_LIMIT,
  maxStoreBytes: NO_LIMIT,
  maxStreams: NO_LIMIT,
  maxConsumers: NO_LIMIT,
  maxAckPending: NO_LIMIT,
  maxBytesRequired: false,
  memoryMaxStreamBytes: NO_LIMIT,
  storeMaxStreamBytes: NO_LIMIT,
  clusterTraffic: "system",
};

/** null: the account does not use it. */
export function readJetStream(node: ConfNode): AccountJetStream | null {
  if (node.kind === "bool") return node.value ? JETSTREAM_WITHOUT_LIMITS : null;
  if (node.kind === "string") {
    const word = node.value.toLowerCase();
    if (word === "enabled" || word === "enable") return JETSTREAM_WITHOUT_LIMITS;
    if (word === "disabled" || word === "disable") return null;
    throw new ConfError(
      node.at,
      `Expected 'enabled' or 'disabled' for string value, got ${JSON.stringify(node.value)}`,
    );
  }
  if (node.kind !== "map") mismatch(node, "true, false, enabled, disabled, or a block of limits");
  const found: { -readonly [K in keyof AccountJetStream]: AccountJetStream[K] } = {
    ...JETSTREAM_WITHOUT_LIMITS,
  };
  type Counted = { [K in keyof AccountJetStream]: AccountJetStream[K] extends number ? K : never };
  const most = (limit: Counted[keyof AccountJetStream]) => (value: ConfNode) =>
    void (found[limit] = integerOf(value, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "a size"));
  const requireBytes = (value: ConfNode): void => void (found.maxBytesRequired = booleanOf(value));
  const readers = {
    ...named(most("maxMemoryBytes"), "max_memory", "max_mem", "mem", "memory"),
    ...named(most("maxStoreBytes"), "max_store", "max_file", "max_disk", "store", "disk"),
    ...named(most("maxStreams"), "max_streams", "streams"),
    ...named(most("maxConsumers"), "max_consumers", "consumers"),
    ...named(most("maxAckPending"), "max_ack_pending"),
    ...named(most("memoryMaxStreamBytes"), "mem_max_stream_bytes", "memory_max_stream_bytes"),
    ...named(most("storeMaxStreamBytes"), "disk_max_stream_bytes", "store_max_stream_bytes"),
    ...named(requireBytes, "max_bytes_required", "max_stream_bytes", "max_bytes"),
    cluster_traffic: (value: ConfNode) => void (found.clusterTraffic = trafficOf(value)),
  };
  readBlock(node, readers);
  return found;
}

/** null: a block without a destination, by which nothing is traced. */
export function readTrace(node: ConfNode, notes: Notes): AccountTrace | null {
  if (node.kind === "string") return { destination: destinationOf(node), sampling: SAMPLING_ALL };
  if (node.kind !== "map") mismatch(node, "a subject, or a block with dest and sampling");
  let destination: string | null = null;
  let sampling: number | null = null;
  readBlock(node, {
    dest: (value) => void (destination = destinationOf(value)),
    sampling: (value) => void (sampling = samplingOf(value)),
  });
  if (destination !== null) return { destination, sampling: sampling ?? SAMPLING_ALL };
  if (sampling !== null)
    notes.warn(node.at, "Trace destination sampling ignored since no destination was set");
  return null;
}

function named<T>(reader: T, ...names: readonly string[]): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, reader]));
}

function booleanOf(node: ConfNode): boolean {
  if (node.kind !== "bool") mismatch(node, "true or false");
  return node.value;
}

function trafficOf(node: ConfNode): AccountJetStream["clusterTraffic"] {
  const word = stringOf(node, "system or owner");
  if (word === "system" || word === "") return "system";
  if (word === "owner") return word;
  throw new ConfError(node.at, `Expected 'system' or 'owner' string value, got ${JSON.stringify(word)}`);
}

function destinationOf(node: ConfNode): string {
  const subject = stringOf(node, "a subject");
  if (isValidLiteralSubject(subject)) return subject;
  throw new ConfError(node.at, `Trace destination ${JSON.stringify(subject)} is not valid`);
}

/** A percentage, plainly or with its sign. */
function samplingOf(node: ConfNode): number {
  const text =
    node.kind === "string" ? node.value.replace(/%$/, "") : node.kind === "int" ? String(node.value) : "";
  if (!/^[-+]?\d+$/.test(text)) {
    throw new ConfError(node.at, "Trace destination sampling should be a whole number or a percentage");
  }
  const percent = Number(text);
  if (percent >= 1 && percent <= 100) return percent;
  throw new ConfError(
    node.at,
    `Trace destination sampling value ${text} is invalid, needs to be from 1 to 100`,
  );
}
