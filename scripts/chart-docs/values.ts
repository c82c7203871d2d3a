/** The values of the Helm chart, read from values.yaml with the comments that describe them. */
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from "yaml";

/** One key of values.yaml. A map that holds keys of its own has `below`; an empty map, a list or a scalar has none. */
export interface ChartValue {
  readonly path: string;
  readonly key: string;
  readonly value: unknown;
  readonly description: string | null;
  readonly below: readonly ChartValue[];
}

/** Descriptions of keys that mean the same wherever they appear. */
const COMMON: ReadonlyMap<string, string> = new Map([
  ["labels", "Labels of this resource."],
  ["annotations", "Annotations of this resource."],
  ["merge", "Merged into this resource."],
  ["patch", "A JSON patch (RFC 6902: add, replace, remove), applied after `merge`."],
  ["name", "The name of this resource, in place of the chart's."],
]);

/** Values whose keys are the user's: what stands below them is a default, not a value of its own. */
const OPEN_MAPS: ReadonlySet<string> = new Set([
  "podTemplate.topologySpreadConstraints",
  "container.resources",
  "configCheck.resources",
  "promExporter.dashboard.labels",
]);

export function readValues(text: string): ChartValue[] {
  const root = parseDocument(text).contents;
  if (!isMap(root)) throw new Error("values.yaml is not a map");
  return valuesOf(root, "", text);
}

function valuesOf(map: YAMLMap, above: string, text: string): ChartValue[] {
  return map.items.map((pair) => valueOf(pair, above, text));
}

function valueOf(pair: Pair, above: string, text: string): ChartValue {
  if (!isScalar(pair.key)) throw new Error(`values.yaml: a key of ${above} is not a scalar`);
  const key = String(pair.key.value);
  const path = above === "" ? key : `${above}.${key}`;
  const description = commentAbove(text, pair.key.range![0]) ?? COMMON.get(key) ?? null;
  const { value } = pair;
  const below = isMap(value) && !OPEN_MAPS.has(path) ? valuesOf(value, path, text) : [];
  return { path, key, value: toPlain(value), description, below };
}

/** The lines of comment that end right above the line of `offset`: the parser gives some of them to the value before. */
function commentAbove(text: string, offset: number): string | null {
  const lines = text.slice(0, offset).split("\n").slice(0, -1);
  const first = lines.findLastIndex((line) => !/^\s*#/.test(line)) + 1;
  const words = lines.slice(first).map((line) => line.replace(/^\s*#\s?/, ""));
  return words.length === 0 ? null : words.join(" ");
}

function toPlain(value: unknown): unknown {
  if (isScalar(value)) return value.value;
  if (typeof value === "object" && value !== null && "toJSON" in value)
    return (value as { toJSON(): unknown }).toJSON();
  return value ?? null;
}
