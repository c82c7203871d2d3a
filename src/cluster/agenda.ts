/**
 * What is due when: a binary heap of dates, each naming what to look at then. Entries are hints, never decisions: whoever
 * is looked at too early puts itself down again. Bound: the owner keeps at most a few entries per table row (see `Sleeper`).
 */

export type Due =
  | { readonly kind: "address"; readonly key: string }
  | { readonly kind: "peer"; readonly id: string }
  | { readonly kind: "conn"; readonly id: number }
  | { readonly kind: "dial"; readonly id: number }
  | { readonly kind: "gossip" }
  | { readonly kind: "probe" };

/** A table row that can be woken: remembers its earliest entry, so that a later one need not be made. */
export interface Sleeper {
  wakeMs: number;
}

interface Entry {
  readonly atMs: number;
  readonly due: Due;
}

export class Agenda {
  readonly #heap: Entry[] = [];

  nextMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  add(atMs: number, due: Due): void {
    const heap = this.#heap;
    const entry = { atMs, due };
    let hole = heap.length;
    heap.push(entry);
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = heap[above] as Entry;
      if (parent.atMs <= atMs) break;
      heap[hole] = parent;
      hole = above;
    }
    heap[hole] = entry;
  }

  /** Makes sure that `sleeper` is looked at no later than `atMs`. */
  wake(sleeper: Sleeper, atMs: number, due: Due): void {
    if (atMs >= sleeper.wakeMs) return;
    sleeper.wakeMs = atMs;
    this.add(atMs, due);
  }

  /** Takes the earliest entry if its time has come. */
  takeDue(nowMs: number): Due | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = heap.pop() as Entry;
    if (heap.length > 0) this.#sink(last);
    return first.due;
  }

  #sink(entry: Entry): void {
    const heap = this.#heap;
    const size = heap.length;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && (heap[child + 1] as Entry).atMs < (heap[child] as Entry).atMs) child++;
      const below = heap[child] as Entry;
      if (below.atMs >= entry.atMs) break;
      heap[hole] = below;
      hole = child;
    }
    heap[hole] = entry;
  }
}
