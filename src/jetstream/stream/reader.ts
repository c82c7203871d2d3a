/** What a stream tells and asks those who read it, its consumers; and which subjects their filters cover. */
import { subjectMatches } from "../../subject/subject.ts";

/** What a stream needs to know of those who read it. */
export interface Reader {
  /** Messages up to this sequence may be delivered. */
  committed(sequence: number): void;
  /** A message has come. */
  added(sequence: number, subject: string): void;
  /** A message is gone. */
  removed(sequence: number, subject: string): void;
  /** A message was purged: it needs no acknowledgement any more. */
  purgedOne(sequence: number, subject: string): void;
  /** Many messages are gone: recomputes the counts. */
  purged(): void;
  /** Looks for what can be delivered. */
  wake(): void;
  /** Whether it still has to deliver the message, or waits for its acknowledgement. */
  needs(sequence: number, subject: string): boolean;
  /** Whether it gets messages on the subject. */
  takes(subject: string): boolean;
}

/** Whether one of the patterns covers the subject; no patterns: they cover everything. */
export function isCovered(subject: string, filters: readonly string[]): boolean {
  return filters.length === 0 || filters.some((filter) => subjectMatches(filter, subject));
}
