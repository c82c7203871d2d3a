/**
 * Types of option values. A type turns a node of the tree into a value or throws ConfError with what was expected; it never
 * repeats the value itself, which may be a secret. Simple types are here; each type with a structure has a file of its own in this
 * folder.
 */
import { posix } from "node:path";
import type { Pieces } from "../../base/pieces.ts";
import { newBudget } from "../formats/nats-conf/limits.ts";
import { ConfError, describeKind, type ConfNode, type Origin } from "../formats/nats-conf/node.ts";
import { parseConfValue } from "../formats/nats-conf/parser.ts";
import { scalarFromWord } from "../formats/nats-conf/scalars.ts";
import { durationFromText, durationToText, TIMER_MAX_MS } from "../../base/duration.ts";

/** Collects what is odd but no error. nats-server's -t fails on these, a start does not. */
export interface Notes {
  warn(at: Origin, text: string): void;
}

export interface ValueType<V> {
  /** One or two words, for the documentation. */
  readonly name: string;
  /** `undefined` means: as if the option were not written. */
  fromNode(node: ConfNode, notes: Notes): V | undefined;
  /** The same in pieces, for values that may be long; absent: they are short. */
  readonly piecesFromNode?: (node: ConfNode, notes: Notes) => Pieces<V | undefined>;
  /** How the text of a flag or of an environment variable becomes a node. */
  nodeFromText(text: string, at: Origin): ConfNode;
  /** As an operator would write it. */
  show(value: V): string;
}

/** The text is one word of the NATS format: a number, a size, a boolean. */
export function wordNode(text: string, at: Origin): ConfNode {
  return scalarFromWord(text.trim(), at);
}

/** The text is a string as it stands. */
export function stringNode(text: string, at: Origin): ConfNode {
  return { kind: "string", value: text, at };
}

/** The text is a list of strings with commas between. */
export function listNode(text: string, at: Origin): ConfNode {
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")
    .map((item) => stringNode(item, at));
  return { kind: "array", items, size: items.length + 1, at };
}

/** The text is a value of the NATS format (or JSON), for what is neither of the above. */
export function formatNode(text: string, at: Origin): ConfNode {
  const context = {
    budget: newBudget(),
    environment: () => undefined,
    include: (): never => {
      throw new ConfError(at, "expected no include here");
    },
  };
  try {
    return parseConfValue({ name: "", text }, context);
  } catch (error) {
    if (!(error instanceof ConfError)) throw error;
    throw new ConfError(at, "expected one value in the NATS format or JSON, as in [{user: a, password: b}]");
  }
}

export function mismatch(node: ConfNode, expected: string): never {
  throw new ConfError(node.at, `expected ${expected}, got ${describeKind(node)}`);
}

export function stringOf(node: ConfNode, expected = "a string"): string {
  if (node.kind === "string") return node.value;
  const hint =
    node.kind === "int" || node.kind === "float" || node.kind === "bool" ? "; put it in quotes" : "";
  throw new ConfError(node.at, `expected ${expected}, got ${describeKind(node)}${hint}`);
}

/** A list of strings, or one string that stands for a list of one. */
export function stringsOf(node: ConfNode, expected = "a list of strings"): string[] {
  if (node.kind === "string") return [node.value];
  if (node.kind !== "array") mismatch(node, expected);
  return node.items.map((item) => stringOf(item));
}

/** An integer from min to max. Without a bound above, what a number cannot hold is cut to what it can. */
export function integerOf(node: ConfNode, min: number, max: number, expected: string): number {
  if (node.kind !== "int") mismatch(node, expected);
  if (max === Number.MAX_SAFE_INTEGER && node.value > BigInt(max)) return max;
  if (node.value < BigInt(min) || node.value > BigInt(max)) {
    throw new ConfError(node.at, `expected ${expected}, got ${node.value}`);
  }
  return Number(node.value);
}

export function booleanOf(node: ConfNode): boolean {
  if (node.kind !== "bool") mismatch(node, "true or false");
  return node.value;
}

/** A whole number, with or without a percent sign. null: it is none. */
export function percentOf(node: ConfNode): number | null {
  const text =
    node.kind === "string" ? node.value.replace(/%$/, "") : node.kind === "int" ? String(node.value) : "";
  return /^[-+]?\d+$/.test(text) ? Number(text) : null;
}

