#!/usr/bin/env node
/**
 * `node bench/cluster/run.ts`: how fast a cluster forms, how fast interest crosses it, and what a join costs those who are busy.
 * Prints each figure as it is measured. With --write it writes docs/benchmarks/cluster.md.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../statistics.ts";
import { measureInterest, measureJoinLatency, measureMeshTime, type Latency } from "./measure.ts";
import type { Contender } from "./nodes.ts";
import { writeClusterReport, type Table } from "./report.ts";

const usage = `node bench/cluster/run.ts [options]

  --against NAME=COMMAND   another server, measured in turns with shoal; repeatable
  --rounds N               of each measurement, medians are reported (default 5)
  --write                  write docs/benchmarks/cluster.md
  --help`;

const SUBSCRIPTIONS = 100_000;
const { values } = parseArgs({
  options: {
    against: { type: "string", multiple: true, default: [] },
    rounds: { type: "string", default: "5" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(usage);
} else {
  const shoal = { name: "shoal", command: join(import.meta.dirname, "../../bin/shoal") };
  const contenders = [shoal, ...values.against.map(contenderOf)];
  const rounds = Number(values.rounds);
  const tables = [
    await meshTable(contenders, rounds),
    await interestTable(contenders, rounds),
    await joinTable(contenders, rounds),
  ];
  if (values.write) {
    const command = ["node bench/cluster/run.ts", ...process.argv.slice(2)].join(" ");
    const versions = contenders.slice(1).map(({ name, command: of }) => `${name}: ${versionOf(of)}`);
    console.log(`written: ${writeClusterReport(tables, { command, rounds, versions })}`);
  }
}

async function meshTable(contenders: readonly Contender[], rounds: number): Promise<Table> {
  const rows: string[][] = [];
  for (const size of [3, 5, 10]) {
    const all = await inTurns(contenders, rounds, (contender) => measureMeshTime(contender, size));
    rows.push(
      ...contenders.map(({ name }, i) => [
        `${size} servers`,
        name,
        seconds(all[i]!.map(({ connectedMs }) => connectedMs)),
        seconds(all[i]!.map(({ wholeMs }) => wholeMs)),
      ]),
    );
    show(rows.slice(-contenders.length));
  }
  return {
    title: "From nothing to a full mesh",
    about:
      "All processes are started at once; each knows only the first one. Measured until every server is connected to every other " +
      "one, and until every pair has all of its connections (three of the pool, one for the system account).",
    head: ["cluster of", "server", "connected, s", "all connections, s"],
    rows,
  };
}

async function interestTable(contenders: readonly Contender[], rounds: number): Promise<Table> {
  const all = await inTurns(contenders, rounds, (contender) => measureInterest(contender, SUBSCRIPTIONS));
  const rows = contenders.map(({ name }, i) => [
    name,
    seconds(all[i]!.map(({ knownMs }) => knownMs)),
    seconds(all[i]!.map(({ goneMs }) => goneMs)),
    median(all[i]!.map(({ bytesEach }) => bytesEach)).toFixed(0),
  ]);
  show(rows);
  return {
    title: `${SUBSCRIPTIONS.toLocaleString("en")} subscriptions`,
    about:
      "One client subscribes on one server of two. Measured until the other server knows all of them (by a sample of 200 " +
      "subjects), until it has removed all of them after the client is cut off, and the growth of its memory for each. Not all " +
      "collected garbage is returned to the system, so the growth is an upper bound.",
    head: ["server", "known, s", "gone, s", "memory each, bytes"],
    rows,
  };
}

async function joinTable(contenders: readonly Contender[], rounds: number): Promise<Table> {
  const rows: string[][] = [];
  for (const members of [2, 9]) {
    const all = await inTurns(contenders, rounds, (contender) => measureJoinLatency(contender, members));
    for (const [i, { name }] of contenders.entries()) {
      const joins = members === 2 ? "the third joins" : "the tenth joins";
      rows.push([`${members} members`, name, ...latency(all[i]!.map(({ quiet }) => quiet))]);
      rows.push([joins, name, ...latency(all[i]!.map(({ joining }) => joining))]);
    }
    show(rows.slice(-2 * contenders.length));
  }
  return {
    title: "Requests while a server joins",
    about:
      "One request after the other for 3 s between clients of two members, with 5,000 other messages of 128 bytes a second " +
      "between the same two; first with the members alone, then while one more server starts and joins. The new process shares the " +
      "machine, so its start is part of the cost.",
    head: ["", "server", "p50, µs", "p99, µs", "max, µs"],
    rows,
  };
}

/** Samples by contender; who goes first changes from round to round. */
async function inTurns<T>(
  contenders: readonly Contender[],
  rounds: number,
  measure: (contender: Contender) => Promise<T>,
): Promise<T[][]> {
  const samples: T[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const order = [...contenders.keys()];
    for (const i of round % 2 === 0 ? order : order.reverse())
      samples[i]!.push(await measure(contenders[i]!));
  }
  return samples;
}

function latency(samples: readonly Latency[]): string[] {
  return (["p50Us", "p99Us", "maxUs"] as const).map((key) =>
    median(samples.map((each) => each[key])).toFixed(0),
  );
}

function seconds(values: readonly number[]): string {
  return (median(values) / 1000).toFixed(2);
}

function show(rows: readonly string[][]): void {
  for (const row of rows) console.log(row.join(" | "));
}

function contenderOf(text: string): Contender {
  const at = text.indexOf("=");
  if (at < 1) throw new Error(`--against ${text}: expected NAME=COMMAND`);
  return { name: text.slice(0, at), command: text.slice(at + 1) };
}

function versionOf(command: string): string {
  return execFileSync(command, ["--version"], { encoding: "utf8" }).trim();
}
