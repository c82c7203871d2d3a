/**
 * A map by text for what may have hundreds of thousands of entries. A `Map` that grows copies all that it holds at once, which takes 10 ms
 * for 100,000 entries. Here more than a thousand entries are spread over lanes, each of which grows by itself. The lanes hold unequal
 * shares, up to two to one, so that they do not all double at the same time, however evenly the keys are spread.
 *
 * Invariant: the entries are all in `few`, or all in lanes, and `few` is empty then. While it is iterated, each entry that stays is met
 * once; what comes meanwhile may be met or not. Bounded by what the caller puts in.
 */
import { assert } from "./assert.ts";

/** Entries before there are lanes. */
const FEW_MAX = 1024;
const LANES = 64;
/** Lanes by a hash of 12 bits: the share of lane i is proportional to 2 ** (i / LANES). */
const HASH_BITS = 12;
const LANE_OF = Uint8Array.from(
  { length: 1 << HASH_BITS },
  (_, hash) => LANES * Math.log2(1 + hash / (1 << HASH_BITS)),
);
assert(LANE_OF.at(-1) === LANES - 1, "every lane has a share");
/** Characters that tell keys apart, at even distances from each other. */
const HASHED_MAX = 10;

export class WideMap<V extends {} | null> {
  private few = new Map<string, V>();
  private lanes: readonly Map<string, V>[] | null = null;
  private inLanes = 0;

  get size(): number {
    return this.few.size + this.inLanes;
  }

  get(key: string): V | undefined {
    return this.mapOf(key).get(key);
  }

  has(key: string): boolean {
    return this.mapOf(key).has(key);
  }

  set(key: string, value: V): this {
    const map = this.mapOf(key);
    const before = map.size;
    map.set(key, value);
    if (this.lanes !== null) this.inLanes += map.size - before;
    else if (map.size > FEW_MAX) this.widen();
    return this;
  }

  delete(key: string): boolean {
    if (!this.mapOf(key).delete(key)) return false;
    if (this.lanes !== null && --this.inLanes === 0) this.lanes = null;
    assert(this.inLanes >= 0, "what is deleted was counted");
    return true;
  }

  *[Symbol.iterator](): Generator<readonly [string, V], void> {
    const { few } = this;
    for (const entry of few) {
      // Otherwise it was widened while it was iterated: `few` is as it was then.
      const value = this.few === few ? entry[1] : this.get(entry[0]);
      if (value !== undefined) yield [entry[0], value];
    }
    const isWidened = this.few !== few;
    for (const lane of this.lanes ?? [])
      for (const entry of lane) if (!isWidened || !few.has(entry[0])) yield entry;
  }

  *values(): Generator<V, void> {
    for (const [, value] of this) yield value;
  }

  private mapOf(key: string): Map<string, V> {
    return this.lanes === null ? this.few : this.lanes[laneOf(key)]!;
  }

  private widen(): void {
    const { few } = this;
    const lanes = Array.from({ length: LANES }, () => new Map<string, V>());
    for (const [key, value] of few) lanes[laneOf(key)]!.set(key, value);
    this.lanes = lanes;
    this.inLanes = few.size;
    this.few = new Map();
  }
}

function laneOf(key: string): number {
  const { length } = key;
  const step = length <= HASHED_MAX ? 1 : Math.ceil(length / HASHED_MAX);
  let hash = length;
  for (let i = length - 1; i >= 0; i -= step) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return LANE_OF[Math.imul(hash, 0x9e3779b1) >>> (32 - HASH_BITS)]!;
}
