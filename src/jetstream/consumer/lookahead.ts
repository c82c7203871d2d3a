/**
 * What lies ahead of a consumer: which message comes next, and how many there are. Counted as messages come and go, since the count is
 * told with every delivery.
 *
 * Where there is much to count it is counted in steps, and nothing lies ahead until that is done.
 *
 * With `last_per_subject` the last messages of the subjects that there were at the beginning come first.
 */
import type { StreamStore } from "../../store/stream-store.ts";
import type { LongWork } from "../stream/long-work.ts";
import { isCovered } from "../stream/reader.ts";
import { filtersOf, type ConsumerConfig } from "./config.ts";
import type { ConsumerState } from "./state.ts";

/** Messages that a step of counting looks at. */
const LOOKED_AT_PER_STEP = 4000;

interface CountedStream {
  readonly store: StreamStore;
  readonly longWork: LongWork;
}

interface Counting {
  from: number;
  readonly to: number;
  /** "lasts": the last messages of their subjects alone. */
  readonly what: "all" | "lasts";
}

export class Lookahead {
  /** Messages that are to be delivered for the first time; while it is counted, those that were found so far. */
  count = 0;
  private filters: readonly string[];
  private readonly longWork: LongWork;
  private readonly onCounted: () => void;
  private readonly store: StreamStore;
  private readonly state: ConsumerState;
  /** Ascending from `lastsFrom` on; empty but for `last_per_subject`. */
  private lasts: number[] = [];
  private lastsFrom = 0;
  /** Up to here only what is in `lasts` is delivered. */
  private lastsTo = 0;
  /** The count that is under way. null: there is none. */
  private counting: Counting | null = null;
  private waiting: (() => void)[] = [];

  /** `onCounted`: all has been counted, so that there may be something to deliver. */
  constructor(stream: CountedStream, state: ConsumerState, config: ConsumerConfig, onCounted: () => void) {
    this.longWork = stream.longWork;
    this.store = stream.store;
    this.state = state;
    this.filters = filtersOf(config);
    this.onCounted = onCounted;
  }

  setFilters(filters: readonly string[]): void {
    this.filters = filters;
    this.recount();
  }

  /** These come first, and what lies behind the last of them afterwards. */
  beginWith(lasts: readonly number[]): void {
    this.lasts = [...lasts];
    this.lastsFrom = 0;
    this.lastsTo = lasts.at(-1) ?? 0;
    this.recount();
  }

  /** The same with the last messages of all subjects that are covered, from a sequence on. */
  beginWithLasts(from: number): void {
    this.forgetLasts();
    this.count = 0;
    this.lastsTo = this.store.last;
    this.begin({ from, to: this.store.last, what: "lasts" });
  }

  covers(subject: string): boolean {
    return isCovered(subject, this.filters);
  }

  /** Whether the message has not been delivered yet. */
  isAhead(sequence: number): boolean {
    if (sequence > this.lastsTo) return sequence > this.state.delivered.stream;
    const { counting } = this;
    return this.isLast(sequence) || (counting !== null && sequence >= counting.from);
  }

  added(sequence: number, subject: string): void {
    if (sequence > this.state.delivered.stream && this.covers(subject)) this.count++;
  }

  removed(sequence: number, subject: string): void {
    const { counting } = this;
    if (counting !== null && sequence >= counting.from && sequence <= counting.to) return; // it is not counted yet
    if (this.covers(subject)) this.count = Math.max(0, this.count - 1);
  }

  delivered(sequence: number): void {
    this.count = Math.max(0, this.count - 1);
    if (this.lasts[this.lastsFrom] !== sequence) return;
    this.lastsFrom++;
    if (this.lastsFrom === this.lasts.length) this.forgetLasts();
  }

  /** The next message, up to `to`; 0: there is none; below 0: none up to that sequence (without its sign), and more is to be looked at. */
  next(to: number): number {
    if (this.counting !== null) return 0;
    for (; this.lastsFrom < this.lasts.length; this.lastsFrom++) {
      const first = this.lasts[this.lastsFrom]!;
      if (this.store.has(first)) return first <= to ? first : 0;
    }
    if (this.lasts.length > 0) this.forgetLasts();
    const from = Math.max(this.state.delivered.stream, this.lastsTo) + 1;
    const found = this.store.nextWithin(from, this.patterns, to, LOOKED_AT_PER_STEP);
    return found < 0 ? found + 1 : found;
  }

  /** Nothing up to `to` is for this consumer. */
  isPast(to: number): boolean {
    return this.counting === null && this.lasts.length === 0 && this.state.delivered.stream < to;
  }

  /** Counts what is there. */
  recount(): void {
    this.lasts = this.lasts.slice(this.lastsFrom).filter((sequence) => this.store.has(sequence));
    this.lastsFrom = 0;
    const from = Math.max(this.state.delivered.stream, this.lastsTo) + 1;
    if (this.counting?.what === "lasts") {
      this.beginWithLasts(this.state.delivered.stream + 1);
      return;
    }
    this.counting = null;
    if (this.store.isCountedAtOnce(from, this.patterns)) {
      this.count = this.lasts.length + this.store.countFrom(from, this.patterns);
      this.tellWaiting();
      return;
    }
    this.count = this.lasts.length;
    this.begin({ from, to: this.store.last, what: "all" });
  }

  private begin(counting: Counting): void {
    this.counting = counting;
    this.longWork.begin(() => this.countOn(counting));
  }

  /** Calls back when `count` is all that there is: at once where it is. */
  whenCounted(call: () => void): void {
    if (this.counting === null) call();
    else this.waiting.push(call);
  }

  private countOn(counting: Counting): "done" | "more" {
    if (counting !== this.counting) return "done"; // it was begun again
    const { store, lasts } = this;
    const next = store.visitSome(counting, this.patterns, LOOKED_AT_PER_STEP, (sequence, number) => {
      if (counting.what === "lasts") {
        if (!store.isLastOf(number, sequence)) return;
        lasts.push(sequence);
      }
      this.count++;
    });
    if (next > 0) {
      counting.from = next;
      return "more";
    }
    this.counting = null;
    this.tellWaiting();
    this.onCounted();
    return "done";
  }

  private tellWaiting(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const call of waiting) call();
  }

  private isLast(sequence: number): boolean {
    const { lasts } = this;
    let low = this.lastsFrom;
    let high = lasts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lasts[middle]! < sequence) low = middle + 1;
      else high = middle;
    }
    return lasts[low] === sequence;
  }

  private forgetLasts(): void {
    this.lasts = [];
    this.lastsFrom = 0;
  }

  private get patterns(): readonly string[] | null {
    return this.filters.length === 0 ? null : this.filters;
  }
}
