/**
 * Some of the messages that wait for their acknowledgement, in the order of the stream: 16 bytes each. What does not fit into them, such
 * as a time that lies far away, is kept beside them.
 *
 *     0 u32 sequence, less the base   4 u32 consumer sequence, less its base   8 u32 deliveries; 0: settled   12 u32 time, less its base
 *
 * Which of them are due again is a bit each. `boundMs` is a time that no other one is due before.
 *
 * Invariants: sequences ascend with their slots; the last slot is never settled.
 */
import { assert } from "../../base/assert.ts";

/** Messages that a chunk has room for. */
export const SLOTS = 1024;
const START = 16;
const WORDS = 4;
const NO_WORDS = new Uint32Array(0);
const DELTA_MAX = 0xffff_fffe;
/** Marks a time that is kept beside the words, with the consumer sequence. */
const ODD = 0xffff_ffff;
/** Times may lie before the one of the first message. */
const TIME_ROOM_MS = 0x8000_0000;

/** How long the acknowledgement of a message that was delivered so often may take, milliseconds. */
export type Waits = (count: number) => number;

export class PendingChunk {
  /** Slots in use, settled ones among them. */
  count = 0;
  /** All slots below are settled. */
  from = 0;
  /** Not settled; of these due again, and delivered more than once. */
  live = 0;
  due = 0;
  redelivered = 0;
  /** No message that is not due yet will be due before, milliseconds; Infinity: there is none. */
  boundMs = Infinity;
  /** `boundMs` is when one will be due. */
  isExact = true;
  private words = new Uint32Array(START * WORDS);
  private readonly base: number;
  private readonly consumerBase: number;
  private readonly timeBase: number;
  private dueBits: Uint32Array | null = null;
  private odd: Map<number, readonly [consumerSequence: number, timeMs: number]> | null = null;
  /** Each was delivered once, one after the other: the first is due before the others. */
  private isInOrder = true;
  private lastTimeMs = -Infinity;

  /** No sequence in it lies below. */
  get start(): number {
    return this.base;
  }

  constructor(sequence: number, consumerSequence: number, timeMs: number) {
    this.base = sequence;
    this.consumerBase = consumerSequence;
    this.timeBase = Math.floor(timeMs) - TIME_ROOM_MS;
  }

  get bytes(): number {
    return this.words.byteLength + (this.dueBits?.byteLength ?? 0);
  }

  /** Whether a message that comes behind the others has room. */
  takes(sequence: number): boolean {
    return this.count < SLOTS && sequence - this.base <= DELTA_MAX;
  }

  add(sequence: number, consumerSequence: number, count: number, timeMs: number): void {
    assert(this.takes(sequence), "a chunk with room takes a message");
    const slot = this.count;
    if (slot * WORDS === this.words.length) this.grow();
    this.words[slot * WORDS] = sequence - this.base;
    this.words[slot * WORDS + 2] = count;
    this.put(slot, consumerSequence, timeMs);
    if (count > 1 || timeMs < this.lastTimeMs) this.isInOrder = false;
    if (count > 1) this.redelivered++;
    this.lastTimeMs = timeMs;
    this.count = slot + 1;
    this.live++;
  }

  sequenceAt(slot: number): number {
    return this.base + this.words[slot * WORDS]!;
  }

  consumerSequenceAt(slot: number): number {
    const { words } = this;
    if (words[slot * WORDS + 3] === ODD) return this.odd!.get(slot)![0];
    return this.consumerBase + words[slot * WORDS + 1]!;
  }

  /** 0: it is settled. */
  countAt(slot: number): number {
    return this.words[slot * WORDS + 2]!;
  }

  timeAt(slot: number): number {
    const delta = this.words[slot * WORDS + 3]!;
    return delta === ODD ? this.odd!.get(slot)![1] : this.timeBase + delta;
  }

  /** The slot of the message; -1: it is not here. `near`: where it is looked for first. */
  find(sequence: number, near: number): number {
    const { words, count } = this;
    const delta = sequence - this.base;
    if (count === 0 || delta < words[0]! || delta > words[(count - 1) * WORDS]!) return -1;
    for (let slot = near; slot < Math.min(count, near + 2); slot++)
      if (words[slot * WORDS] === delta) return this.liveSlot(slot);
    if (delta < count && words[delta * WORDS] === delta) return this.liveSlot(delta);
    const slot = this.slotFrom(sequence);
    return words[slot * WORDS] === delta ? this.liveSlot(slot) : -1;
  }

