/** Writes a comparison to docs/benchmarks: NAME.md to read, NAME-vs-REFERENCE.svg to see, NAME.json with every sample. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Measurement } from "../measure.ts";
import { ratios } from "../statistics.ts";
import { shortfalls } from "./aims.ts";
import { ratioChart } from "./chart.ts";
import type { Machine } from "./machine.ts";
import { flowTable, GENERATOR_BUSY_CORES, memoryTable, requestTable, residentTable } from "./tables.ts";

const folder = join(import.meta.dirname, "../../docs/benchmarks");

export interface Comparison {
  readonly command: string;
  readonly date: string;
  readonly machine: Machine;
  /** Contender -> what it is; the first is the one that the others are compared with. */
  readonly versions: ReadonlyMap<string, string>;
  readonly rounds: number;
  readonly runSeconds: number;
  readonly measurements: readonly Measurement[];
}

/** Returns the path of the Markdown file. */
export function writeReport(name: string, comparison: Comparison): string {
  const [subject = "", ...references] = comparison.versions.keys();
  mkdirSync(folder, { recursive: true });
  const charts = references.flatMap((reference) => {
    const rows = comparison.measurements.flatMap((measurement) => {
      const both = ratios(measurement, subject, reference);
      return both && measurement.workload.kind !== "hold"
        ? [{ label: measurement.workload.about, ...both }]
        : [];
    });
    if (rows.length === 0) return [];
    const file = `${name}-vs-${reference}.svg`;
    writeFileSync(join(folder, file), ratioChart(subject, reference, rows));
    return [`![${subject} compared with ${reference}](${file})`];
  });
  const path = join(folder, `${name}.md`);
  writeFileSync(path, markdown(name, comparison, charts));
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(rawForm(comparison), null, 1)}\n`);
  return path;
}

function markdown(name: string, comparison: Comparison, charts: readonly string[]): string {
  const { machine, measurements, versions } = comparison;
  const names = [...versions.keys()];
  const ofKind = (kind: string): Measurement[] =>
    measurements.filter(({ workload }) => workload.kind === kind);
  const section = (title: string, kind: string, render: typeof flowTable): string[] =>
    ofKind(kind).length === 0 ? [] : [`## ${title}`, render(ofKind(kind), names)];
  const blocks = [
    `# ${names.join(" and ")}, side by side`,
    [
      `- Date: ${comparison.date}`,
      `- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}`,
      ...[...versions].map(([contender, version]) => `- ${contender}: ${version}`),
      `- Command: \`${comparison.command}\``,
    ].join("\n"),
    `Medians of ${comparison.rounds} rounds of about ${comparison.runSeconds} s each, servers taking turns on one machine after ` +
      `a warm-up, the load generator on the same machine. Every message is checked for loss, doubling, order and content. ` +
      `Ratios above 1 are in favour of ${names[0]}; ± is half the distance between the slowest and the fastest round. ` +
      `"CPU" is processor time of the server per delivered message (per published one where nobody listens), for one hop of ` +
      `both servers together. "Generator alone" is the generator's own limit, against a stand-in that does no work; † marks ` +
      `results where the generator was busy for more than ${GENERATOR_BUSY_CORES * 100} % of the time, and may have set the pace. ` +
      `Raw numbers: [${name}.json](${name}.json).`,
    ...charts,
    ...names.slice(1).flatMap((reference) => shortfalls(measurements, names[0] ?? "", reference)),
    ...section("Messages", "flow", flowTable),
    ...section("Request and reply", "request", requestTable),
    ...section("Memory of what is idle", "hold", memoryTable),
    ...section("Memory after traffic", "flow", residentTable),
    ...failures(measurements),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function failures(measurements: readonly Measurement[]): string[] {
  const lines = measurements.flatMap(({ workload, errors }) =>
    [...errors].map(([name, error]) => `- ${name}, \`${workload.name}\`: ${error.split("\n", 1)[0]}`),
  );
  return lines.length === 0 ? [] : ["## Failures", lines.join("\n")];
}

function rawForm(comparison: Comparison): unknown {
  return {
    ...comparison,
    versions: Object.fromEntries(comparison.versions),
    measurements: comparison.measurements.map(({ workload, samples, errors, ceiling }) => ({
      workload,
      samples: Object.fromEntries(samples),
      errors: Object.fromEntries(errors),
      ceiling,
    })),
  };
}
