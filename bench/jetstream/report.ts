/** Measurements of streams -> docs/benchmarks/jetstream.md and its charts. Ratios are to nats-server. */
import { ratioChart, type ChartRow } from "../report/chart.ts";
import { describeMachine } from "../report/machine.ts";
import type { Bar, Workload } from "./target.ts";

export interface Sample {
  readonly perSecond: number;
  /** Processor time of the server in microseconds a message. */
  readonly cpuMicros: number;
  /** Median and 99th percentile in microseconds; NaN where nothing is awaited. */
  readonly p50Micros: number;
  readonly p99Micros: number;
}

export interface Row {
  readonly workload: Workload;
  /** By the name of the contender. */
  readonly medians: ReadonlyMap<string, Sample>;
}

export const REFERENCE = "nats-server";
export const LAZY = "shoal, lazy";
export const DURABLE = "shoal";

export function text({ perSecond, cpuMicros, p50Micros, p99Micros }: Sample): string {
  const trip = Number.isNaN(p50Micros) ? "" : `, ${p50Micros.toFixed(0)} (${p99Micros.toFixed(0)}) us`;
  return `${(perSecond / 1000).toFixed(perSecond < 10_000 ? 1 : 0)} k/s, ${cpuMicros.toFixed(2)} us CPU${trip}`;
}

/** The figures of the bar, as shares of those of nats-server. */
function ratiosOf({ medians }: Row, name: string): Required<Bar> {
  const [own, other] = [medians.get(name)!, medians.get(REFERENCE)!];
  return {
    throughput: own.perSecond / other.perSecond,
    cpu: own.cpuMicros / other.cpuMicros,
    p50: own.p50Micros / other.p50Micros,
    p99: own.p99Micros / other.p99Micros,
  };
}

function ratioText(row: Row, name: string): string {
  const { throughput, cpu, p50, p99 } = ratiosOf(row, name);
  const trip = Number.isNaN(p50) ? "" : `, times ×${p50.toFixed(2)} (×${p99.toFixed(2)})`;
  return `×${throughput.toFixed(2)}, CPU ×${cpu.toFixed(2)}${trip}`;
}

/** "met", or what is not. */
export function verdict(row: Row, name: string): string {
  const { bar } = row.workload;
  const found = ratiosOf(row, name);
  const misses: string[] = [];
  if (bar.throughput !== undefined && found.throughput < bar.throughput)
    misses.push(`throughput below ×${bar.throughput}`);
  if (bar.cpu !== undefined && found.cpu > bar.cpu) misses.push(`CPU above ×${bar.cpu.toFixed(2)}`);
  if (bar.p50 !== undefined && found.p50 > bar.p50) misses.push(`median above ×${bar.p50}`);
  if (bar.p99 !== undefined && found.p99 > bar.p99) misses.push(`99th above ×${bar.p99}`);
  return misses.length === 0 ? "met" : misses.join(", ");
}

/** Both policies of shoal beside nats-server. */
function comparison(rows: readonly Row[]): string[] {
  return table(
    ["", REFERENCE, LAZY, DURABLE, "lazy to nats-server", "durable to nats-server", "bar"],
    rows.map((row) => [
      row.workload.about,
      ...[REFERENCE, LAZY, DURABLE].map((name) => text(row.medians.get(name)!)),
      ratioText(row, LAZY),
      ratioText(row, DURABLE),
      verdict(row, LAZY),
    ]),
  );
}

/** What profiles of the rows that miss their bar show. */
const MISSES: readonly string[] = [
  "## Where the bar is missed, and why",
  "",
  "The bar comes from a prototype without accounts, limits, redelivery and consumer state on the disk. Profiles (`--cpu-prof`) of the rows that miss",
  "it show where the time goes:",
  "",
  "- **Throughput** of what is not awaited: client and servers share two cores, and the client needs one of them. The processor time of the server is",
  "  what differs.",
  "- **Each awaited**: the kernel takes most of it, for a read and a write of the socket, a write of the file, and waking two processes for",
  "  each message. nats-server makes the same calls.",
  "- **1 KB and 16 KB**: each byte is copied into the block, summed up by CRC-32, and written to the file by the kernel; on its way out it is summed",
  "  up again and copied into the socket. A sum at the speed of memory would need the blocks in the memory of a WebAssembly module.",
  "- **Each acknowledged**: half of it is the acknowledgement, a message of its own with a subject that is taken apart, a mark in the consumer's state, and its",
  "  record on the disk (the row without acknowledgements shows the other half).",
  "- **Very many subjects, message ids**: each message looks into a table that is larger than the caches of the processor.",
  "- **Memory**: storage in memory grows with the stream, and the engine looks through its heap each time that some tens of MB came.",
  "- **Always, 16 publishers** is not explained yet.",
];

