/** What an editor and a registry of charts show of the chart: descriptions of values, a README, an icon. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

const read = (name: string): string =>
  readFileSync(new URL(`../../helm/shoal/${name}`, import.meta.url), "utf8");

/** Values without values below them, but what a template stands in for. */
function* leaves(schema: Schema, path: string): Generator<[string, Schema]> {
  const below = Object.entries(schema.properties ?? {}).filter(([key]) => key !== "$tplYaml");
  if (below.length === 0 || schema.description?.startsWith("Of the NATS chart")) yield [path, schema];
  else for (const [key, one] of below) yield* leaves(one, path === "" ? key : `${path}.${key}`);
}

it("every value has a description", () => {
  const all = [...leaves(JSON.parse(read("values.schema.json")) as Schema, "")];
  expect(all.length).toBeGreaterThan(150);
  expect(all.filter(([, { description }]) => !description).map(([path]) => path)).toEqual([]);
});

it("the README has every value that is not of every resource", () => {
  const readme = read("README.md");
  const own = [...leaves(JSON.parse(read("values.schema.json")) as Schema, "")].filter(
    ([path, { description }]) =>
      !/\.(labels|annotations|merge|patch|name)$/.test(path) && !description?.startsWith("Of the NATS chart"),
  );
  expect(own.filter(([path]) => !readme.includes(`\`${path}\``)).map(([path]) => path)).toEqual([]);
});

it("the icon is a picture that needs no network", () => {
  const { icon } = parse(read("Chart.yaml")) as { icon: string };
  const [, base64] = /^data:image\/svg\+xml;base64,(.*)$/.exec(icon)!;
  expect(Buffer.from(base64!, "base64").toString()).toMatch(/^<svg .*<\/svg>$/);
});
