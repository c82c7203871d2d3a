/**
 * What a snapshot of a stream's group says: which messages there are, not what is in them. nats-server's bytes:
 *
 *     42, 1, then uvarints: messages, bytes, first, last, failed, deleted; then runs of deleted: 33, uvarint first, uvarint count
 */
import type { StreamStore } from "../../store/stream-store.ts";
import { pushVarint, readVarints } from "./operations.ts";

const MAGIC = 42;
const VERSION = 1;
const RUN = 33;
/** Runs of deleted messages that a snapshot names. */
const RUNS_MAX = 100_000;

export interface SnapshotState {
  readonly messages: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  readonly deleted: readonly { readonly first: number; readonly count: number }[];
}

export function stateOf(store: StreamStore): SnapshotState {
  const { messages, bytes, first, last } = store;
  return { messages, bytes, first, last, deleted: [...deletedRuns(store)] };
}

export function encodeState({ messages, bytes, first, last, deleted }: SnapshotState): Uint8Array {
  const out = [MAGIC, VERSION];
  const gone = deleted.reduce((sum, { count }) => sum + count, 0);
  for (const value of [messages, bytes, first, last, 0, gone]) pushVarint(out, BigInt(value));
  for (const run of deleted) {
    out.push(RUN);
    pushVarint(out, BigInt(run.first));
    pushVarint(out, BigInt(run.count));
  }
  return Uint8Array.from(out);
}

/** undefined: it cannot be read. */
export function decodeState(data: Uint8Array): SnapshotState | undefined {
  if (data[0] !== MAGIC || data[1] !== VERSION) return undefined;
  const values = readVarints(data, 6, 2).map(Number);
  const [messages, bytes, first, last] = values;
  if (values.length < 6 || messages === undefined || bytes === undefined) return undefined;
  if (first === undefined || last === undefined) return undefined;
  let at = 2;
  for (let left = 6; left > 0; at++) if (data[at]! < 128) left--;
  const deleted: { first: number; count: number }[] = [];
  while (at < data.length) {
    if (data[at] !== RUN) return undefined;
    const [from, count] = readVarints(data, 2, at + 1).map(Number);
    if (from === undefined || count === undefined) return undefined;
    deleted.push({ first: from, count });
    at++;
    for (let left = 2; left > 0; at++) if (data[at]! < 128) left--;
  }
  return { messages, bytes, first, last, deleted };
}

function* deletedRuns(store: StreamStore): Generator<{ first: number; count: number }, void> {
  if (store.messages === 0 || store.holeCount === 0) return;
  let expected = store.first;
  let runs = 0;
  for (let at = store.next(expected, null); at !== 0; at = store.next(at + 1, null)) {
    if (at > expected && runs++ < RUNS_MAX) yield { first: expected, count: at - expected };
    expected = at + 1;
  }
}
