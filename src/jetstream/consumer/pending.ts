/**
 * The messages of a consumer that wait for their acknowledgement, in the order of the stream: a ring of typed arrays, so that nothing is
 * made for a message. A message has a place there, a number that only grows; places of what is settled stay empty until those before
 * them are.
 *
 *     from ▼                        ▼ to
 *          | 17 | 18 | -- | 20 | -- | 22 |        -- settled
 *
 * Invariants: sequences ascend with their places; the first and the last place are never empty. Bounded by what is pending: when the
 * ring is full and mostly empty, what is left moves together, which changes places; nobody keeps one beyond the next message that is
 * added.
 */
import { assert } from "../../base/assert.ts";

const START = 16;

export interface Pending {
  consumerSequence: number;
  /** Deliveries so far. */
  count: number;
  /** When it was delivered last, milliseconds. */
  timeMs: number;
}

export class PendingMessages {
  size = 0;
  private from = 0;
  private to = 0;
  private mask = START - 1;
  private sequences = new Float64Array(START);
  private consumerSequences = new Float64Array(START);
  /** Deliveries; 0: settled. */
  private counts = new Uint32Array(START);
  private times = new Float64Array(START);
  /** Where something was found last: the next that is looked for is often behind it. */
  private hint = 0;

  /** The first place; `end`: nothing is pending. */
  get first(): number {
    return this.from;
  }

  /** Behind the last place. */
  get end(): number {
    return this.to;
  }

  /** The next place behind this one. */
  after(place: number): number {
    const { counts, mask, to } = this;
    let next = place + 1;
    while (next < to && counts[next & mask] === 0) next++;
    return next;
  }

  sequenceAt(place: number): number {
    return this.sequences[place & this.mask]!;
  }
  consumerSequenceAt(place: number): number {
    return this.consumerSequences[place & this.mask]!;
  }
  countAt(place: number): number {
    return this.counts[place & this.mask]!;
  }
  timeAt(place: number): number {
    return this.times[place & this.mask]!;
  }

  /** The place of a message; -1: it does not wait. */
  find(sequence: number): number {
    const { sequences, mask, from, to } = this;
    if (from === to) return -1;
    let place = this.hint + 1;
    if (place < from || place >= to || sequences[place & mask] !== sequence) {
      place = from + (sequence - sequences[from & mask]!);
      if (place < from || place >= to || sequences[place & mask] !== sequence) place = this.search(sequence);
      if (place < 0) return -1;
    }
    this.hint = place;
    return this.counts[place & mask] === 0 ? -1 : place;
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
    if (this.to - this.from > this.mask) this.makeRoom();
    const { from, to, mask } = this;
    assert(from === to || sequence > this.sequences[(to - 1) & mask]!, "pending messages are in order");
    const i = to & mask;
    this.sequences[i] = sequence;
    this.consumerSequences[i] = consumerSequence;
    this.counts[i] = count;
    this.times[i] = timeMs;
    this.to = to + 1;
    this.size++;
  }

  /** It was delivered again. */
  setDelivery(place: number, count: number, timeMs: number): void {
    this.counts[place & this.mask] = count;
    this.times[place & this.mask] = timeMs;
  }

  setTime(place: number, timeMs: number): void {
    this.times[place & this.mask] = timeMs;
  }

  removeAt(place: number): void {
    const { counts, mask, to } = this;
    assert(counts[place & mask]! > 0, "a message is settled once");
    counts[place & mask] = 0;
    this.size--;
    if (place !== this.from) {
      // The last place is never empty either: after damage the stream begins again below what was settled there.
      if (place === to - 1) while (counts[(this.to - 1) & mask] === 0) this.to--;
      return;
    }
    let next = place + 1;
    while (next < to && counts[next & mask] === 0) next++;
    this.from = next;
  }

  delete(sequence: number): boolean {
    const place = this.find(sequence);
    if (place < 0) return false;
    this.removeAt(place);
    return true;
  }

  clear(): void {
    this.from = this.to;
    this.size = 0;
    this.counts.fill(0);
  }

  /** Messages may be settled meanwhile. */
  *keys(): Generator<number> {
    for (let place = this.first; place < this.end; place = this.after(place)) yield this.sequenceAt(place);
  }

  *[Symbol.iterator](): Generator<[sequence: number, pending: Pending]> {
    for (let place = this.first; place < this.end; place = this.after(place))
      yield [this.sequenceAt(place), this.pendingAt(place)];
  }

  private pendingAt(place: number): Pending {
    return {
      consumerSequence: this.consumerSequenceAt(place),
      count: this.countAt(place),
      timeMs: this.timeAt(place),
    };
  }

  private search(sequence: number): number {
    const { sequences, mask } = this;
    let low = this.from;
    let high = this.to;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      if (sequences[middle & mask]! < sequence) low = middle + 1;
      else high = middle;
    }
    return low < this.to && sequences[low & mask] === sequence ? low : -1;
  }

  private makeRoom(): void {
    const capacity = this.mask + 1;
    const { sequences, consumerSequences, counts, times, mask, first, end } = this;
    const larger = this.size * 2 > capacity ? capacity * 2 : capacity;
    this.sequences = new Float64Array(larger);
    this.consumerSequences = new Float64Array(larger);
    this.counts = new Uint32Array(larger);
    this.times = new Float64Array(larger);
    this.mask = larger - 1;
    this.to = this.from = 0;
    this.hint = 0;
    this.size = 0;
    for (let place = first; place < end; place++) {
      const i = place & mask;
      if (counts[i] !== 0) this.add(sequences[i]!, consumerSequences[i]!, counts[i]!, times[i]!);
    }
  }
}
