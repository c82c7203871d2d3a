/**
 * A bounded queue of lanes that are served in turn, so that a full lane does not delay the others. When the whole queue is
 * full, a newcomer takes the place of the last one in the longest lane, unless it would stand there itself.
 */
import { assert } from "./assert.ts";
export interface QueueBounds {
  readonly all: number;
  readonly lane: number;
}

export class FairQueue<T> {
  /** In the order in which they are served next. None is empty. */
  private readonly lanes = new Map<string, T[]>();
  private count = 0;
  private readonly bounds: QueueBounds;

  constructor(bounds: QueueBounds) {
    this.bounds = bounds;
  }

  get length(): number {
    return this.count;
  }

  /** Returns the item that finds no place: the new one, another one, or null. */
  push(lane: string, item: T): T | null {
    const own = this.lanes.get(lane) ?? [];
    if (own.length >= this.bounds.lane) return item;
    let displaced: T | null = null;
    if (this.count >= this.bounds.all) {
      const longest = this.longest();
      if (longest.length <= own.length + 1) return item;
      displaced = longest.pop() ?? null;
      assert(displaced !== null, "the longest lane of a full queue is not empty");
      this.count--;
    }
    own.push(item);
    this.lanes.set(lane, own);
    this.count++;
    assert(own.length <= this.bounds.lane, "a lane stays within its bound");
    assert(this.count <= this.bounds.all, "the queue stays within its bound");
    return displaced;
  }

  /** undefined: it is empty. */
  shift(): T | undefined {
    return this.shiftFrom(() => true)?.item;
  }

  /** The next of a lane that may be served now. */
  shiftFrom(mayServe: (lane: string) => boolean): { readonly lane: string; readonly item: T } | undefined {
    for (const [lane, items] of this.lanes) {
      if (!mayServe(lane)) continue;
      const item = items.shift();
      assert(item !== undefined, "no lane is empty");
      this.lanes.delete(lane);
      if (items.length > 0) this.lanes.set(lane, items);
      this.count--;
      return { lane, item };
    }
    return undefined;
  }

  clear(): void {
    this.lanes.clear();
    this.count = 0;
  }

  private longest(): T[] {
    let longest: T[] = [];
    for (const items of this.lanes.values()) if (items.length > longest.length) longest = items;
    return longest;
  }
}
