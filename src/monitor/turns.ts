/**
 * Monitoring works in small pieces, one per round of the event loop however many requests there are, so that messages are served in
 * between. Bounded by the number of open requests, which http.ts limits.
 */
import { assert } from "../base/assert.ts";
export class Turns {
  private readonly waiting: (() => void)[] = [];
  private readonly serve = (): void => {
    this.waiting.shift()?.();
    if (this.waiting.length > 0) setImmediate(this.serve);
  };

  private last: Promise<unknown> = Promise.resolve();

  /** Runs work that needs memory one after the other, in the order of the calls. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined); // whoever asked hears of it
    return result;
  }

  /** Resolves in a later round of the event loop. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.waiting.length === 1) setImmediate(this.serve);
    });
  }
}

const RUN = 4096;

/** Sorted by `compare`, stable: short runs are sorted and then merged, each in a turn of its own. */
export async function sortInTurns<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  turns: Turns,
): Promise<T[]> {
  let runs: T[][] = [];
  for (let from = 0; from < items.length; from += RUN) {
    runs.push(items.slice(from, from + RUN).sort(compare));
    await turns.next();
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const [left, right] = [runs[i]!, runs[i + 1]];
      merged.push(right === undefined ? left : merge(left, right, compare));
      await turns.next();
    }
    runs = merged;
  }
  const sorted = runs[0] ?? [];
  assert(sorted.length === items.length, "sorting loses nothing");
  return sorted;
}

function merge<T>(left: readonly T[], right: readonly T[], compare: (a: T, b: T) => number): T[] {
  const merged = new Array<T>(left.length + right.length);
  let l = 0;
  let r = 0;
  for (let i = 0; i < merged.length; i++) {
    const takesLeft = r === right.length || (l < left.length && compare(left[l]!, right[r]!) <= 0);
    merged[i] = takesLeft ? left[l++]! : right[r++]!;
  }
  return merged;
}
