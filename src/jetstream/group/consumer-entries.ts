/**
 * What a consumer notes, as the operations that nats-server knows, and what a snapshot of its group says:
 *
 *     22, 2, then uvarints: floor (consumer, stream), delivered (consumer, stream), pending; if there are: varint seconds; each: stream and
 *     consumer sequence above the floor, varint seconds before that; then redelivered; each: stream sequence above the floor, times
 */
import type { ConsumerEntry } from "../../store/consumer-entries.ts";
import {
  ACKED,
  ACKED_RUN,
  ConsumerState,
  DELIVERED,
  DELIVERED_RUN,
  GIVEN_UP,
  SKIPPED,
} from "../consumer/state.ts";
import {
  decodeAcked,
  decodeDelivered,
  decodeSkip,
  encodeAcked,
  encodeDelivered,
  encodeSkip,
  GIVEN_UP_MARK,
  OperationCode,
  pushVarint,
  readVarints,
} from "./operations.ts";

const MAGIC = 22;
const VERSION = 2;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** None: the others need not know. `policy` "all": giving one up says nothing about those before. */
export function operationsOf(entry: ConsumerEntry, policy: "none" | "all" | "explicit"): Uint8Array[] {
  const { kind, streamSequence: stream, consumerSequence: consumer, count, timeMs } = entry;
  const each = (make: (i: number) => Uint8Array): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => make(i));
  switch (kind) {
    case DELIVERED:
      return [encodeDelivered(consumer, stream, count, timeMs)];
    case DELIVERED_RUN:
      return each((i) => encodeDelivered(consumer + i, stream + i, 1, timeMs));
    case ACKED:
      return [encodeAcked(0, stream)];
    case ACKED_RUN:
      return each((i) => encodeAcked(0, stream + i));
    case SKIPPED:
      return [encodeSkip(stream + 1)];
    case GIVEN_UP:
      return policy === "all" ? [] : [encodeAcked(GIVEN_UP_MARK, stream)];
    default:
      return [];
  }
}

/** It says that a client waits for messages, or does no longer: nothing of the state. */
export function isAboutWaiting(operation: Uint8Array): boolean {
  const { ADD_PENDING_REQUEST, REMOVE_PENDING_REQUEST } = OperationCode;
  return operation[0] === ADD_PENDING_REQUEST || operation[0] === REMOVE_PENDING_REQUEST;
}

/** undefined: this server does not know the operation. `nowMs` is of no effect on the state. */
export function entryOf(operation: Uint8Array): ConsumerEntry | undefined {
  switch (operation[0]) {
    case OperationCode.UPDATE_DELIVERED: {
      const delivered = decodeDelivered(operation);
      if (delivered === undefined) return undefined;
      const { stream, consumer, count, timeMs } = delivered;
      return ConsumerState.delivery(stream, consumer, count, timeMs);
    }
    case OperationCode.UPDATE_ACKS: {
      const acked = decodeAcked(operation);
      if (acked === undefined) return undefined;
      const { consumer, stream } = acked;
      return consumer === GIVEN_UP_MARK ? ConsumerState.giveUp(stream, 0) : ConsumerState.ack(stream, 0);
    }
    case OperationCode.UPDATE_SKIP: {
      const next = decodeSkip(operation);
      return next === undefined ? undefined : ConsumerState.skip(next - 1, 0);
    }
    default:
      return undefined;
  }
}

export function encodeConsumerState({ floor, delivered, pending }: ConsumerState): Uint8Array {
  const out = [MAGIC, VERSION];
  const put = (value: number): void => pushVarint(out, BigInt(value));
  const putSigned = (value: number): void => pushVarint(out, BigInt(value < 0 ? -2 * value - 1 : 2 * value));
  for (const value of [floor.consumer, floor.stream, delivered.consumer, delivered.stream, pending.size])
    put(value);
  let baseSeconds = 0;
  for (const [, { timeMs }] of pending) baseSeconds = Math.max(baseSeconds, Math.floor(timeMs / 1000));
  if (pending.size > 0) putSigned(baseSeconds);
  for (const [sequence, { consumerSequence, timeMs }] of pending) {
    put(sequence - floor.stream);
    put(Math.max(0, consumerSequence - floor.consumer));
    putSigned(baseSeconds - Math.floor(timeMs / 1000));
  }
  const again = [...pending].filter(([, { count }]) => count > 1);
  put(again.length);
  for (const [sequence, { count }] of again) {
    put(sequence - floor.stream);
    put(count - 1);
  }
  return Uint8Array.from(out);
}

/** As ConsumerState.restore takes it; undefined: it cannot be read. */
export function decodeConsumerState(data: Uint8Array): string | undefined {
  if (data[0] !== MAGIC || data[1] !== VERSION) return undefined;
  const values = readVarints(data, Infinity, 2);
  if (!values.every((value) => value <= MAX_SAFE)) return undefined;
  let at = 0;
  const take = (): number => Number(values[at++] ?? 0n);
  const takeSigned = (): number => {
    const value = values[at++] ?? 0n;
    return Number(value & 1n ? -(value >> 1n) - 1n : value >> 1n);
  };
  const floor = { consumer: take(), stream: take() };
  const delivered = { consumer: take(), stream: take() };
  const size = take();
  if (size > values.length) return undefined;
  const baseSeconds = size > 0 ? takeSigned() : 0;
  const pending = new Map<number, { consumerSequence: number; count: number; timeMs: number }>();
  for (let left = size; left > 0; left--) {
    const sequence = take() + floor.stream;
    const consumerSequence = take() + floor.consumer;
    pending.set(sequence, { consumerSequence, count: 1, timeMs: (baseSeconds - takeSigned()) * 1000 });
  }
  const again = take();
  if (again > values.length) return undefined;
  for (let left = again; left > 0; left--) {
    const found = pending.get(take() + floor.stream);
    const times = take();
    if (found !== undefined) found.count = times + 1;
  }
  if (at > values.length) return undefined;
  // nats-server writes them in any order
  const inOrder = [...pending].toSorted(([a], [b]) => a - b);
  return JSON.stringify({ delivered, floor, placed: 0, pending: inOrder });
}
