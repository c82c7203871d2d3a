/**
 * Writes what follows from helm/shoal/values.yaml and its comments: values.schema.json, and the tables of values in the chart's README.
 *
 *     node scripts/chart-schema.ts [--check]      --check: exit code 1 when a file is not what would be written
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { withTables } from "./chart-docs/readme.ts";
import { chartSchema, type NatsChartValues } from "./chart-docs/schema.ts";
import { readValues } from "./chart-docs/values.ts";

const chart = join(import.meta.dirname, "../helm/shoal");
const read = (name: string): string => readFileSync(join(chart, name), "utf8");

const values = readValues(read("values.yaml"));
const schema = chartSchema(values, parse(read("files/nats-chart.yaml")) as NatsChartValues);
const files: Record<string, string> = {
  "values.schema.json": `${JSON.stringify(schema, null, 2)}\n`,
  "README.md": await withTables(read("README.md"), values, join(chart, "README.md")),
};
for (const [name, text] of Object.entries(files)) {
  if (!process.argv.includes("--check")) writeFileSync(join(chart, name), text);
  else if (read(name) !== text) {
    console.error(`helm/shoal/${name} is not what values.yaml says: run npm run docs`);
    process.exitCode = 1;
  }
}
