/**
 * What lies ahead of a consumer: which message comes next, and how many there are. Counted as messages come and go, since the count is
 * told with every delivery.
 *
 * With `last_per_subject` the last messages of the subjects that there were at the beginning come first.
 */
import type { StreamStore } from "../../store/stream-store.ts";
import { isCovered } from "../stream/reader.ts";
import type { ConsumerState } from "./state.ts";

export class Lookahead {
  /** Messages that are to be delivered for the first time. */
  count = 0;
  private filters: readonly string[];
  private readonly store: StreamStore;
  private readonly state: ConsumerState;
  /** Ascending; empty but for `last_per_subject`. */
  private lasts: readonly number[] = [];

  constructor(store: StreamStore, state: ConsumerState, filters: readonly string[]) {
    this.store = store;
    this.state = state;
    this.filters = filters;
  }

  setFilters(filters: readonly string[]): void {
    this.filters = filters;
    this.recount();
  }

  /** These come first, and what lies behind the last of them afterwards. */
  beginWith(lasts: readonly number[]): void {
    this.lasts = lasts;
    this.recount();
  }

  covers(subject: string): boolean {
    return isCovered(subject, this.filters);
  }

  /** Whether the message has not been delivered yet. */
  isAhead(sequence: number): boolean {
    return sequence > this.state.delivered.stream || this.lasts.includes(sequence);
  }

  added(sequence: number, subject: string): void {
    if (sequence > this.state.delivered.stream && this.covers(subject)) this.count++;
  }

  removed(subject: string): void {
    if (this.covers(subject)) this.count = Math.max(0, this.count - 1);
  }

  delivered(sequence: number): void {
    this.count = Math.max(0, this.count - 1);
    if (this.lasts[0] === sequence) this.lasts = this.lasts.slice(1);
  }

  /** The next message, up to `to`; 0: there is none. */
  next(to: number): number {
    const first = this.lasts[0];
    if (first !== undefined) return first <= to ? first : 0;
    return this.store.next(this.state.delivered.stream + 1, this.patterns, to);
  }

  /** Nothing up to `to` is for this consumer. */
  isPast(to: number): boolean {
    return this.lasts.length === 0 && this.state.delivered.stream < to;
  }

  /** Counts what is there. */
  recount(): void {
    this.lasts = this.lasts.filter((sequence) => this.store.has(sequence));
    const from = Math.max(this.state.delivered.stream, this.lasts.at(-1) ?? 0) + 1;
    this.count = this.lasts.length + this.store.countFrom(from, this.patterns);
  }

  private get patterns(): readonly string[] | null {
    return this.filters.length === 0 ? null : this.filters;
  }
}
