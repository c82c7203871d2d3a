/**
 * A transform makes another subject of a subject: `orders.*.*` to `by.$2.{{partition(8,1)}}`. Pure: chance is handed in.
 * Results, partition numbers and errors are those of nats-server 2.15; test/unit/subject/transform-table.json holds what that
 * one answers. Subjects are byte strings. Which mapping applies to a message is in mapping.ts.
 *
 * Nothing is thrown for a message. The result may hold an empty token (a split of `--` at `-` leaves nothing): such a subject
 * reaches nobody.
 */
import type { Random } from "../base/random.ts";
import { randomInt } from "../base/random.ts";
import { MappingError, PROBLEMS } from "./mapping-error.ts";
import {
  expectKnownFunction,
  isInBraces,
  readMappingFunction,
  type MappingFunction,
} from "./mapping-function.ts";
import { isValidLiteralSubject, isValidSubject } from "./subject.ts";

/** Which transforms are allowed: those between accounts have to work in both directions. */
type Purpose = "mapping" | "import";

export class Transform {
  readonly source: string;
  readonly destination: string;
  /** Whether the result differs from message to message. */
  readonly isRandom: boolean;
  private readonly sourceTokens: readonly string[];
  private readonly functions: readonly MappingFunction[];
  /** Where the wildcards of the source stand: the first at [1]. */
  private readonly positions: readonly number[];

  constructor(source: string, destination: string, functions: readonly MappingFunction[]) {
    this.source = source;
    this.destination = destination;
    this.functions = functions;
    this.sourceTokens = source.split(".");
    this.positions = [0, ...this.sourceTokens.flatMap((token, i) => (token === "*" ? [i] : []))];
    this.isRandom = functions.some(({ kind }) => kind === "random");
  }

  /** The subject that a literal subject becomes; null where the source does not cover it. */
  match(subject: string, random: Random): string | null {
    if (!isValidLiteralSubject(subject)) return null;
    const tokens = subject.split(".");
    return covers(this.sourceTokens, tokens) ? this.apply(tokens, random) : null;
  }

  /** The same for the tokens of a subject that the source covers. */
  apply(tokens: readonly string[], random: Random): string {
    const parts: string[] = [];
    for (const each of this.functions) {
      if (each.kind !== "literal" || each.text !== ">") parts.push(this.evaluate(each, tokens, random));
      else for (let i = this.sourceTokens.length - 1; i < tokens.length; i++) parts.push(tokens[i]!);
    }
    return parts.join(".");
  }

  /** From destinations to sources; null where the transform is not reversible. */
  reversed(): Transform | null {
    const wildcards: number[] = [];
    const source = this.functions.map((each) => {
      if (each.kind === "literal") return each.text;
      if (each.kind === "wildcard") wildcards.push(each.wildcard);
      return "*";
    });
    if (this.functions.some(({ kind }) => kind !== "literal" && kind !== "wildcard")) return null;
    let seen = 0;
    const destination = this.sourceTokens.map((token) =>
      token === "*" ? `$${wildcards.indexOf(++seen) + 1}` : token,
    );
    if (wildcards.length !== seen || destination.includes("$0")) return null;
    return importTransform(source.join("."), destination.join("."));
  }

  private evaluate(each: MappingFunction, tokens: readonly string[], random: Random): string {
    switch (each.kind) {
      case "literal":
        return each.text;
      case "wildcard":
        return this.tokenOf(each.wildcard, tokens);
      case "partition":
        return String(partition(this.keyOf(each.wildcards, tokens), each.count));
      case "random":
        return String(each.count === 0 ? 0 : randomInt(random, Math.abs(each.count)));
      case "split":
        return split(this.tokenOf(each.wildcard, tokens), each.delimiter);
      default:
        return cut(each.kind, this.tokenOf(each.wildcard, tokens), each.size);
    }
  }

  /** Numbers below 1 mean the first token of the subject. */
  private tokenOf(wildcard: number, tokens: readonly string[]): string {
    return tokens[this.positions[Math.max(wildcard, 0)]!]!;
  }

  private keyOf(wildcards: readonly number[], tokens: readonly string[]): string {
    if (wildcards.length === 0) return tokens.join(".");
    return wildcards.map((wildcard) => this.tokenOf(wildcard, tokens)).join("");
  }
}

/** A transform for a mapping. An empty source stands for `>`. Throws MappingError. */
export function mappingTransform(source: string, destination: string): Transform {
  checkDestination(destination);
  return build(source === "" ? ">" : source, destination, "mapping");
}

/** A transform for an import, which can be reversed: wildcards only, and all of them. Throws MappingError. */
export function importTransform(source: string, destination: string): Transform {
  return build(source === "" ? ">" : source, destination, "import");
}

/**
 * Whether the source covers the subject, as nats-server finds for mappings: a lone `*` of the subject is covered by `*` alone,
 * and a lone `>` or nothing only by `>`. A token that only begins with `*` is literal since nats-server 2.15.3.
 */
