/** Measurements -> Markdown tables. The first contender is the subject; ratios above 1 are in its favour. */
import type { Measurement, Sample } from "../measure.ts";
import { medians, ratios, spread } from "../statistics.ts";

/** Above this share of its core the generator, not the server, may have set the pace. */
export const GENERATOR_BUSY_CORES = 0.9;

export function flowTable(measurements: readonly Measurement[], names: readonly string[]): string {
  const [subject = "", ...references] = names;
  const head = [
    "workload",
    ...names.map((name) => `${name}: messages/s`),
    ...names.map((name) => `${name}: CPU ns/message`),
    ...references.flatMap((name) => [`throughput vs ${name}`, `CPU vs ${name}`]),
    "generator alone",
  ];
  const rows = measurements.map((measurement) => [
    nameCell(measurement),
    ...names.map((name) => rateCell(measurement, name)),
    ...names.map((name) => numberCell(measurement, name, "cpuNsPerMessage", 0)),
    ...ratioCells(measurement, subject, references),
    measurement.ceiling ? short(measurement.ceiling["messagesPerSecond"]) : "",
  ]);
  return table(head, rows);
}

export function requestTable(measurements: readonly Measurement[], names: readonly string[]): string {
  const [subject = "", ...references] = names;
  const columns = ["messagesPerSecond", "p50Us", "p99Us", "cpuNsPerMessage"] as const;
  const head = [
    "workload",
    ...names.flatMap((name) => [`${name}: requests/s`, "p50 µs", "p99 µs", "CPU ns/request"]),
    ...references.flatMap((name) => [`throughput vs ${name}`, `CPU vs ${name}`]),
    "generator alone",
  ];
  const rows = measurements.map((measurement) => [
    nameCell(measurement),
    ...names.flatMap((name) => [
      rateCell(measurement, name),
      ...columns.slice(1).map((key) => numberCell(measurement, name, key, 0)),
    ]),
    ...ratioCells(measurement, subject, references),
    measurement.ceiling ? short(measurement.ceiling["messagesPerSecond"]) : "",
  ]);
  return table(head, rows);
}

export function memoryTable(measurements: readonly Measurement[], names: readonly string[]): string {
  const head = [
    "workload",
    ...names.flatMap((name) => [`${name}: MB before`, "MB held", "bytes each", "setup s", "idle CPU ms/s"]),
  ];
  const rows = measurements.map((measurement) => [
    nameCell(measurement),
    ...names.flatMap((name) => [
      megabytes(measurement, name, "rssBeforeKb"),
      megabytes(measurement, name, "rssKb"),
      numberCell(measurement, name, "rssPerItemBytes", 0),
      numberCell(measurement, name, "setupSeconds", 2),
      numberCell(measurement, name, "holdCpuMsPerSecond", 1),
    ]),
  ]);
  return table(head, rows);
}

/** Memory after a workload: what traffic leaves behind, and on the way the cost of an empty server. */
export function residentTable(measurements: readonly Measurement[], names: readonly string[]): string {
  const rows = measurements.map((each) => [
    nameCell(each),
    ...names.map((name) => megabytes(each, name, "rssKb")),
  ]);
  return table(["after", ...names.map((name) => `${name}: MB`)], rows);
}

/** 4520000 -> "4.52 M" */
export function short(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  return value.toFixed(0);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

function nameCell({ workload }: Measurement): string {
  return `\`${workload.name}\` ${workload.about}`;
}

function rateCell(measurement: Measurement, name: string): string {
  const samples = measurement.samples.get(name);
  const middle = medians(samples);
  if (!samples || !middle) return measurement.errors.has(name) ? "failed" : "–";
  const busy = (middle["generatorCores"] ?? 0) > GENERATOR_BUSY_CORES ? " †" : "";
  return `${short(middle["messagesPerSecond"])} ±${(spread(samples, "messagesPerSecond") * 100).toFixed(0)}%${busy}`;
}

function numberCell(measurement: Measurement, name: string, key: string, digits: number): string {
  const value = valueOf(measurement, name, key);
  return value === undefined ? "–" : value.toFixed(digits);
}

function megabytes(measurement: Measurement, name: string, key: string): string {
  const value = valueOf(measurement, name, key);
  return value === undefined ? "–" : (value / 1024).toFixed(0);
}

function valueOf(measurement: Measurement, name: string, key: string): number | undefined {
  const middle: Sample | undefined = medians(measurement.samples.get(name));
  return middle?.[key];
}

function ratioCells(measurement: Measurement, subject: string, references: readonly string[]): string[] {
  return references.flatMap((reference) => {
    const both = ratios(measurement, subject, reference);
    return both ? [`×${both.throughput.toFixed(2)}`, `×${both.cpu.toFixed(2)}`] : ["–", "–"];
  });
}
