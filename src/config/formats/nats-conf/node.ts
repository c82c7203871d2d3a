/**
 * The tree that a configuration is read into, whatever it was written in (NATS format, JSON, YAML, a flag, an
 * environment variable), and the one error type of reading. Every node knows where it came from.
 *
 * Invariant: texts made here never contain a value, only positions, names and what was expected, so that no password can
 * end up in a log.
 */

export interface SourceText {
  /** The file name as an operator would write it. */
  readonly name: string;
  readonly text: string;
}

export type Origin =
  | { readonly kind: "file"; readonly source: SourceText; readonly offset: number }
  | { readonly kind: "flag"; readonly name: string }
  | { readonly kind: "env"; readonly name: string };

export interface ConfEntry {
  readonly key: string;
  readonly keyAt: Origin;
  readonly node: ConfNode;
  /** Set when a `$name` refers to this entry: nats-server lets such an entry stay unknown. */
  usedAsVariable: boolean;
}

export interface MapNode {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, ConfEntry>;
  /** Number of nodes below and including this one; variables share nodes, so this is what bounds the tree. */
  readonly size: number;
  readonly at: Origin;
}

interface ArrayNode {
  readonly kind: "array";
  readonly items: readonly ConfNode[];
  readonly size: number;
  readonly at: Origin;
}

export type ScalarNode =
  | { readonly kind: "string"; readonly value: string; readonly at: Origin }
  | { readonly kind: "int"; readonly value: bigint; readonly hasSuffix: boolean; readonly at: Origin }
  | { readonly kind: "float"; readonly value: number; readonly at: Origin }
  | { readonly kind: "bool"; readonly value: boolean; readonly at: Origin }
  | { readonly kind: "date"; readonly value: string; readonly at: Origin };

export type ConfNode = MapNode | ArrayNode | ScalarNode;

/** A problem of a configuration, and its position. */
export class ConfError extends Error {
  override readonly name: string = "ConfError";
  readonly at: Origin | null;
  readonly reason: string;

  constructor(at: Origin | null, reason: string) {
    super(at === null ? reason : `${describeOrigin(at)}: ${reason}`);
    this.at = at;
    this.reason = reason;
  }
}

/** The text is not in the configuration format. */
export class ParseError extends ConfError {
  override readonly name = "ParseError";
}

/** In a file; both numbers from 1, columns in characters. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `file:line:column` (both from 1, columns in characters), `flag --name` or `environment variable NAME`. */
export function describeOrigin(at: Origin): string {
  switch (at.kind) {
    case "file": {
      const { file, line, column } = positionIn(at);
      return `${file}:${line}:${column}`;
    }
    case "flag":
      return `flag ${at.name}`;
    case "env":
      return `environment variable ${at.name}`;
  }
}

export function positionIn({ source, offset }: Origin & { readonly kind: "file" }): Position {
  const before = source.text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return {
    file: source.name,
    line: countNewlines(before) + 1,
    column: charactersIn(before.slice(lineStart)) + 1,
  };
}

export function nodeSize(node: ConfNode): number {
  return node.kind === "map" || node.kind === "array" ? node.size : 1;
}

/** The kind of a node in words, for "expected …, got …". */
export function describeKind(node: ConfNode): string {
  switch (node.kind) {
    case "map":
      return "a block";
    case "array":
      return "a list";
    case "string":
      return "a string";
    case "int":
      return "a number";
    case "float":
      return "a number with a fraction";
    case "bool":
      return "a boolean";
    case "date":
      return "a date";
  }
}

function charactersIn(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function countNewlines(text: string): number {
  let count = 0;
  for (let i = text.indexOf("\n"); i !== -1; i = text.indexOf("\n", i + 1)) count++;
  return count;
}