  /** The first slot of this sequence or a higher one; `count`: there is none. */
  slotFrom(sequence: number): number {
    const { words } = this;
    const delta = sequence - this.base;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (words[middle * WORDS]! < delta) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first slot from `slot` on that is not settled; `count`: there is none. */
  nextLive(slot: number): number {
    const { words, count } = this;
    let next = Math.max(slot, this.from);
    while (next < count && words[next * WORDS + 2] === 0) next++;
    return next;
  }

  /** Behind the last slot that follows this one at the same distance in everything but deliveries and time, which are the same. */
  endOfRun(slot: number): number {
    const { words, count } = this;
    const at = slot * WORDS;
    const time = words[at + 3]!;
    let next = slot + 1;
    for (; next < count && time !== ODD; next++) {
      const further = next - slot;
      const other = next * WORDS;
      if (words[other]! - words[at]! !== further || words[other + 1]! - words[at + 1]! !== further) break;
      if (words[other + 2] !== words[at + 2] || words[other + 3] !== time) break;
    }
    return next;
  }

  setDelivery(slot: number, count: number, timeMs: number): void {
    if (this.countAt(slot) === 1 && count > 1) this.redelivered++;
    this.words[slot * WORDS + 2] = count;
    this.setTime(slot, timeMs);
  }

  setTime(slot: number, timeMs: number): void {
    this.put(slot, this.consumerSequenceAt(slot), timeMs);
    this.isInOrder = this.isExact = false;
  }

  settle(slot: number): void {
    const { words } = this;
    const count = words[slot * WORDS + 2]!;
    assert(count > 0, "a message is settled once");
    this.clearDue(slot);
    this.odd?.delete(slot);
    words[slot * WORDS + 2] = 0;
    if (count > 1) this.redelivered--;
    this.isExact = false;
    if (--this.live === 0) this.empty();
    else if (slot === this.from) this.from = this.nextLive(slot);
    else if (slot === this.count - 1) while (words[(this.count - 1) * WORDS + 2] === 0) this.count--;
  }

  /** All of them are. */
  empty(): void {
    this.words = NO_WORDS;
    this.count = this.from = this.live = this.due = this.redelivered = 0;
    this.dueBits = this.odd = null;
    this.boundMs = Infinity;
    this.isExact = true;
  }

  isDue(slot: number): boolean {
    return this.dueBits !== null && (this.dueBits[slot >> 5]! & (1 << (slot & 31))) !== 0;
  }

  markDue(slot: number): void {
    if (this.isDue(slot)) return;
    this.dueBits ??= new Uint32Array(SLOTS / 32);
    this.dueBits[slot >> 5]! |= 1 << (slot & 31);
    this.due++;
    this.isExact = false;
  }

  /** False: it was not due. */
  clearDue(slot: number): boolean {
    if (!this.isDue(slot)) return false;
    this.dueBits![slot >> 5]! &= ~(1 << (slot & 31));
    this.due--;
    return true;
  }

  /** The first slot from `slot` on that is due; -1: there is none. */
  nextDue(slot: number): number {
    if (this.due === 0) return -1;
    const bits = this.dueBits!;
    for (let next = slot; next < this.count;) {
      const word = bits[next >> 5]! >>> (next & 31);
      if (word === 0) next = (next | 31) + 1;
      else return next + (31 - Math.clz32(word & -word));
    }
    return -1;
  }

  /** A message will be due at that time, or may be. */
  lower(boundMs: number): void {
    if (boundMs >= this.boundMs) return;
    this.boundMs = boundMs;
  }

  /** Marks what is due by now, and finds out when the next one will be. */
  collect(nowMs: number, waitMs: Waits): void {
    let boundMs = Infinity;
    for (let slot = this.nextLive(0); slot < this.count; slot = this.nextLive(slot + 1)) {
      if (this.isDue(slot)) continue;
      const dueMs = this.timeAt(slot) + waitMs(this.countAt(slot));
      if (dueMs <= nowMs) {
        this.markDue(slot);
        continue;
      }
      boundMs = Math.min(boundMs, dueMs);
      if (this.isInOrder) break;
    }
    this.boundMs = boundMs;
    this.isExact = true;
  }

  private liveSlot(slot: number): number {
    return this.words[slot * WORDS + 2] === 0 ? -1 : slot;
  }

  private put(slot: number, consumerSequence: number, timeMs: number): void {
    const { words } = this;
    const consumer = consumerSequence - this.consumerBase;
    const time = timeMs - this.timeBase;
    const fits = consumer >= 0 && consumer <= DELTA_MAX && time >= 0 && time <= DELTA_MAX;
    if (fits && Number.isInteger(time)) {
      words[slot * WORDS + 1] = consumer;
      words[slot * WORDS + 3] = time;
      this.odd?.delete(slot);
      return;
    }
    this.odd ??= new Map();
    this.odd.set(slot, [consumerSequence, timeMs]);
    words[slot * WORDS + 3] = ODD;
  }

  private grow(): void {
    const larger = new Uint32Array(2 * this.words.length);
    larger.set(this.words);
    this.words = larger;
  }
}