export const bool: ValueType<boolean> = {
  name: "boolean",
  fromNode: booleanOf,
  // Flags also know the one-letter forms of Go.
  nodeFromText: (text, at) => wordNode(GO_BOOLEANS[text.trim().toLowerCase()] ?? text, at),
  show: String,
};

const GO_BOOLEANS: Readonly<Record<string, string>> = { "1": "true", t: "true", "0": "false", f: "false" };

export const text: ValueType<string> = {
  name: "string",
  fromNode: (node) => stringOf(node),
  nodeFromText: stringNode,
  show: (value) => value,
};

/** A name that travels in the protocol: no spaces, as nats-server demands. */
export const spacelessName: ValueType<string> = {
  ...text,
  fromNode(node) {
    const name = stringOf(node);
    if (name === "") return undefined;
    if (/\s/.test(name)) throw new ConfError(node.at, "a name cannot contain spaces");
    return name;
  },
};

/** A name that servers of a cluster share. "_" stands for no cluster in the protocol of routes. */
export const clusterName: ValueType<string> = {
  ...spacelessName,
  fromNode(node, context) {
    const name = spacelessName.fromNode(node, context);
    if (name === "_") throw new ConfError(node.at, "cluster name is reserved");
    return name;
  },
};

/** What Prometheus allows in a name; without a colon, which is for rules. */
export const metricPrefix: ValueType<string> = {
  ...text,
  fromNode(node) {
    const prefix = stringOf(node);
    if (prefix === "") return undefined;
    if (!/^[a-zA-Z_]\w{0,63}$/.test(prefix)) {
      throw new ConfError(
        node.at,
        "expected letters, digits and underscores, at most 64, the first no digit",
      );
    }
    return prefix;
  },
};

/** A path below which a port serves; absolute and without dots. */
export const basePath: ValueType<string> = {
  ...text,
  name: "path",
  fromNode(node) {
    const written = stringOf(node, "a path");
    return written === "" ? undefined : posix.resolve("/", written);
  },
};

/** The name or address of a host. */
export const hostName: ValueType<string> = {
  ...text,
  name: "host",
  fromNode: (node) => stringOf(node) || undefined,
};

/** A path; "" is as if not written. */
export const path: ValueType<string> = {
  ...text,
  name: "path",
  fromNode: (node) => stringOf(node, "a path") || undefined,
};

export const strings: ValueType<readonly string[]> = {
  name: "list of strings",
  fromNode: (node) => stringsOf(node),
  nodeFromText: listNode,
  show: (value) => value.join(", "),
};

/** Keys with strings. */
export const metadata: ValueType<Readonly<Record<string, string>>> = {
  name: "block of strings",
  fromNode(node) {
    if (node.kind !== "map") mismatch(node, "a block of keys with strings");
    return Object.fromEntries(
      [...node.entries.values()].map(({ key, node: value }) => [key, stringOf(value)]),
    );
  },
  nodeFromText: formatNode,
  show: (value) => JSON.stringify(value),
};

/** One of some words. */
export function oneOf<const W extends string>(...words: readonly W[]): ValueType<W> {
  const expected = `one of ${words.join(", ")}`;
  return {
    name: words.join(" \\| "),
    fromNode(node) {
      const word = stringOf(node, expected);
      return words.find((known) => known === word) ?? mismatchWord(node, expected);
    },
    nodeFromText: stringNode,
    show: (value) => value,
  };
}

function mismatchWord(node: ConfNode, expected: string): never {
  throw new ConfError(node.at, `expected ${expected}, got another word`);
}

export interface Range {
  readonly min: number;
  readonly max: number;
  /** What 0 means: the default (nats-server fills it in) or the number itself. */
  readonly zero: "default" | "itself";
}

export function integer({ min, max, zero }: Range): ValueType<number> {
  const expected = `a whole number from ${min} to ${max}`;
  return {
    name: "integer",
    fromNode: (node) => zeroMeans(zero, integerOf(node, least(min, zero), max, expected)),
    nodeFromText: wordNode,
    show: String,
  };
}

