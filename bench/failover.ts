#!/usr/bin/env node
/**
 * `node bench/failover.ts [--kills N] [--nats-server COMMAND]`: kills the leader of a stream with three replicas, again and again, and
 * says how long it takes until a publisher on another server is told again that its message is stored.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { NatsConnection } from "@nats-io/transport-node";
import { ask, DEADLINE_MS, launch, Members, NAMES, until, type Launch } from "./jetstream/members.ts";
import { median } from "./statistics.ts";

/** A publisher that gets no answer asks again after this. */
const RETRY_MS = 100;

const { values } = parseArgs({
  options: { kills: { type: "string", default: "50" }, "nats-server": { type: "string" } },
});

/** Publishes until a message is acknowledged, one that was sent after the call. */
async function publishOne(client: NatsConnection): Promise<void> {
  for (const endMs = performance.now() + DEADLINE_MS; performance.now() < endMs;) {
    const answer = await client.request("s.1", "x", { timeout: RETRY_MS }).catch(() => undefined);
    if (answer?.json<{ seq?: number }>().seq !== undefined) return;
    // with nobody interested the answer comes at once
    if (answer === undefined) await delay(10);
  }
  throw new Error("nothing was acknowledged any more");
}

async function measure(launch: Launch, kills: number): Promise<number[]> {
  const cluster = new Members(launch);
  await cluster.start();
  const config = JSON.stringify({ name: "S", subjects: ["s.>"], num_replicas: NAMES.length });
  const [first] = NAMES;
  const asking = await cluster.client(first!);
  await until("the stream to be made", async () => {
    await ask(asking, "$JS.API.STREAM.CREATE.S", config);
    return ask(asking, "$JS.API.STREAM.INFO.S");
  });
  await asking.close();
  const gaps: number[] = [];
  for (let i = 0; i < kills; i++) gaps.push(await killLeader(cluster));
  for (const name of NAMES) await cluster.kill(name);
  cluster.removeFolders();
  return gaps;
}

async function killLeader(cluster: Members): Promise<number> {
  const clients = await Promise.all(NAMES.map((name) => cluster.client(name)));
  const leader = await until("all replicas to be current", async () => {
    const info = await ask(clients[0]!, "$JS.API.STREAM.INFO.S");
    const { leader = "", replicas = [] } = info?.cluster ?? {};
    return leader !== "" && replicas.length === 2 && replicas.every(({ current }) => current) && leader;
  });
  const publisher = clients[NAMES.findIndex((name) => name !== leader)]!;
  await publishOne(publisher);
  await delay(1000);
  const startMs = performance.now();
  const gone = cluster.kill(leader);
  await publishOne(publisher);
  const tookMs = performance.now() - startMs;
  await gone;
  cluster.begin(leader);
  await Promise.all(clients.map((client) => client.close().catch(() => undefined)));
  return tookMs;
}

/** The 99th percentile of up to a hundred kills is the longest of them. */
function show(name: string, gaps: readonly number[]): void {
  const sorted = gaps.toSorted((a, b) => a - b);
  const of = (ms: number): string => `${Math.round(ms)} ms`;
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1]!;
  console.log(
    `${name}: ${gaps.length} kills, median ${of(median(gaps))}, 99th percentile ${of(p99)}, least ${of(sorted[0]!)}, most ${of(sorted.at(-1)!)}`,
  );
}

const kills = Number(values.kills);
const SYNCED = "sync_interval: always";
show("shoal", await measure(launch(SYNCED, join(import.meta.dirname, "../bin/shoal")), kills));
const command = values["nats-server"];
if (command !== undefined) show("nats-server", await measure(launch(SYNCED, command), kills));
process.exit(0);
