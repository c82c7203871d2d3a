/** The values.yaml of the official NATS chart: its keys and defaults. */
import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Tree = Record<string, unknown>;

/** Every key of that chart's values.yaml with its default, one a line. */
export function wholeValues(): Tree {
  const text = readFileSync(new URL("../chart/nats-chart-2.14.2.txt", import.meta.url), "utf8");
  const values: Tree = {};
  for (const line of text.trim().split("\n")) {
    const [path, json] = line.split(/ (.*)/s) as [string, string];
    const keys = path.split(".");
    const last = keys.pop()!;
    let map = values;
    for (const key of keys) map = (map[key] ??= {}) as Tree;
    map[last] = JSON.parse(json);
  }
  return values;
}

/** A file for --values. */
export async function valuesFile(values: Tree): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "shoal-values-")), "values.json");
  await writeFile(file, JSON.stringify(values));
  return file;
}