export function report(rows: readonly Row[], rounds: number): string {
  const { cpu, cores, memoryGiB, kernel, node, shoal } = describeMachine();
  const usual = rows.filter(({ workload }) => workload.policy === undefined);
  const always = rows.filter(({ workload }) => workload.policy === "always");
  return [
    "# Streams",
    "",
    "Messages a second, processor time of the server for each, and where each is awaited the median round trip (99th percentile). nats-server",
    'keeps its default, which acknowledges before the disk has the message. shoal does so with `sync_interval: "2m"` (lazy); its own default',
    "acknowledges when the disk has it. The client is one thread of Node.js and shares the machine: where it publishes or takes more than",
    "some 300,000 a second, throughput is its own limit, for all servers; processor time is not. The bar is what is meant to be reached by the lazy policy.",
    `Medians of ${rounds} rounds in turns.`,
    "",
    "```sh",
    `npm run bench:jetstream -- --rounds ${rounds} --write`,
    "```",
    "",
    `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${kernel}; Node.js ${node}; shoal ${shoal}.`,
    "",
    "![shoal, lazy, compared with nats-server](jetstream-lazy.svg)",
    "",
    "![shoal, durable, compared with nats-server](jetstream-durable.svg)",
    "",
    ...comparison(usual),
    "",
    "With `sync_interval: always` nats-server syncs before it acknowledges, too:",
    "",
    ...table(
      ["", REFERENCE, DURABLE, "to nats-server", "bar"],
      always.map((row) => [
        row.workload.about,
        ...[REFERENCE, DURABLE].map((name) => text(row.medians.get(name)!)),
        ratioText(row, DURABLE),
        verdict(row, DURABLE),
      ]),
    ),
    "",
    ...MISSES,
    "",
    "`npm run bench:jetstream -- --replicas 3` compares streams with three replicas.",
    "",
  ].join("\n");
}

export function replicatedReport(rows: readonly Row[], rounds: number): string {
  const { cpu, cores, memoryGiB, kernel, node, shoal } = describeMachine();
  return [
    "# Streams with three replicas",
    "",
    "Messages a second, processor time of all three servers for each, and where each is awaited the median round trip (99th percentile). Clients",
    "are connected to the server that leads. nats-server keeps its default, which acknowledges when the kernels of a majority have the",
    'message; shoal does so with `sync_interval: "2m"` (lazy). Its own default acknowledges when the disks of a majority have it. The bar is what',
    `is meant to be reached by the lazy policy. Medians of ${rounds} rounds in turns; client and servers share the machine.`,
    "",
    "```sh",
    `npm run bench:jetstream -- --replicas 3 --rounds ${rounds} --write`,
    "```",
    "",
    `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${kernel}; Node.js ${node}; shoal ${shoal}.`,
    "",
    ...comparison(rows),
    "",
    "No bar is met yet. Each message is encoded once more than without replicas, is stored by three servers, and takes two routes and their answers; with",
    "one publisher that awaits each, an append, its answers and the news that it is agreed on are seven writes of the leader.",
    "",
  ].join("\n");
}

export function chart(rows: readonly Row[], name: string): string {
  const bars = rows
    .filter(({ medians }) => medians.has(name))
    .map((row): ChartRow => {
      const { throughput, cpu } = ratiosOf(row, name);
      return { label: row.workload.name, throughput, cpu: 1 / cpu };
    });
  return ratioChart(name === LAZY ? "shoal, lazy," : "shoal, durable,", REFERENCE, bars);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)];
}
