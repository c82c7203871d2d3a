/**
 * Finds control lines in the slab: which operation begins here, where its line ends, what its arguments are. This is
 * the unhurried way, for everything that is not a message in its usual spelling; it knows nothing of what operations mean.
 *
 * Callers put a line feed at `end`, so that scans stop there.
 */
import { bytes, readText, words } from "../slab/memory.ts";

const BLANK = 0x20;
const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;

/** What must follow the name of an operation: a blank, anything, or nothing that matters up to the end of the line. */
export type After = "blank" | "arguments" | "ignored";

export interface OperationName {
  readonly after: After;
  /** Upper case; operations are read without regard to case. */
  readonly codes: readonly number[];
}

/**
 * The operation whose name stands at `at`; "partial" when the bytes up to `end` may yet become one; "unknown" as soon
 * as they cannot.
 */
export function recognise<Name extends OperationName>(
  operations: readonly Name[],
  at: number,
  end: number,
): Name | "partial" | "unknown" {
  let isPartial = false;
  for (const candidate of operations) {
    const { codes } = candidate;
    let i = 0;
    while (i < codes.length && at + i < end && upperCase(bytes[at + i]!) === codes[i]) i++;
    if (at + i === end) isPartial = true;
    if (i < codes.length || at + i === end) continue;
    if (candidate.after === "blank" && !isBlank(bytes[at + i]!)) continue;
    return candidate;
  }
  return isPartial ? "partial" : "unknown";
}

function upperCase(code: number): number {
  return code >= 0x61 && code <= 0x7a ? code - 0x20 : code;
}

export function isBlank(code: number): boolean {
  return code === BLANK || code === TAB;
}

/** Offset of the line feed at or behind `at`; `end` when there is none before it. */
export function findLineFeed(at: number, end: number): number {
  let i = at;
  while (bytes[i] !== LF) i++;
  return i < end ? i : end;
}

export function skipBlanks(at: number): number {
  let i = at;
  while (isBlank(bytes[i]!)) i++;
  return i;
}

/** The arguments as one byte string, without the carriage return before the line feed at `lineFeed`. */
export function argumentText(at: number, lineFeed: number): string {
  const end = lineFeed > at && bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
  return readText(at, end - at);
}

/** Arguments between blanks and tabs. */
export function splitArguments(line: string): string[] {
  const found: string[] = [];
  let start = -1;
  for (let i = 0; i <= line.length; i++) {
    const blank = i === line.length || isBlank(line.charCodeAt(i));
    if (!blank && start < 0) start = i;
    if (blank && start >= 0) {
      found.push(line.slice(start, i));
      start = -1;
    }
  }
  return found;
}

/** One to nine digits, as nats-server reads sizes; -1 for anything else. */
export function parseSize(digits: string): number {
  if (digits.length === 0 || digits.length > 9) return -1;
  for (let i = 0; i < digits.length; i++) {
    const code = digits.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return -1;
  }
  return Number(digits);
}

/** One to nine digits in [from, to); -1 for anything else. */
export function sizeAt(from: number, to: number): number {
  if (to === from || to - from > 9) return -1;
  let size = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    size = size * 10 + digit;
  }
  return size;
}

/** Compares heads by words of four bytes; the last one overlaps. Heads are longer than four bytes. */
export function sameHead(a: number, b: number, length: number): boolean {
  const last = length - 4;
  for (let i = 4; i < last; i += 4) {
    if (words.getInt32(a + i, true) !== words.getInt32(b + i, true)) return false;
  }
  return (
    words.getInt32(a + last, true) === words.getInt32(b + last, true) &&
    words.getInt32(a, true) === words.getInt32(b, true)
  );
}
