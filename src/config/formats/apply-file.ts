/** Writes the tree of a configuration file onto the sheet: finds each key in the schema, collects what is wrong. */
import type { Pieces } from "../../base/pieces.ts";
import { isDisabledBlock, isOff, unknownField } from "../values/block.ts";
import { ConfError, describeKind, type ConfEntry, type MapNode, type ConfNode } from "./nats-conf/node.ts";
import type { InertKind, Sheet } from "../option.ts";
import { BLOCK_BY_ALIAS, BLOCKS, KEYS_WITHOUT_EFFECT, OPTION_BY_KEY, UNSUPPORTED_BY_KEY } from "../schema.ts";
import type { Notes } from "../values/value-type.ts";

export interface Problems extends Notes {
  error(error: ConfError): void;
  /** There are enough errors to show; what is left need not be looked at. */
  isFull(): boolean;
}

/** Calls `use` and hands a ConfError to `problems`; any other error is a bug and is thrown on. */
export function collect(problems: Problems, use: () => void): void {
  try {
    use();
  } catch (error) {
    refuse(problems, error);
  }
}

/** The same for work in pieces; null: there was an error. */
export function* collectPieces<T>(problems: Problems, work: Pieces<T>): Pieces<T | null> {
  try {
    return yield* work;
  } catch (error) {
    refuse(problems, error);
    return null;
  }
}

function refuse(problems: Problems, error: unknown): void {
  if (!(error instanceof ConfError)) throw error;
  problems.error(error);
}

export function applyFile(root: MapNode, sheet: Sheet, problems: Problems): Pieces<void> {
  return applyBlock(root, "", sheet, problems);
}

/** `prefix` is the dotted name of the block with a dot at its end, or "" at the top. */
function* applyBlock(block: MapNode, prefix: string, sheet: Sheet, problems: Problems): Pieces<void> {
  for (const entry of block.entries.values()) {
    if (problems.isFull()) return;
    if (isPasswordOfNobody(entry, block, prefix)) continue;
    yield* collectPieces(problems, applyEntry(entry, prefix, sheet, problems));
  }
}

/**
 * A variable named PASS, in a block of users whose passwords it is. nats-server reads it as the password of the single user, and
 * there is none.
 */
function isPasswordOfNobody({ key, usedAsVariable }: ConfEntry, block: MapNode, prefix: string): boolean {
  if (!usedAsVariable || !prefix.endsWith("authorization.") || !/^pass(word)?$/i.test(key)) return false;
  return ![...block.entries.keys()].some((other) => /^user(name)?$/i.test(other));
}

function* applyEntry(entry: ConfEntry, prefix: string, sheet: Sheet, problems: Problems): Pieces<void> {
  const { keyAt, node } = entry;
  const written = prefix + entry.key.toLowerCase();
  const key = BLOCK_BY_ALIAS.get(written) ?? written;
  const option = OPTION_BY_KEY.get(key);
  const unsupported = UNSUPPORTED_BY_KEY.get(key);
  const inertKind = KEYS_WITHOUT_EFFECT.get(key);
  if (option !== undefined) {
    try {
      yield* named(key, option.assignNode(sheet, node, problems));
    } catch (error) {
      sheet.refuse(option.fields);
      throw error;
    }
    if (BLOCKS.has(key) && node.kind === "map" && !isDisabledBlock(node))
      yield* applyBlock(node, `${key}.`, sheet, problems);
  } else if (BLOCKS.has(key)) {
    if (node.kind !== "map")
      throw new ConfError(node.at, `expected a block { … } for "${key}", got ${describeKind(node)}`);
    yield* applyBlock(node, `${key}.`, sheet, problems);
  } else if (inertKind !== undefined) {
    checkInert(node, inertKind, key);
  } else if (unsupported !== undefined) {
    const isUsual = node.kind === "string" && node.value === unsupported.usualValue;
    if (isOff(node) || isUsual) return;
    sheet.refuse(unsupported.replaces ?? []);
    throw new ConfError(keyAt, `"${key}": ${unsupported.feature} not supported by shoal yet`);
  } else if (!entry.usedAsVariable) {
    throw new ConfError(keyAt, unknownKey(entry.key, prefix));
  }
}

const INERT_KINDS: Readonly<Record<InertKind, readonly [expected: string, ...kinds: ConfNode["kind"][]]>> = {
  bool: ["true or false", "bool"],
  string: ["a string", "string"],
  int: ["a whole number", "int"],
  "4 to 8192": ["a whole number from 4 to 8192", "int"],
  size: ["a size", "int", "string"],
};

function checkInert(node: ConfNode, kind: InertKind, key: string): void {
  const [expected, ...kinds] = INERT_KINDS[kind];
  const isInRange = kind !== "4 to 8192" || (node.kind === "int" && node.value >= 4 && node.value <= 8192);
  if (!kinds.includes(node.kind) || !isInRange)
    throw new ConfError(node.at, `expected ${expected} for "${key}"`);
}

/** Says in an error which option it is about: who reads it may not have the file at hand. */
function* named(key: string, assign: Pieces<void>): Pieces<void> {
  try {
    yield* assign;
  } catch (error) {
    throw error instanceof ConfError ? new ConfError(error.at, `${key}: ${error.reason}`) : error;
  }
}

/** Suggests the nearest key of the same block, else the same key of another block. */
function unknownKey(key: string, prefix: string): string {
  const name = key.toLowerCase();
  const elsewhere = [...OPTION_BY_KEY.keys()].find((known) => known === name || known.endsWith(`.${name}`));
  if (elsewhere !== undefined) return `unknown field ${JSON.stringify(key)} here, expected "${elsewhere}"`;
  const inBlock = [
    ...OPTION_BY_KEY.keys(),
    ...BLOCKS,
    ...UNSUPPORTED_BY_KEY.keys(),
    ...KEYS_WITHOUT_EFFECT.keys(),
  ]
    .filter((known) => known.startsWith(prefix) && !known.slice(prefix.length).includes("."))
    .map((known) => known.slice(prefix.length));
  return unknownField(key, inBlock);
}
