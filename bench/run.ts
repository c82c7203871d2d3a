#!/usr/bin/env node
/**
 * `npm run bench`: runs the workloads one after the other, prints a line for each as it is done, and writes the report.
 * Ends with status 1 when any run failed: a lost or damaged message is a failure like any other.
 */
import { parseBenchArguments, usage, type BenchArguments } from "./arguments.ts";
import { buildLoadGenerator } from "./load/build.ts";
import { measureWorkload, type Measurement } from "./measure.ts";
import { describeMachine } from "./report/machine.ts";
import { short } from "./report/tables.ts";
import { writeReport } from "./report/write.ts";
import { medians, ratios } from "./statistics.ts";

if (process.argv.includes("--help")) {
  console.log(usage);
} else {
  try {
    await main(parseBenchArguments(process.argv.slice(2)));
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

async function main(chosen: BenchArguments): Promise<void> {
  if (chosen.list) {
    for (const { name, about } of chosen.workloads) console.log(`${name.padEnd(10)} ${about}`);
    return;
  }
  const machine = describeMachine();
  const versions = new Map<string, string>();
  const options = {
    generator: buildLoadGenerator(),
    rounds: chosen.rounds,
    runSeconds: chosen.runSeconds,
    onVersion: (name: string, version: string): void => {
      versions.set(name, name === "shoal" ? `${machine.shoal}, Node ${machine.node}` : version);
    },
  };
  const names = chosen.contenders.map(({ name }) => name);
  for (const name of names) versions.set(name, "did not start");
  const measurements: Measurement[] = [];
  for (const workload of chosen.workloads) {
    const measurement = await measureWorkload(workload, chosen.contenders, options);
    measurements.push(measurement);
    console.log(summary(measurement, names));
    if (measurement.errors.size > 0) process.exitCode = 1;
  }
  if (chosen.reportName === undefined) return;
  const command = ["npm run bench --", ...process.argv.slice(2)].join(" ");
  const date = new Date().toISOString().slice(0, 10);
  const { rounds, runSeconds } = chosen;
  const path = writeReport(chosen.reportName, {
    command,
    date,
    machine,
    versions,
    rounds,
    runSeconds,
    measurements,
  });
  console.log(`written: ${path}`);
}

/** One line per workload for the terminal. */
function summary(measurement: Measurement, names: readonly string[]): string {
  const [subject = ""] = names;
  const parts = names.map((name) => {
    const result = `${name} ${resultText(measurement, name)}`;
    const both = name === subject ? undefined : ratios(measurement, subject, name);
    if (!both || measurement.workload.kind === "hold") return result;
    return `${result} [throughput ×${both.throughput.toFixed(2)}, CPU ×${both.cpu.toFixed(2)}]`;
  });
  const ceiling = measurement.ceiling
    ? [`generator alone ${short(measurement.ceiling["messagesPerSecond"])}/s`]
    : [];
  return [measurement.workload.name.padEnd(9), ...parts, ...ceiling].join(" | ");
}

function resultText({ workload, samples, errors }: Measurement, name: string): string {
  const error = errors.get(name);
  if (error !== undefined) return `FAILED: ${error}`;
  const middle = medians(samples.get(name));
  if (!middle) return "skipped";
  const value = (key: string, digits: number): string => (middle[key] ?? NaN).toFixed(digits);
  switch (workload.kind) {
    case "flow":
      return `${short(middle["messagesPerSecond"])}/s, ${value("cpuNsPerMessage", 0)} ns CPU, ${value("cores", 2)} cores`;
    case "request":
      return `${short(middle["messagesPerSecond"])}/s, p50 ${value("p50Us", 0)} µs, p99 ${value("p99Us", 0)} µs, ${short(middle["cpuNsPerMessage"])} ns CPU`;
    case "hold":
      return `${((middle["rssKb"] ?? NaN) / 1024).toFixed(0)} MB, ${value("rssPerItemBytes", 0)} B each, set up in ${value("setupSeconds", 2)} s`;
  }
}
