#!/usr/bin/env node
/**
 * `node bench/rolling/run.ts`: what a rolling restart of three servers costs their clients. With --write it writes
 * docs/benchmarks/rolling.md.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { register } from "../children.ts";
import { describeMachine } from "../report/machine.ts";
import type { Servers } from "./members.ts";
import { rollingRestart, type RestartFigures } from "./restart.ts";

const usage = `node bench/rolling/run.ts [options]

  --nats-server COMMAND   measured as well: as it ends by SIGTERM, and in lame duck mode
  --busy N                so many busy loops run beside it, as on a machine that has too much to do (default 0)
  --rate N                messages a second of each of the three publishers (default 200)
  --write                 write docs/benchmarks/rolling.md
  --help`;

const { values } = parseArgs({
  options: {
    "nats-server": { type: "string" },
    busy: { type: "string", default: "0" },
    rate: { type: "string", default: "200" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) console.log(usage);
else await beside(Number(values.busy), measure);

/** Processes that do nothing, as fast as they can, run meanwhile. */
async function beside(count: number, act: () => Promise<void>): Promise<void> {
  const loops = Array.from({ length: count }, () =>
    spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
  );
  for (const loop of loops) register(loop);
  await act();
  for (const loop of loops) loop.kill("SIGKILL");
}

async function measure(): Promise<void> {
  const rate = Number(values.rate);
  const columns: [string, RestartFigures][] = [];
  for (const [name, servers] of contenders()) {
    const figures = await rollingRestart(servers, rate);
    console.log(name, figures);
    columns.push([name, figures]);
  }
  if (values.write) console.log(`written: ${write(columns, rate)}`);
}

function contenders(): [string, Servers][] {
  const shoal = join(import.meta.dirname, "../../bin/shoal");
  const all: [string, Servers][] = [["shoal, SIGTERM", { command: shoal, signal: "SIGTERM", lines: [] }]];
  const command = values["nats-server"];
  if (command === undefined) return all;
  // The least that it takes, and the grace period of its Helm chart.
  const lines = ['lame_duck_duration: "30s"', 'lame_duck_grace_period: "10s"'];
  all.push(["nats-server, SIGTERM", { command, signal: "SIGTERM", lines: [] }]);
  all.push(["nats-server, lame duck mode", { command, signal: "SIGUSR2", lines }]);
  return all;
}

function write(columns: readonly [string, RestartFigures][], rate: number): string {
  const machine = describeMachine();
  const figures = columns.map(([, each]) => each);
  const row = (what: string, of: (figures: RestartFigures) => number | string): string =>
    `| ${[what, ...figures.map(of)].join(" | ")} |`;
  const seconds = (ms: readonly number[]): string => ms.map((each) => (each / 1000).toFixed(1)).join(", ");
  const table = [
    `| | ${columns.map(([name]) => name).join(" | ")} |`,
    `| --- |${" ---: |".repeat(columns.length)}`,
    row("messages published", (of) => of.published),
    row("deliveries wanted", (of) => of.deliveries),
    row("lost between clients of servers that stayed", (of) => of.lostByStaying),
    row("lost by clients that moved, deliveries", (of) => of.lostByMoving),
    row("never sent by publishers that moved, messages", (of) => of.lostUnsent),
    row("lost to some of those who stayed, from publishers that moved", (of) => of.lostUnevenly),
    row("delivered twice", (of) => of.doubled),
    row("moves of clients", (of) => of.moves),
    row("most moves of a client in one restart", (of) => of.movesMax),
    row("requests", (of) => of.requests),
    row("requests that failed at first", (of) => of.requestsRetried),
    row("requests that failed again", (of) => of.requestsFailed),
    row("longest request with its retry, ms", (of) => Math.round(of.requestMaxMs)),
    row("each server took to leave, s", (of) => seconds(of.leaveMs)),
    row("and ended with", (of) => [...new Set(of.ended)].join(", ")),
  ];
  const blocks = [
    "# A rolling restart",
    [
      `- Date: ${new Date().toISOString().slice(0, 10)}`,
      `- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}`,
      `- shoal: ${machine.shoal}, Node ${machine.node}`,
      `- Command: \`${["node bench/rolling/run.ts", ...process.argv.slice(2)].join(" ")}\``,
    ].join("\n"),
    "Three servers of one cluster are restarted one after the other, under their names and on their ports; the next one follows " +
      `when the three are connected again. ${figures[0]!.clients} clients, all the official one for Node with its default ` +
      `settings: three publish ${rate} messages a second each, twelve subscribe to all of it, six ask one request after the ` +
      "other (time-out 1 s, one retry), six answer as a queue group. Servers and clients share the machine; its load average " +
      `was ${loadavg()[2]!.toFixed(1)}.`,
    table.join("\n"),
    "A client that moves misses what is published between its end on one server and its subscription on the next: NATS has no " +
      "memory. A shoal in lame duck mode closes clients one after the other, so that the gap of each is as short as its own way " +
      "to the next server; a server that ends sends all of its clients away at once. What a publisher says while its library has no " +
      "connection is dropped there, and no server can know of it.",
  ];
  const path = join(import.meta.dirname, "../../docs/benchmarks/rolling.md");
  writeFileSync(path, `${blocks.join("\n\n")}\n`);
  return path;
}
