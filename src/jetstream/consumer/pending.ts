/**
 * The messages of a consumer that wait for their acknowledgement, in the order of the stream: chunks of typed arrays, so that nothing is
 * made for a message, and none of what is done to one depends on how many wait. A message has a place there, a number that grows with
 * its sequence.
 *
 *     chunk 0                    chunk 1    chunk 2
 *     | 17 | -- | 20 | -- | 22 | empty      | 5001 | 5002 |        -- settled
 *
 * Which of them are due to be delivered again stands beside them.
 *
 * Invariants: sequences ascend with their places; the first and the last place are never settled. Bounded by what is pending: where
 * most is settled, what is left moves together, which changes places; nobody keeps one beyond the next message that is added.
 */
import { assert } from "../../base/assert.ts";
import { PendingChunk, SLOTS, type Waits } from "./pending-chunk.ts";

const CHUNK_BITS = 10;
const SLOT_MASK = SLOTS - 1;
/** Beyond it places are renumbered, so that they stay small numbers. */
const BASE_MAX = 2 ** 20;
/** Chunks that are looked through for what is due in one go. */
const CHUNKS_AT_ONCE = 32;
/** Fewer are not worth moving. */
const MOVED_CHUNKS_MIN = 4;
/** An empty chunk counts as so many slots. */
const EMPTY_COUNTS = 8;

export interface Pending {
  consumerSequence: number;
  /** Deliveries so far. */
  count: number;
  /** When it was delivered last, milliseconds. */
  timeMs: number;
}

/** Messages that follow each other in the stream and in what was delivered, so often and at that time. */
export interface Run extends Pending {
  readonly sequence: number;
  length: number;
}

export class PendingMessages {
  size = 0;
  /** How many are due again, and were delivered more than once. */
  dueCount = 0;
  redeliveredCount = 0;
  private waitMs: Waits = () => 0;
  private readonly chunks: PendingChunk[] = [];
  /** Number of the first chunk; places are counted from it. */
  private base = 0;
  /** Where something was found last: the next that is looked for is often behind it. */
  private hint = 0;
  /** None of the chunks below has one that is due. */
  private dueFrom = 0;

