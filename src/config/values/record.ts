/**
 * Readers for blocks with fixed keys (`record`) and for lists of them (`listOf`): users, exports, callouts, tls. A block whose keys are
 * options of their own has rows in a section instead.
 *
 * Invariant: a key belongs to one field of its record.
 */
import { assert } from "../../base/assert.ts";
import type { ConfNode } from "../formats/nats-conf/node.ts";
import { readBlock } from "./block.ts";
import { mismatch, stringOf, type Notes } from "./value-type.ts";

/** Turns a node into a value, or throws ConfError. */
export type NodeReader<V> = (node: ConfNode, notes: Notes) => V;

interface RecordField<V> {
  readonly keys: readonly string[];
  readonly read: NodeReader<V>;
  readonly initial: V;
}

/** A field that `keys` set (names without regard to case, separated by blanks); `initial` if none of them is written. */
export function field<V>(keys: string, read: NodeReader<V>, initial: V): RecordField<V> {
  return { keys: keys.split(" "), read, initial };
}

interface RecordOptions {
  /** Describes the block for the error text, or throws its own error. */
  readonly expected: string | ((node: ConfNode) => never);
  /** Keys that nats-server knows and shoal does not support. */
  readonly unsupported?: readonly string[];
}

/** Reads a block. The last of several keys of one field wins; an unknown key is an error. */
export function record<T extends object>(
  fields: { readonly [K in keyof T]: RecordField<T[K]> },
  { expected, unsupported }: RecordOptions,
): NodeReader<T> {
  const all: readonly [string, RecordField<unknown>][] = Object.entries(fields);
  const keys = all.flatMap(([, { keys: own }]) => own);
  assert(new Set(keys).size === keys.length, "a key belongs to one field of its record");
  return (node, notes) => {
    if (node.kind !== "map") return typeof expected === "string" ? mismatch(node, expected) : expected(node);
    const found: Record<string, unknown> = {};
    for (const [name, { initial }] of all) found[name] = initial;
    const readers = all.flatMap(([name, { keys: own, read }]) =>
      own.map((key) => [key, (value: ConfNode) => void (found[name] = read(value, notes))] as const),
    );
    readBlock(node, Object.fromEntries(readers), unsupported);
    return found as T;
  };
}

/** Reads a list. */
export function listOf<V>(
  read: NodeReader<V>,
  expected: string | ((node: ConfNode) => never),
): NodeReader<readonly V[]> {
  return (node, notes) => {
    if (node.kind !== "array")
      return typeof expected === "string" ? mismatch(node, expected) : expected(node);
    return node.items.map((item) => read(item, notes));
  };
}

/** A reader of strings; `expected` describes them. */
export function stringTo<V>(expected: string, read: (text: string, node: ConfNode) => V): NodeReader<V> {
  return (node) => read(stringOf(node, expected), node);
}
