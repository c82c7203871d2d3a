/**
 * What an unquoted word means: boolean, integer with an optional size suffix, fraction, date, `$variable` or string.
 * The multipliers are those of nats-server (2.15 asked with -t): K is 1000, KB and Ki are 1024.
 */
import { ConfError, type Origin, type ScalarNode } from "./node.ts";

const BOOLEANS = new Map([
  ["true", true],
  ["yes", true],
  ["on", true],
  ["false", false],
  ["no", false],
  ["off", false],
]);

const INTEGER = /^(-?\d+)(?:([kmgtpe])(b|i|ib)?)?$/i;
const FRACTION = /^-?\d+\.\d+$/;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const BCRYPT = /^\$2[abxy]\$/;

const SUFFIX_POWER: Readonly<Record<string, bigint>> = { k: 1n, m: 2n, g: 3n, t: 4n, p: 5n, e: 6n };
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** The variable that a word refers to, or null. A bcrypt hash starts with `$` too, but is a plain string. */
export function variableName(word: string): string | null {
  return word.startsWith("$") && !BCRYPT.test(word) ? word.slice(1) : null;
}

export function scalarFromWord(word: string, at: Origin): ScalarNode {
  const bool = BOOLEANS.get(word.toLowerCase());
  if (bool !== undefined) return { kind: "bool", value: bool, at };
  const integer = INTEGER.exec(word);
  if (integer !== null) return integerNode(integer, at);
  if (FRACTION.test(word)) return { kind: "float", value: Number(word), at };
  if (DATE.test(word)) return dateNode(word, at);
  return { kind: "string", value: word, at };
}

function integerNode(match: RegExpExecArray, at: Origin): ScalarNode {
  const [, digits = "", suffix, binary] = match;
  // A number that long is out of range whatever its digits are; BigInt() of megabytes of digits would take seconds.
  if (digits.length > 40) throw new ConfError(at, "integer is out of range: it must fit in 64 bits");
  const base = binary === undefined ? 1000n : 1024n;
  const power = suffix === undefined ? 0n : (SUFFIX_POWER[suffix.toLowerCase()] ?? 0n);
  const value = BigInt(digits) * base ** power;
  if (value > INT64_MAX || value < INT64_MIN) {
    throw new ConfError(at, "integer is out of range: it must fit in 64 bits");
  }
  return { kind: "int", value, hasSuffix: suffix !== undefined, at };
}

function dateNode(word: string, at: Origin): ScalarNode {
  const date = new Date(word);
  // JavaScript rolls 30 February over to March; a date that exists survives the way back.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== word.replace("Z", ".000Z")) {
    throw new ConfError(at, "expected a date that exists, as in 2026-01-31T12:00:00Z");
  }
  return { kind: "date", value: word, at };
}
