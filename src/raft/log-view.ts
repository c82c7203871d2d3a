/**
 * The log as a node knows it without reading it: where it starts and ends, and the term of each index, as runs of equal terms. The
 * driver of the node keeps the entries.
 */
import { assert } from "../base/assert.ts";

interface Run {
  readonly firstIndex: number;
  readonly term: number;
}

export class LogView {
  /** Index and term of the snapshot that the log follows; both are 0 if there is none. */
  startIndex: number;
  startTerm: number;
  private last: number;
  private runs: Run[] = [];

  constructor(startIndex: number, startTerm: number) {
    this.startIndex = startIndex;
    this.startTerm = startTerm;
    this.last = startIndex;
  }

  get lastIndex(): number {
    return this.last;
  }

  get lastTerm(): number {
    return this.runs.at(-1)?.term ?? this.startTerm;
  }

  get isEmpty(): boolean {
    return this.last === 0;
  }

  /** Undefined before the snapshot's index, and behind the last. */
  termAt(index: number): number | undefined {
    if (index === this.startIndex) return this.startTerm;
    if (index < this.startIndex || index > this.last) return undefined;
    return this.runs.findLast(({ firstIndex }) => firstIndex <= index)!.term;
  }

  append(term: number): void {
    assert(term >= this.lastTerm, `terms of a log do not fall: ${term} after ${this.lastTerm}`);
    this.last++;
    if (this.runs.length === 0 || term > this.lastTerm) this.runs.push({ firstIndex: this.last, term });
  }

  cutAfter(index: number): void {
    assert(index >= this.startIndex && index <= this.last, `a log is cut within: ${index}`);
    this.last = index;
    this.runs = this.runs.filter(({ firstIndex }) => firstIndex <= index);
  }

  /** A snapshot has taken the place of all entries up to its index. */
  compact(index: number): void {
    const term = this.termAt(index);
    assert(term !== undefined, `a snapshot is of what the log holds: ${index}`);
    const later = this.runs.filter(({ firstIndex }) => firstIndex > index + 1);
    const next = this.termAt(index + 1);
    this.runs = next === undefined ? [] : [{ firstIndex: index + 1, term: next }, ...later];
    this.startIndex = index;
    this.startTerm = term;
  }

  /** A snapshot from another server takes the place of the whole log. */
  replace(index: number, term: number): void {
    this.startIndex = index;
    this.startTerm = term;
    this.last = index;
    this.runs = [];
  }
}
