/**
 * What a snapshot of a stream's group says: which messages there are, not what is in them. nats-server's bytes:
 *
 *     42, 1, then uvarints: messages, bytes, first, last, failed, deleted; then runs of deleted: 33, uvarint first, uvarint count,
 *     or bits (deleted-bits.ts)
 *
 * Version 2 names the sources of the stream before the number of the deleted; they are passed over.
 */
import type { StreamStore } from "../../store/stream-store.ts";
import { DELETED_BITS, readDeletedBits, type DeletedRun } from "./deleted-bits.ts";
import { pushVarint, readVarints } from "./operations.ts";

const MAGIC = 42;
const VERSION = 1;
const VERSION_WITH_SOURCES = 2;
const RUN = 33;
/** Runs of deleted messages that a snapshot names. */
const RUNS_MAX = 1 << 20;

interface Range {
  readonly from: number;
  readonly to: number;
}

export interface SnapshotState {
  readonly messages: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  /** Messages that were agreed on and have no sequence, since every copy refused them. */
  readonly failed: number;
  readonly deleted: readonly DeletedRun[];
}

/** Messages that are damaged here were not deleted: other copies keep theirs. */
export function stateOf(store: StreamStore, failed: number): SnapshotState {
  const { messages, bytes, last, lost } = store;
  const first = Math.min(store.first, lost.lowest);
  const deleted = [...deletedRuns(store)].flatMap((run) => [...without(run, lost)]);
  return { messages, bytes, first, last, failed, deleted };
}

function* without({ first, count }: DeletedRun, lost: Iterable<Range>): Generator<DeletedRun, void> {
  const last = first + count - 1;
  let next = first;
  for (const { from, to } of lost) {
    if (to < next || from > last) continue;
    if (from > next) yield { first: next, count: from - next };
    next = to + 1;
  }
  if (next <= last) yield { first: next, count: last + 1 - next };
}

export function encodeState({ messages, bytes, first, last, failed, deleted }: SnapshotState): Uint8Array {
  const out = [MAGIC, VERSION];
  const gone = deleted.reduce((sum, { count }) => sum + count, 0);
  for (const value of [messages, bytes, first, last, failed, gone]) pushVarint(out, BigInt(value));
  for (const run of deleted) {
    out.push(RUN);
    pushVarint(out, BigInt(run.first));
    pushVarint(out, BigInt(run.count));
  }
  return Uint8Array.from(out);
}

/** undefined: it cannot be read. */
export function decodeState(data: Uint8Array): SnapshotState | undefined {
  if (data[0] !== MAGIC || (data[1] !== VERSION && data[1] !== VERSION_WITH_SOURCES)) return undefined;
  const reader = new Reader(data, 2);
  const [messages, bytes, first, last, failed] = reader.numbers(5);
  if (data[1] === VERSION_WITH_SOURCES) reader.passSources();
  const [gone] = reader.numbers(1);
  if (messages === undefined || bytes === undefined || first === undefined) return undefined;
  if (last === undefined || failed === undefined || gone === undefined) return undefined;
  const deleted: DeletedRun[] = [];
  while (gone > 0 && reader.at < data.length) if (!readDeleted(reader, deleted)) return undefined;
  return { messages, bytes, first, last, failed, deleted };
}

/** A copy may have every message, and not know yet which of them went. */
export function dropGone({ first, deleted }: SnapshotState, store: StreamStore): void {
  if (first > store.first) store.compact(first);
  for (const run of deleted) {
    const last = run.first + run.count - 1;
    for (let at = store.next(run.first, null, last); at !== 0 && at <= last;) {
      store.remove(at);
      at = store.next(at + 1, null, last);
    }
  }
}

function readDeleted(reader: Reader, into: DeletedRun[]): boolean {
  const { data, at } = reader;
  if (data[at] === DELETED_BITS) {
    const bits = readDeletedBits(data, at);
    if (bits === undefined) return false;
    for (const run of bits.runs) into.push(run);
    reader.at = bits.end;
    return true;
  }
  if (data[at] !== RUN) return false;
  reader.at++;
  const [first, count] = reader.numbers(2);
  if (first === undefined || count === undefined) return false;
  into.push({ first, count });
  return true;
}

class Reader {
  readonly data: Uint8Array;
  at: number;

  constructor(data: Uint8Array, at: number) {
    this.data = data;
    this.at = at;
  }

  /** Fewer where the bytes end, or one is too large. */
  numbers(count: number): number[] {
    const values = readVarints(this.data, count, this.at).map(Number);
    if (values.length < count || !values.every(Number.isSafeInteger)) {
      this.at = this.data.length;
      return [];
    }
    for (let left = count; left > 0; this.at++) if (this.data[this.at]! < 128) left--;
    return values;
  }

  /** Each: its name, a sequence, and what tells it from one of the same name. */
  passSources(): void {
    const [count = 0] = this.numbers(1);
    for (let left = count; left > 0 && this.at < this.data.length; left--) {
      this.passText();
      this.numbers(1);
      this.passText();
    }
  }

  private passText(): void {
    const [length = 0] = this.numbers(1);
    this.at = Math.min(this.data.length, this.at + length);
  }
}

function* deletedRuns(store: StreamStore): Generator<DeletedRun, void> {
  if (store.messages === 0 || store.holeCount === 0) return;
  let expected = store.first;
  let runs = 0;
  for (let at = store.next(expected, null); at !== 0; at = store.next(at + 1, null)) {
    if (at > expected && runs++ < RUNS_MAX) yield { first: expected, count: at - expected };
    expected = at + 1;
  }
  // a copy that is behind may have those at the end, too
  if (expected <= store.last) yield { first: expected, count: store.last + 1 - expected };
}
