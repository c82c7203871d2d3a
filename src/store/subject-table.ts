/**
 * The subjects of a stream's messages: how many each has, its first and its last. A subject has a number while it has messages.
 */
import { assert } from "../base/assert.ts";
import { subjectMatches } from "../subject/subject.ts";

/** Lists of patterns whose subjects are remembered. */
const PATTERNS_MAX = 64;

export class SubjectTable {
  private readonly numbers = new Map<string, number>();
  private readonly names: string[] = [""];
  private readonly free: number[] = [];
  private firsts: number[] = [0];
  private lasts: number[] = [0];
  private counts: number[] = [0];
  /** Counts subjects that came and went: what was worked out for patterns holds for one of these. */
  private version = 0;
  private readonly known = new Map<string, { version: number; matches: Uint8Array }>();

  get size(): number {
    return this.numbers.size;
  }

  /** 0: it has no messages. */
  numberOf(subject: string): number {
    return this.numbers.get(subject) ?? 0;
  }

  nameOf(number: number): string {
    return this.names[number] ?? "";
  }

  firstOf(number: number): number {
    return this.firsts[number] ?? 0;
  }

  lastOf(number: number): number {
    return this.lasts[number] ?? 0;
  }

  countOf(number: number): number {
    return this.counts[number] ?? 0;
  }

  /** A message comes behind all others. Returns the subject's number. */
  add(subject: string, sequence: number): number {
    let number = this.numbers.get(subject);
    if (number === undefined) {
      number = this.free.pop() ?? this.names.length;
      this.numbers.set(subject, number);
      this.names[number] = subject;
      this.firsts[number] = sequence;
      this.counts[number] = 0;
      this.version++;
    }
    this.lasts[number] = sequence;
    this.counts[number]!++;
    return number;
  }

  /** One message of it has gone, not the last one that there was. */
  remove(number: number): void {
    assert(this.countOf(number) > 1, "the last message of a subject goes by drop");
    this.counts[number]!--;
  }

  setFirst(number: number, sequence: number): void {
    this.firsts[number] = sequence;
  }

  setLast(number: number, sequence: number): void {
    this.lasts[number] = sequence;
  }

  /** The subject has no messages any more. */
  drop(number: number): void {
    this.numbers.delete(this.nameOf(number));
    this.names[number] = "";
    this.counts[number] = 0;
    this.free.push(number);
    this.version++;
  }

  clear(): void {
    this.numbers.clear();
    this.names.length = this.firsts.length = this.lasts.length = this.counts.length = 1;
    this.free.length = 0;
    this.version++;
  }

  /** Numbers of the subjects that the pattern covers. */
  *matching(pattern: string): Generator<number> {
    if (!pattern.includes("*") && !pattern.includes(">")) {
      const number = this.numberOf(pattern);
      if (number !== 0) yield number;
      return;
    }
    const all = pattern === ">";
    for (const [subject, number] of this.numbers) if (all || subjectMatches(pattern, subject)) yield number;
  }

  /** By the number of a subject: 1 where one of the patterns covers it. Holds until subjects come or go. */
  matches(patterns: readonly string[]): Uint8Array {
    const key = patterns.join(" ");
    const known = this.known.get(key);
    if (known?.version === this.version) return known.matches;
    const matches = new Uint8Array(this.names.length);
    for (const pattern of patterns) for (const number of this.matching(pattern)) matches[number] = 1;
    if (this.known.size >= PATTERNS_MAX) this.known.clear();
    this.known.set(key, { version: this.version, matches });
    return matches;
  }
}
