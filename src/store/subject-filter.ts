/** Which subjects of a stream some patterns cover. Each subject is compared once, when it is met, and remembered by its number. */
import { subjectMatches } from "../subject/subject.ts";

/** The table of subjects, as far as a filter needs it. */
interface NumberedSubjects {
  /** Numbers are below it. */
  readonly numbersEnd: number;
  nameOf(number: number): string;
  countOf(number: number): number;
}

const COVERED = 1;
const NOT_COVERED = 2;

export class SubjectFilter {
  /** The only subject that it covers; "": there is no such, or there are several. */
  readonly only: string;
  private readonly patterns: readonly string[];
  private readonly subjects: NumberedSubjects;
  /** By number; 0: not compared yet. */
  private known = new Uint8Array(0);

  constructor(patterns: readonly string[], subjects: NumberedSubjects) {
    this.patterns = patterns;
    this.subjects = subjects;
    const [first] = patterns;
    this.only = patterns.length === 1 && !/[*>]/.test(first!) ? first! : "";
  }

  /** Whether it covers the subject of this number; false: there is no such subject. */
  covers(number: number): boolean {
    if (number >= this.known.length) this.grow(number);
    const known = this.known[number]!;
    if (known !== 0) return known === COVERED && this.subjects.countOf(number) > 0;
    const covers = this.coversName(this.subjects.nameOf(number));
    this.known[number] = covers ? COVERED : NOT_COVERED;
    return covers && this.subjects.countOf(number) > 0;
  }

  coversName(subject: string): boolean {
    return this.patterns.some(
      (pattern) => pattern === ">" || pattern === subject || subjectMatches(pattern, subject),
    );
  }

  /** The number is another subject's from here on. */
  forget(number: number): void {
    if (number < this.known.length) this.known[number] = 0;
  }

  private grow(number: number): void {
    const larger = new Uint8Array(Math.max(64, 2 * number, this.subjects.numbersEnd));
    larger.set(this.known);
    this.known = larger;
  }
}
