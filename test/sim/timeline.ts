/**
 * Virtual time: things to happen, run in order of time, ties in order of arrival. Nothing here is real time. What is far off
 * waits unsorted, by the millisecond; only the present millisecond is a heap, which stays small however much is planned.
 */

interface Happening {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class Timeline {
  nowMs = 0;
  happened = 0;
  /** What happens in the millisecond `present`. */
  private readonly heap: Happening[] = [];
  private readonly later = new Map<number, Happening[]>();
  private present = 0;
  private order = 0;

  at(atMs: number, run: () => void): void {
    const item = { atMs: Math.max(atMs, this.nowMs), order: this.order++, run };
    const millisecond = Math.floor(item.atMs);
    if (millisecond <= this.present) return this.push(item);
    const planned = this.later.get(millisecond);
    if (planned === undefined) this.later.set(millisecond, [item]);
    else planned.push(item);
  }

  private push(item: Happening): void {
    const heap = this.heap;
    let hole = heap.length;
    heap.push(item);
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = heap[above] as Happening;
      if (!isBefore(item, parent)) break;
      heap[hole] = parent;
      hole = above;
    }
    heap[hole] = item;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Runs everything up to and including `untilMs`. */
  runUntil(untilMs: number): void {
    for (;;) {
      for (let first = this.heap[0]; first !== undefined && first.atMs <= untilMs; first = this.heap[0]) {
        this.takeFirst();
        this.nowMs = first.atMs;
        this.happened++;
        first.run();
      }
      if (this.present >= Math.floor(untilMs)) break;
      this.present++;
      for (const item of this.later.get(this.present) ?? []) this.push(item);
      this.later.delete(this.present);
    }
    this.nowMs = untilMs;
  }

  private takeFirst(): void {
    const heap = this.heap;
    const last = heap.pop() as Happening;
    const size = heap.length;
    if (size === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(heap[child + 1] as Happening, heap[child] as Happening)) child++;
      const below = heap[child] as Happening;
      if (!isBefore(below, last)) break;
      heap[hole] = below;
      hole = child;
    }
    heap[hole] = last;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