export function covers(source: readonly string[], tokens: readonly string[]): boolean {
  for (let i = 0; i < source.length; i++) {
    const pattern = source[i]!;
    const token = tokens[i];
    if (token === undefined) return false;
    if (pattern === ">") return true;
    if (token === "" || token === ">") return false;
    if (pattern !== "*" && pattern !== token) return false;
  }
  return source.length === tokens.length;
}

/** The destination that changes nothing: `a.*.*` becomes `a.$1.$2`. */
export function sameDestination(source: string): string {
  let wildcards = 0;
  return source
    .split(".")
    .map((token) => (token === "*" ? `$${++wildcards}` : token))
    .join(".");
}

function build(source: string, destination: string, purpose: Purpose): Transform {
  const from = shapeOf(source);
  const to = shapeOf(destination);
  if (from === null || to === null || to.wildcards > 0 || from.endsOpen !== to.endsOpen) {
    throw new MappingError(PROBLEMS.badSubject);
  }
  const isLiteral = from.wildcards === 0 && !from.endsOpen;
  const functions = destination
    .split(".")
    .map((token) => (isLiteral ? readForLiteral(token) : readForPattern(token, from.wildcards, purpose)));
  const used = functions.reduce((count, each) => count + wildcardsOf(each).length, 0);
  if (purpose === "import" && used < from.wildcards) {
    throw new MappingError(PROBLEMS.unusedWildcards, destination);
  }
  return new Transform(source, destination, functions);
}

/** Without wildcards in the source there is nothing that a function could refer to. */
function readForLiteral(token: string): MappingFunction {
  const read = readMappingFunction(token);
  if (read.kind === "partition") return { ...read, wildcards: [] };
  if (read.kind === "literal" || read.kind === "random") return read;
  throw new MappingError(PROBLEMS.outOfRange, token);
}

function readForPattern(token: string, wildcards: number, purpose: Purpose): MappingFunction {
  const read = readMappingFunction(token);
  if (purpose === "import" && read.kind !== "literal" && read.kind !== "wildcard") {
    throw new MappingError(PROBLEMS.notReversible, token);
  }
  const beyond = wildcardsOf(read).find((wildcard) => wildcard > wildcards);
  if (beyond !== undefined) throw new MappingError(PROBLEMS.outOfRange, `${token}: [${beyond}]`);
  return read;
}

function wildcardsOf(each: MappingFunction): readonly number[] {
  if (each.kind === "literal" || each.kind === "random") return [];
  return each.kind === "partition" ? each.wildcards : [each.wildcard];
}

/** A token in braces has to be a function; others must not hold blanks. */
function checkDestination(destination: string): void {
  if (destination === "") throw new MappingError(PROBLEMS.badDestination);
  let isOpen = false;
  for (const token of destination.split(".")) {
    if (token === "" || isOpen) throw new MappingError(PROBLEMS.badDestination, token);
    if (isInBraces(token)) expectKnownFunction(token);
    else if (/[\t\n\f\r ]/.test(token)) throw new MappingError(PROBLEMS.badDestination);
    isOpen = token === ">";
  }
}

interface Shape {
  readonly wildcards: number;
  /** Ends with `>`. */
  readonly endsOpen: boolean;
}

function shapeOf(subject: string): Shape | null {
  if (!isValidSubject(subject)) return null;
  const tokens = subject.split(".");
  return { wildcards: tokens.filter((token) => token === "*").length, endsOpen: tokens.at(-1) === ">" };
}

/** FNV-1a, 32 bits, over the bytes of the key: the same number on every server. */
function partition(key: string, count: number): number {
  if (count === 0) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % (count >>> 0);
}

type SizedKind = Extract<MappingFunction, { size: number }>["kind"];

/** A token that is not longer than `size` stays as it is. */
function cut(kind: SizedKind, token: string, size: number): string {
  const { length } = token;
  if (size <= 0 || size >= length) return token;
  switch (kind) {
    case "left":
      return token.slice(0, size);
    case "right":
      return token.slice(length - size);
    case "splitFromLeft":
      return `${token.slice(0, size)}.${token.slice(size)}`;
    case "splitFromRight":
      return `${token.slice(0, length - size)}.${token.slice(length - size)}`;
    case "sliceFromLeft":
      return pieces(token, 0, size).join(".");
    case "sliceFromRight":
      return pieces(token, length % size, size).join(".");
  }
}

/** The first piece has `first` bytes if that is not 0, the others `size`, the last what is left. */
function pieces(token: string, first: number, size: number): string[] {
  const found = first === 0 ? [] : [token.slice(0, first)];
  for (let at = first; at < token.length; at += size) found.push(token.slice(at, at + size));
  return found;
}

/** A character of UTF-8 as bytes, or one byte that is none. */
const CHARACTER =
  // oxlint-disable-next-line no-control-regex
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[^]/g;

/**
 * Empty pieces vanish, but where a token begins with two delimiters or more, nats-server leaves an empty token in front.
 * Without a delimiter each character is a piece.
 */
function split(token: string, delimiter: string): string {
  const found = delimiter === "" ? (token.match(CHARACTER) ?? []) : token.split(delimiter);
  const rest = found.filter((piece) => piece !== "").join(".");
  return found[0] === "" && found[1] === "" && rest !== "" ? `.${rest}` : rest;
}
