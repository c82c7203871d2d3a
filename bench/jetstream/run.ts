#!/usr/bin/env node
/**
 * Streams on shoal and on nats-server, in turns on one machine: messages a second, processor time of the server for each, and the round
 * trip where each message is awaited.
 *
 *     npm run bench:jetstream [-- --nats-server nats-server --shoal bin/shoal --rounds 5 --only async --memory --scale 1 --write]
 *
 * nats-server keeps its default: it acknowledges what the kernel has, and syncs every two minutes. shoal is measured so as well
 * (`sync_interval: "2m"`), and with its own default, where an acknowledgement means that the disk has the message.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServer } from "../../test/support/nats-server.ts";
import { describeMachine } from "../report/machine.ts";
import { median } from "../statistics.ts";
import { WireClient } from "./client.ts";
import { WORKLOADS, type Workload } from "./workloads.ts";

const { values } = parseArgs({
  options: {
    shoal: { type: "string", default: "bin/shoal" },
    "nats-server": { type: "string", default: "nats-server" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    scale: { type: "string", default: "1" },
    memory: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});

interface Contender {
  readonly name: string;
  readonly command: string;
  readonly config: string;
}

const LAZY = 'sync_interval: "2m"';
const CONTENDERS: readonly Contender[] = [
  { name: "nats-server", command: values["nats-server"], config: LAZY },
  { name: "shoal, lazy", command: values.shoal, config: LAZY },
  { name: "shoal", command: values.shoal, config: "" },
];
const TICKS_PER_SECOND = 100;

interface Sample {
  readonly perSecond: number;
  /** Processor time of the server in microseconds a message. */
  readonly cpuMicros: number;
  /** Median and 99th percentile in microseconds; NaN where nothing is awaited. */
  readonly p50Micros: number;
  readonly p99Micros: number;
}

const rows: { workload: Workload; medians: Map<string, Sample> }[] = [];
for (const workload of WORKLOADS.filter(({ name }) => name.includes(values.only))) {
  const samples = new Map<string, Sample[]>(CONTENDERS.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    const order = round % 2 === 0 ? CONTENDERS : CONTENDERS.toReversed();
    for (const contender of order) samples.get(contender.name)!.push(await measure(contender, workload));
  }
  const medians = new Map(
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
  rows.push({ workload, medians });
  console.log(
    `${workload.name.padEnd(10)} ${[...medians].map(([name, one]) => `${name} ${text(one)}`).join(" | ")}`,
  );
}
if (values.write) writeFileSync(join(import.meta.dirname, "../../docs/benchmarks/jetstream.md"), report());

async function measure({ command, config }: Contender, workload: Workload): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-bench-"));
  const server = await startServer(command, `jetstream { store_dir: ${JSON.stringify(folder)}, ${config} }`);
  const client = await WireClient.open(server.port);
  try {
    const count = Math.round(workload.count * Number(values.scale));
    const target = { client, count, storage: values.memory ? "memory" : "file" } as const;
    await workload.prepare(target);
    const cpuBefore = cpuMicrosOf(server.pid);
    const since = performance.now();
    const times = await workload.run(target);
    const tookMs = performance.now() - since;
    const sorted = times.toSorted((a, b) => a - b);
    const at = (share: number): number => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 1000;
    return {
      perSecond: (count / tookMs) * 1000,
      cpuMicros: (cpuMicrosOf(server.pid) - cpuBefore) / count,
      p50Micros: at(0.5),
      p99Micros: at(0.99),
    };
  } finally {
    client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** User and system time, with all threads. */
function cpuMicrosOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

function text({ perSecond, cpuMicros, p50Micros, p99Micros }: Sample): string {
  const trip = Number.isNaN(p50Micros) ? "" : `, ${p50Micros.toFixed(0)} (${p99Micros.toFixed(0)}) us`;
  return `${(perSecond / 1000).toFixed(perSecond < 10_000 ? 1 : 0)} k/s, ${cpuMicros.toFixed(2)} us CPU${trip}`;
}

function report(): string {
  const names = CONTENDERS.map(({ name }) => name);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const { cpu, cores, memoryGiB, kernel, node, shoal } = describeMachine();
  const ratio = (medians: Map<string, Sample>, name: string): string => {
    const [own, other] = [medians.get(name)!, medians.get("nats-server")!];
    return `×${(own.perSecond / other.perSecond).toFixed(2)}, CPU ×${(own.cpuMicros / other.cpuMicros).toFixed(2)}`;
  };
  return [
    "# Streams",
    "",
    "Messages a second, processor time of the server for each, and where each is awaited the median round trip (99th percentile). nats-server",
    'keeps its default, which acknowledges before the disk has the message. shoal does so with `sync_interval: "2m"` (lazy); its own default',
    "acknowledges when the disk has it. The client is one thread of Node.js and shares the machine: where it publishes, throughput beyond 300,000 is near",
    `its own limit; processor time is not. Medians of ${values.rounds} rounds in turns; streams in ${values.memory ? "memory" : "files"}.`,
    "",
    "```sh",
    `npm run bench:jetstream -- --rounds ${values.rounds}${values.memory ? " --memory" : ""} --write`,
    "```",
    "",
    `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${kernel}; Node.js ${node}; shoal ${shoal}.`,
    "",
    line(["", ...names, "lazy to nats-server", "durable to nats-server"]),
    line(["---", ...names.map(() => "---:"), "---:", "---:"]),
    ...rows.map(({ workload, medians }) =>
      line([
        workload.about,
        ...names.map((name) => text(medians.get(name)!)),
        ratio(medians, "shoal, lazy"),
        ratio(medians, "shoal"),
      ]),
    ),
    "",
  ].join("\n");
}
