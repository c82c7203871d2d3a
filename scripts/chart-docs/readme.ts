/** The tables of the chart's README: every value with its default and what it is. */
import { format, resolveConfig } from "prettier";
import type { ChartValue } from "./values.ts";

const BEGIN = "<!-- values: written by scripts/chart-schema.ts from values.yaml -->";
const END = "<!-- end of values -->";
/** Every resource takes these; one sentence above the tables says so. */
const OF_EVERY_RESOURCE: ReadonlySet<string> = new Set(["labels", "annotations", "merge", "patch", "name"]);

/** The text with the tables replaced. */
export async function withTables(text: string, values: readonly ChartValue[], file: string): Promise<string> {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`${file} has no place for the values: ${BEGIN} … ${END}`);
  const tables = `${BEGIN}\n\n${tablesOf(values)}\n\n${text.slice(end)}`;
  const options = await resolveConfig(file);
  return format(text.slice(0, begin) + tables, { ...options, filepath: file });
}

function tablesOf(values: readonly ChartValue[]): string {
  const singles = values.filter(({ below }) => below.length === 0);
  const groups = values.filter(({ below }) => below.length > 0);
  const texts = groups.map((group) => {
    const rows = leaves(group).filter(isWorthTelling);
    const head = `### \`${group.key}\`\n\n${group.description ?? ""}\n\n`;
    return head + (rows.length === 0 ? "What every resource takes." : table(rows));
  });
  return [table(singles), ...texts].join("\n\n");
}

function leaves(value: ChartValue): ChartValue[] {
  return value.below.length === 0 ? [value] : value.below.flatMap(leaves);
}

function isWorthTelling({ key, description }: ChartValue): boolean {
  return !OF_EVERY_RESOURCE.has(key) || !/this resource|RFC 6902/.test(description ?? "");
}

function table(rows: readonly ChartValue[]): string {
  const lines = rows.map(
    ({ path, value, description }) =>
      `| \`${path}\` | ${shown(value)} | ${(description ?? "").replaceAll("|", "\\|")} |`,
  );
  return ["| Value | Default | |", "| --- | --- | --- |", ...lines].join("\n");
}

function shown(value: unknown): string {
  return value === null || value === "" ? "" : `\`${JSON.stringify(value)}\``;
}
