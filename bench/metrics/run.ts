#!/usr/bin/env node
/**
 * `npm run bench:metrics`: how long a scrape takes of a server with many connections, and what scrapes cost the messages that
 * the server carries meanwhile: runs of the load generator in turns, without scrapes and with one each second.
 *
 *     node bench/metrics/run.ts [--connections 10000] [--scrapes 50] [--rounds 12] [--messages 15000000] [--command bin/shoal]
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { choosePorts } from "../../scripts/start-cluster/ports.ts";
import { register } from "../children.ts";
import { buildLoadGenerator } from "../load/build.ts";
import { median } from "../statistics.ts";

const HOST = "127.0.0.1";
const BETWEEN_SCRAPES_MS = 100;
const SCRAPE_EVERY_MS = 1000;

const { values: given } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    scrapes: { type: "string", default: "50" },
    rounds: { type: "string", default: "12" },
    messages: { type: "string", default: "15000000" },
    command: { type: "string", default: join(import.meta.dirname, "../../bin/shoal") },
  },
});

const [ports] = await choosePorts(HOST, [0]);
const port = ports!.port;
const [monitorPorts] = await choosePorts(HOST, [0]);
const base = `http://${HOST}:${monitorPorts!.port}`;
const server = spawn(given.command, ["-a", HOST, "-p", String(port), "-m", String(monitorPorts!.port)], {
  stdio: "ignore",
});
register(server);
while (!(await answers())) await delay(20);
const holder = spawn(
  process.execPath,
  [join(import.meta.dirname, "connections.ts"), String(port), given.connections],
  {
    stdio: ["pipe", "pipe", "inherit"],
  },
);
register(holder);
await once(holder.stdout, "data");
await measureScrapes();
await measureThroughput();
process.exit();

async function measureScrapes(): Promise<void> {
  const times: number[] = [];
  let bytes = 0;
  await scrape(); // loads
  const before = await spentSeconds();
  for (let i = 0; i < Number(given.scrapes); i++) {
    const startedMs = performance.now();
    bytes = await scrape();
    times.push(performance.now() - startedMs);
    await delay(BETWEEN_SCRAPES_MS);
  }
  const spentMs = (1000 * ((await spentSeconds()) - before)) / times.length;
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1);
  console.log(`${given.connections} connections, a scrape of ${(bytes / 1024).toFixed(0)} KiB takes`);
  console.log(`  median ${at(0.5)} ms, 90 % ${at(0.9)} ms, longest ${at(1)} ms`);
  console.log(`  and ${spentMs.toFixed(1)} ms of the processor`);
}

async function measureThroughput(): Promise<void> {
  const generator = buildLoadGenerator();
  const load = ["--mode", "pubsub", "--size", "16", "--messages", given.messages];
  const target = ["--host", HOST, "--port", String(port), "--pids", String(server.pid)];
  const run = async (isScraped: boolean): Promise<Record<string, number>> => {
    const end = new AbortController();
    const scraping = isScraped ? scrapeUntil(end.signal) : null;
    const { stdout } = await promisify(execFile)(generator, [...load, ...target]);
    end.abort();
    await scraping;
    return JSON.parse(stdout) as Record<string, number>;
  };
  await run(false); // warms up
  const rounds: { readonly plain: Record<string, number>; readonly scraped: Record<string, number> }[] = [];
  for (let round = 0; round < Number(given.rounds); round++) {
    if (round % 2 === 0) {
      const plain = await run(false);
      rounds.push({ plain, scraped: await run(true) });
    } else {
      const scraped = await run(true);
      rounds.push({ plain: await run(false), scraped });
    }
  }
  console.log("with one scrape each second, compared within each round:");
  for (const figure of ["messagesPerSecond", "cpuNsPerMessage"]) {
    const changes = rounds.map(({ plain, scraped }) => 100 * (scraped[figure]! / plain[figure]! - 1));
    const without = median(rounds.map(({ plain }) => plain[figure]!));
    const [least, most] = [Math.min(...changes), Math.max(...changes)].map((one) => one.toFixed(1));
    console.log(`  ${figure}: ${without.toFixed(0)}, ${median(changes).toFixed(1)} % (${least} to ${most})`);
  }
}

async function scrapeUntil(end: AbortSignal): Promise<void> {
  while (!end.aborted) {
    await scrape();
    await delay(SCRAPE_EVERY_MS, undefined, { signal: end }).catch(() => undefined);
  }
}

/** Processor time of the server, all its threads. */
async function spentSeconds(): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text();
  return Number(/^process_cpu_seconds_total (.*)$/m.exec(text)?.[1]);
}

async function answers(): Promise<boolean> {
  return ask(`${base}/healthz`).then(
    () => true,
    () => false,
  );
}

function scrape(): Promise<number> {
  return ask(`${base}/metrics`);
}

/** Resolves with the length of the answer. */
async function ask(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => (bytes += chunk.length));
      response.on("end", () => resolve(bytes)).on("error", reject);
    }).on("error", reject);
  });
}