  /** Memory that the chunks take. */
  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
  }

  /** The first place; `end`: nothing is pending. */
  get first(): number {
    const { chunks, base } = this;
    return chunks.length === 0 ? this.end : base * SLOTS + chunks[0]!.from;
  }

  /** Behind the last place. */
  get end(): number {
    const { chunks, base } = this;
    const last = chunks.at(-1);
    return last === undefined ? base * SLOTS : (base + chunks.length - 1) * SLOTS + last.count;
  }

  /** The next place behind this one. */
  after(place: number): number {
    const { chunks, base } = this;
    let slot = (place & SLOT_MASK) + 1;
    for (let i = (place >> CHUNK_BITS) - base; i < chunks.length; i++, slot = 0) {
      if (i < 0) continue;
      const next = chunks[i]!.nextLive(slot);
      if (next < chunks[i]!.count) return (base + i) * SLOTS + next;
    }
    return this.end;
  }

  sequenceAt(place: number): number {
    return this.chunkAt(place).sequenceAt(place & SLOT_MASK);
  }
  consumerSequenceAt(place: number): number {
    return this.chunkAt(place).consumerSequenceAt(place & SLOT_MASK);
  }
  countAt(place: number): number {
    return this.chunkAt(place).countAt(place & SLOT_MASK);
  }
  timeAt(place: number): number {
    return this.chunkAt(place).timeAt(place & SLOT_MASK);
  }

  /** The place of a message; -1: it does not wait. */
  find(sequence: number): number {
    if (this.size === 0) return -1;
    const { chunks, base, hint } = this;
    const near = (hint >> CHUNK_BITS) - base;
    if (near >= 0 && near < chunks.length) {
      const slot = chunks[near]!.find(sequence, hint & SLOT_MASK);
      if (slot >= 0) return (this.hint = (base + near) * SLOTS + slot);
    }
    const i = this.chunkOf(sequence);
    const slot = i < 0 ? -1 : chunks[i]!.find(sequence, 0);
    return slot < 0 ? -1 : (this.hint = (base + i) * SLOTS + slot);
  }

  has(sequence: number): boolean {
    return this.find(sequence) >= 0;
  }

  /** As it is now. */
  get(sequence: number): Pending | undefined {
    const place = this.find(sequence);
    return place < 0 ? undefined : this.pendingAt(place);
  }

  /** A message comes behind all others. */
  add(sequence: number, consumerSequence: number, count: number, timeMs: number): void {
    assert(count > 0, "what is pending was delivered");
    let last = this.chunks.at(-1);
    assert(last === undefined || sequence > last.sequenceAt(last.count - 1), "pending messages are in order");
    if (last?.takes(sequence) !== true) {
      if (this.isMostlySettled) this.moveTogether();
      if (this.base > BASE_MAX) this.renumber();
      last = new PendingChunk(sequence, consumerSequence, timeMs);
      this.chunks.push(last);
    }
    last.add(sequence, consumerSequence, count, timeMs);
    last.lower(timeMs + this.waitMs(count));
    this.size++;
    if (count > 1) this.redeliveredCount++;
  }

  /** It was delivered again. */
  setDelivery(place: number, count: number, timeMs: number): void {
    const chunk = this.chunkAt(place);
    const before = chunk.redelivered;
    chunk.setDelivery(place & SLOT_MASK, count, timeMs);
    chunk.lower(timeMs + this.waitMs(count));
    this.redeliveredCount += chunk.redelivered - before;
  }

  setTime(place: number, timeMs: number): void {
    const chunk = this.chunkAt(place);
    chunk.setTime(place & SLOT_MASK, timeMs);
    chunk.lower(timeMs + this.waitMs(chunk.countAt(place & SLOT_MASK)));
  }

  removeAt(place: number): void {
    const chunk = this.chunkAt(place);
    const { due, redelivered } = chunk;
    chunk.settle(place & SLOT_MASK);
    this.size--;
    this.dueCount -= due - chunk.due;
    this.redeliveredCount -= redelivered - chunk.redelivered;
    if (chunk.live === 0) this.trim();
  }

  delete(sequence: number): boolean {
    const place = this.find(sequence);
    if (place < 0) return false;
    this.removeAt(place);
    return true;
  }

  /** All up to the sequence go. Returns how many. */
  removeUpTo(sequence: number): number {
    const before = this.size;
    while (this.chunks.length > 0) {
      const chunk = this.chunks[0]!;
      if (chunk.sequenceAt(chunk.count - 1) > sequence) break;
      this.size -= chunk.live;
      this.dueCount -= chunk.due;
      this.redeliveredCount -= chunk.redelivered;
      chunk.empty();
      this.trim();
    }
    while (this.size > 0 && this.sequenceAt(this.first) <= sequence) this.removeAt(this.first);
    return before - this.size;
  }

  /** The first place of this sequence or a higher one; `end`: there is none. */
  placeFrom(sequence: number): number {
    const { chunks, base } = this;
    const i = Math.max(0, this.chunkOf(sequence));
    const chunk = chunks[i];
    if (chunk === undefined) return this.end;
    const place = (base + i) * SLOTS + chunk.slotFrom(sequence) - 1;
    return this.after(place);
  }

  /** Sequences of all up to this one. */
  upTo(sequence: number): Float64Array {
    const found = new Float64Array(this.size);
    let count = 0;
    for (let place = this.first; place < this.end; place = this.after(place)) {
      const each = this.sequenceAt(place);
      if (each > sequence) break;
      found[count++] = each;
    }
    return found.subarray(0, count);
  }

  clear(): void {
    this.base += this.chunks.length;
    this.chunks.length = 0;
    this.size = this.dueCount = this.redeliveredCount = 0;
  }

  /** Messages may be settled meanwhile. */
  *keys(): Generator<number> {
    for (let place = this.first; place < this.end; place = this.after(place)) yield this.sequenceAt(place);
  }

  *[Symbol.iterator](): Generator<[sequence: number, pending: Pending]> {
    for (let place = this.first; place < this.end; place = this.after(place))
      yield [this.sequenceAt(place), this.pendingAt(place)];
  }

  /** All of them, those together that follow each other. */
  *runs(): Generator<Run> {
    let open: Run | null = null;
    for (const chunk of this.chunks) {
      for (let slot = chunk.nextLive(0), end = 0; slot < chunk.count; slot = chunk.nextLive(end)) {
        end = chunk.endOfRun(slot);
        const run: Run = {
          sequence: chunk.sequenceAt(slot),
          consumerSequence: chunk.consumerSequenceAt(slot),
          count: chunk.countAt(slot),
          timeMs: chunk.timeAt(slot),
          length: end - slot,
        };
        if (open !== null && continues(open, run)) open.length += run.length;
        else {
          if (open !== null) yield open;
          open = run;
        }
      }
    }
    if (open !== null) yield open;
  }

  /** They come behind all others. */
  addRun({ sequence, consumerSequence, count, timeMs, length }: Run): void {
    for (let i = 0; i < length; i++) this.add(sequence + i, consumerSequence + i, count, timeMs);
  }

  // ---- what is due again ----

  /** How long acknowledgements may take from here on. */
  setWaits(waitMs: Waits): void {
    this.waitMs = waitMs;
    for (const chunk of this.chunks) {
      chunk.boundMs = -Infinity;
      chunk.isExact = false;
    }
  }

  markDue(place: number): void {
    const chunk = this.chunkAt(place);
    const { due } = chunk;
    chunk.markDue(place & SLOT_MASK);
    this.dueCount += chunk.due - due;
    this.dueFrom = Math.min(this.dueFrom, place >> CHUNK_BITS);
  }

  /** It is due no longer, unless its time is over. */
  clearDue(place: number): void {
    const chunk = this.chunkAt(place);
    const slot = place & SLOT_MASK;
    if (!chunk.clearDue(slot)) return;
    this.dueCount--;
    chunk.lower(chunk.timeAt(slot) + this.waitMs(chunk.countAt(slot)));
  }

  /** The first place from `place` on that is due; -1: there is none. */
  nextDue(place = 0): number {
    if (this.dueCount === 0) return -1;
    const { chunks, base } = this;
    const from = Math.max(base, place >> CHUNK_BITS, this.dueFrom);
    for (let i = from - base; i < chunks.length; i++) {
      const slot = chunks[i]!.nextDue(base + i === place >> CHUNK_BITS ? place & SLOT_MASK : 0);
      if (slot < 0) continue;
      if (place === 0) this.dueFrom = base + i;
      return (base + i) * SLOTS + slot;
    }
    return -1;
  }

  /** Marks what has not been acknowledged in time. Where that is very much, some: then `nextDueMs` is not later than now. */
  collectDue(nowMs: number): void {
    const { chunks, base } = this;
    let left = CHUNKS_AT_ONCE;
    for (let i = 0; i < chunks.length && left > 0; i++) {
      const chunk = chunks[i]!;
      if (chunk.boundMs > nowMs) continue;
      const { due } = chunk;
      chunk.collect(nowMs, this.waitMs);
      this.dueCount += chunk.due - due;
      if (chunk.due > 0) this.dueFrom = Math.min(this.dueFrom, base + i);
      left--;
    }
  }

  /** When the next one will be due, or a time before, at which that is asked again; Infinity: none will. */
  get nextDueMs(): number {
    for (let left = CHUNKS_AT_ONCE; ; left--) {
      let next: PendingChunk | null = null;
      for (const chunk of this.chunks)
        if (chunk.boundMs < Infinity && (next === null || chunk.boundMs < next.boundMs)) next = chunk;
      if (next === null) return Infinity;
      if (next.isExact || left === 0) return next.boundMs;
      next.collect(-Infinity, this.waitMs);
    }
  }

  private pendingAt(place: number): Pending {
    return {
      consumerSequence: this.consumerSequenceAt(place),
      count: this.countAt(place),
      timeMs: this.timeAt(place),
    };
  }

  private chunkAt(place: number): PendingChunk {
    const chunk = this.chunks[(place >> CHUNK_BITS) - this.base];
    assert(chunk !== undefined, "a place lies in a chunk");
    return chunk;
  }

  /** The chunk that the sequence lies in, if it waits; -1: none. */
  private chunkOf(sequence: number): number {
    const { chunks } = this;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (chunks[middle]!.start <= sequence) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Chunks at both ends in which nothing waits. */
  private trim(): void {
    const { chunks } = this;
    let gone = 0;
    while (gone < chunks.length && chunks[gone]!.live === 0) gone++;
    if (gone > 0) chunks.splice(0, gone);
    this.base += gone;
    while (chunks.length > 0 && chunks.at(-1)!.live === 0) chunks.pop();
  }

  private get isMostlySettled(): boolean {
    if (this.chunks.length < MOVED_CHUNKS_MIN) return false;
    const used = this.chunks.reduce((sum, chunk) => sum + Math.max(chunk.count, EMPTY_COUNTS), 0);
    return used > 4 * this.size + EMPTY_COUNTS * this.chunks.length;
  }

  private renumber(): void {
    this.dueFrom = Math.max(0, this.dueFrom - this.base);
    this.base = this.hint = 0;
  }

  private moveTogether(): void {
    const moved = new PendingMessages();
    moved.setWaits(this.waitMs);
    for (let place = this.first; place < this.end; place = this.after(place)) {
      const chunk = this.chunkAt(place);
      const slot = place & SLOT_MASK;
      moved.add(
        chunk.sequenceAt(slot),
        chunk.consumerSequenceAt(slot),
        chunk.countAt(slot),
        chunk.timeAt(slot),
      );
      if (chunk.isDue(slot)) moved.markDue(moved.end - 1);
    }
    this.chunks.splice(0, this.chunks.length, ...moved.chunks);
    this.base = this.dueFrom = this.hint = 0;
  }
}

function continues(run: Run, next: Run): boolean {
  return (
    next.sequence === run.sequence + run.length &&
    next.consumerSequence === run.consumerSequence + run.length &&
    next.count === run.count &&
    next.timeMs === run.timeMs
  );
}
