/**
 * What neighbours need to know of an account's subscriptions here: for each subject and queue group how many there are. A
 * neighbour is told of a plain subject when its count leaves or reaches 0, of a queue group whenever its count changes.
 */
import { assert } from "../base/assert.ts";
import { WideMap } from "../base/wide-map.ts";

interface Wanted {
  readonly subject: string;
  readonly queue: string | null;
}

export interface InterestChange {
  readonly subject: string;
  /** null: plain. */
  readonly queue: string | null;
  /** Subscriptions now; 0: the interest has ended. */
  readonly count: number;
}

export class LocalInterest {
  /** By subject, and by subject and queue group with a blank between (which neither holds). */
  private readonly counts = new WideMap<number>();

  /** What neighbours are to be told, or null. */
  add(wanted: Wanted): InterestChange | null {
    const key = interestKey(wanted.subject, wanted.queue);
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    return wanted.queue === null && count > 1 ? null : change(wanted, count);
  }

  remove(wanted: Wanted): InterestChange | null {
    const key = interestKey(wanted.subject, wanted.queue);
    const before = this.counts.get(key);
    assert(before !== undefined && before > 0, "interest that ends was counted");
    const count = before - 1;
    if (count === 0) this.counts.delete(key);
    else this.counts.set(key, count);
    return wanted.queue === null && count > 0 ? null : change(wanted, count);
  }

  /** 0: none. */
  countOf(subject: string, queue: string | null): number {
    return this.counts.get(interestKey(subject, queue)) ?? 0;
  }

  get size(): number {
    return this.counts.size;
  }

  *[Symbol.iterator](): Generator<InterestChange> {
    for (const [key, count] of this.counts) {
      const blank = key.indexOf(" ");
      if (blank < 0) yield { subject: key, queue: null, count };
      else yield { subject: key.slice(0, blank), queue: key.slice(blank + 1), count };
    }
  }
}

/** One text for a subject and its queue group: neither holds a blank. */
export function interestKey(subject: string, queue: string | null): string {
  return queue === null ? subject : `${subject} ${queue}`;
}

function change(wanted: Wanted, count: number): InterestChange {
  return { subject: wanted.subject, queue: wanted.queue, count };
}