/** A number of bytes, plainly or with a suffix. */
export function size({ min, max, zero }: Range): ValueType<number> {
  const expected = `a size from ${showSize(min)} to ${showSize(max)}, such as 64KB or 1MB`;
  return {
    name: "size",
    fromNode: (node) => zeroMeans(zero, integerOf(node, least(min, zero), max, expected)),
    nodeFromText: wordNode,
    show: showSize,
  };
}

/** Below 0, some options of nats-server mean the same as by 0. */
const NEGATIVE_MIN = -(2 ** 31);

/** A whole number where what is below 0 means 0. */
export const count: ValueType<number> = {
  name: "integer",
  fromNode: (node) => Math.max(0, integerOf(node, NEGATIVE_MIN, Number.MAX_SAFE_INTEGER, "a whole number")),
  nodeFromText: wordNode,
  show: String,
};

/** A limit in whole numbers where 0 and less mean "no limit" (null). */
export function limit(name: "integer" | "size"): ValueType<number | null> {
  return {
    name,
    fromNode(node) {
      const value = integerOf(node, NEGATIVE_MIN, Number.MAX_SAFE_INTEGER, "a whole number, 0 for no limit");
      return value <= 0 ? null : value;
    },
    nodeFromText: wordNode,
    show: (value) => (value === null ? "no limit" : name === "size" ? showSize(value) : String(value)),
  };
}

export interface DurationRange {
  readonly minMs: number;
  readonly zero: "default" | "itself";
  /** What a bare number means: nats-server reads some options as seconds and refuses numbers for others. */
  readonly bareNumber: "seconds" | "seconds, with a warning" | "refused";
  /** Longer ones are hardly meant, and a check refuses them. */
  readonly highMs?: number;
}

/** A time such as "2s" or "1m30s". Longer ones than a timer can run are cut to that (24 days). */
export function duration(range: DurationRange): ValueType<number> {
  return {
    name: "duration",
    fromNode(node, notes) {
      const ms = Math.min(durationOf(node, range, notes), TIMER_MAX_MS);
      if (range.highMs !== undefined && ms > range.highMs) {
        const high = durationToText(range.highMs);
        notes.warn(
          node.at,
          `the time is high, consider keeping it under ${high}; write "1m" in quotes, not 1m`,
        );
      }
      if (ms < Math.min(range.minMs, 0) || (ms !== 0 && ms < range.minMs)) {
        throw new ConfError(node.at, `expected a duration of ${durationToText(range.minMs)} or more`);
      }
      return zeroMeans(range.zero, ms);
    },
    nodeFromText: (value, at) =>
      /^\d+(\.\d+)?$/.test(value.trim()) ? wordNode(value, at) : stringNode(value.trim(), at),
    show: durationToText,
  };
}

function durationOf(node: ConfNode, range: DurationRange, notes: Notes): number {
  const expected = 'a duration such as "2s" or "1m30s"';
  if (node.kind === "string") {
    return durationFromText(node.value) ?? mismatchWord(node, expected.replace(" or", ", with a unit, or"));
  }
  const isNumber = node.kind === "int" || node.kind === "float";
  if (!isNumber || range.bareNumber === "refused") mismatch(node, expected);
  if (node.kind === "int" && node.hasSuffix) {
    throw new ConfError(
      node.at,
      'expected a duration, got a number with a size suffix; write "5m" in quotes',
    );
  }
  if (range.bareNumber === "seconds, with a warning") {
    if (node.kind === "float") mismatch(node, expected);
    notes.warn(node.at, 'a number of seconds should be converted to a duration such as "5s"');
  }
  return Number(node.value) * 1000;
}

/** 0 is taken where it means the default. */
function least(min: number, zero: Range["zero"]): number {
  return zero === "default" ? Math.min(min, 0) : min;
}

function zeroMeans(zero: "default" | "itself", value: number): number | undefined {
  return value === 0 && zero === "default" ? undefined : value;
}

const SIZE_UNITS = [
  ["GB", 1024 ** 3],
  ["MB", 1024 ** 2],
  ["KB", 1024],
] as const;

function showSize(bytes: number): string {
  for (const [unit, factor] of SIZE_UNITS) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}
