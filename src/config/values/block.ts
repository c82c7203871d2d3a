/** Reads a block whose keys are fixed but that is not a block of options: users, permissions, compression. */
import { ConfError, type ConfNode, type MapNode } from "../formats/nats-conf/node.ts";
import { nearestName } from "../suggest.ts";

/** Words that turn a feature off. */
const OFF_WORDS: ReadonlySet<string> = new Set(["disabled", "disable", "default"]);

type KeyReader = (node: ConfNode) => void;

/**
 * Hands each entry to the reader of its key (keys have no case). `unsupported` are keys that nats-server knows and shoal
 * does not. Throws ConfError at the first key that is neither.
 */
export function readBlock(
  block: MapNode,
  readers: Readonly<Record<string, KeyReader>>,
  unsupported: readonly string[] = [],
): void {
  for (const { key, keyAt, node, usedAsVariable } of block.entries.values()) {
    const name = key.toLowerCase();
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (reader !== undefined) reader(node);
    else if (unsupported.includes(name) && isOff(node)) continue;
    else if (unsupported.includes(name))
      throw new ConfError(keyAt, `"${name}" is not supported by shoal yet`);
    else if (!usedAsVariable) throw new ConfError(keyAt, unknownField(key, Object.keys(readers)));
  }
}

/** A block that turns its feature off by `enabled: false`. */
export function isDisabledBlock(node: ConfNode): boolean {
  if (node.kind !== "map") return false;
  return [...node.entries.values()].some(
    ({ key, node: value }) => /^enabled?$/i.test(key) && value.kind === "bool" && !value.value,
  );
}

/** Says that a feature is not wanted. */
export function isOff(node: ConfNode): boolean {
  return (
    (node.kind === "bool" && !node.value) ||
    (node.kind === "string" && OFF_WORDS.has(node.value.toLowerCase()))
  );
}

/** More names than this do not help in a message. */
const NAMES_SHOWN_MAX = 24;

/** Names the nearest key, or all of them if none is near. */
export function unknownField(key: string, known: readonly string[]): string {
  const near = nearestName(key.toLowerCase(), known);
  const shown = JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key);
  if (near !== null) return `unknown field ${shown}, expected "${near}"`;
  const all =
    known.length > NAMES_SHOWN_MAX ? "one of the options in docs/configuration.md" : known.join(", ");
  return `unknown field ${shown}, expected ${all}`;
}
