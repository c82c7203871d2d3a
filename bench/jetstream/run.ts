#!/usr/bin/env node
/**
 * Streams on shoal and on nats-server, in turns on one machine: messages a second, processor time of the server for each, and the round
 * trip where each message is awaited.
 *
 *     npm run bench:jetstream [-- --nats-server nats-server --shoal bin/shoal --rounds 3 --only async --scale 1 --write]
 *
 * nats-server keeps its default: it acknowledges what the kernel has, and syncs every two minutes. shoal is measured so as well
 * (`sync_interval: "2m"`), and with its own default, where an acknowledgement means that the disk has the message. The servers run all the
 * time, so that they are warm.
 *
 *     npm run bench:jetstream -- --replicas 3 [the same]
 *
 * compares clusters of three, with streams of three replicas: the lazy policy of both, and the default of shoal beside the lazy one of
 * nats-server. Processor time is that of all three servers.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServer } from "../../test/support/nats-server.ts";
import { median } from "../statistics.ts";
import { WireClient } from "./client.ts";
import { REPLICAS, startTrio, type Running } from "./replicated.ts";
import {
  chart,
  DURABLE,
  LAZY,
  REFERENCE,
  replicatedReport,
  report,
  text,
  verdict,
  type Row,
  type Sample,
} from "./report.ts";
import { ask, type Workload } from "./target.ts";
import { REPLICATED_WORKLOADS, WORKLOADS } from "./workloads.ts";

const { values } = parseArgs({
  options: {
    shoal: { type: "string", default: "bin/shoal" },
    "nats-server": { type: "string", default: "nats-server" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    scale: { type: "string", default: "1" },
    replicas: { type: "string", default: "1" },
    write: { type: "boolean", default: false },
  },
});

interface Contender {
  readonly name: string;
  readonly command: string;
  readonly config: string;
}

const OWN_DEFAULT: Contender = { name: DURABLE, command: values.shoal, config: "" };
const USUAL: readonly Contender[] = [
  { name: REFERENCE, command: values["nats-server"], config: 'sync_interval: "2m"' },
  { name: LAZY, command: values.shoal, config: 'sync_interval: "2m"' },
  OWN_DEFAULT,
];
const ALWAYS: readonly Contender[] = [
  { name: REFERENCE, command: values["nats-server"], config: "sync_interval: always" },
  OWN_DEFAULT,
];
const ROUNDS = Number(values.rounds);
const DOCS = join(import.meta.dirname, "../../docs/benchmarks");

const replicas = values.replicas === `${REPLICAS}` ? REPLICAS : 1;
const workloads = replicas === REPLICAS ? REPLICATED_WORKLOADS : WORKLOADS;
const contenders = replicas === REPLICAS ? USUAL : [...new Set([...USUAL, ...ALWAYS])];
const folder = mkdtempSync(join(tmpdir(), "shoal-bench-"));
const servers = new Map<Contender, Running>();
for (const [i, contender] of contenders.entries()) servers.set(contender, await start(contender, `${i}`));
const rows: Row[] = [];
for (const workload of workloads.filter(({ name }) => name.includes(values.only))) {
  const row = { workload, medians: await mediansOf(workload) };
  rows.push(row);
  const own = row.medians.has(LAZY) ? LAZY : DURABLE;
  const all = [...row.medians].map(([name, one]) => `${name} ${text(one)}`).join(" | ");
  console.log(`${workload.name.padEnd(12)} ${all} | ${verdict(row, own)}`);
}
for (const server of servers.values()) await server.stop();
rmSync(folder, { recursive: true, force: true });
if (values.write) write();

function write(): void {
  if (replicas === REPLICAS) {
    writeFileSync(join(DOCS, "jetstream-replicas.md"), replicatedReport(rows, ROUNDS));
    return;
  }
  writeFileSync(join(DOCS, "jetstream.md"), report(rows, ROUNDS));
  writeFileSync(join(DOCS, "jetstream-lazy.svg"), chart(rows, LAZY));
  writeFileSync(join(DOCS, "jetstream-durable.svg"), chart(rows, DURABLE));
}

async function start({ command, config }: Contender, name: string): Promise<Running> {
  const store = (server: string): string => {
    const place = JSON.stringify(join(folder, name, server));
    return `jetstream { store_dir: ${place}, ${config} }`;
  };
  if (replicas === REPLICAS) return startTrio(command, store);
  const server = await startServer(command, store("one"));
  return { port: server.port, pids: [server.pid], stop: () => server.stop() };
}

async function mediansOf(workload: Workload): Promise<Map<string, Sample>> {
  const contenders = workload.policy === "always" ? ALWAYS : USUAL;
  const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) samples.get(contender.name)!.push(await measure(contender, workload));
  }
  return new Map(
    Array.from(samples, ([name, all]): [string, Sample] => [
      name,
      {
        perSecond: median(all.map((one) => one.perSecond)),
        cpuMicros: median(all.map((one) => one.cpuMicros)),
        p50Micros: median(all.map((one) => one.p50Micros)),
        p99Micros: median(all.map((one) => one.p99Micros)),
      },
    ]),
  );
}

async function measure(contender: Contender, workload: Workload): Promise<Sample> {
  const { port, pids } = servers.get(contender)!;
  const client = await WireClient.open(port);
  const others: WireClient[] = [await WireClient.open(port)];
  try {
    const count = Math.round(workload.count * Number(values.scale));
    const storage = workload.storage ?? "file";
    const target = { port, client, count, others, storage, replicas } as const;
    await workload.prepare(target);
    const cpuBefore = cpuMicrosOf(pids);
    const since = performance.now();
    const times = await workload.run(target);
    const tookMs = performance.now() - since;
    const units = count / (workload.oneOf ?? 1);
    const sorted = times.toSorted((a, b) => a - b);
    const at = (share: number): number => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 1000;
    return {
      perSecond: (units / tookMs) * 1000,
      cpuMicros: (cpuMicrosOf(pids) - cpuBefore) / units,
      p50Micros: at(0.5),
      p99Micros: at(0.99),
    };
  } finally {
    await ask(client, "STREAM.DELETE.BENCH", {});
    for (const one of [client, ...others]) one.close();
  }
}

/** Adds up the processor time of all threads, as the scheduler counts it. */
function cpuMicrosOf(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids)
    for (const thread of readdirSync(`/proc/${pid}/task`))
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1000;
  return sum;
}
