#!/usr/bin/env node
/**
 * `node bench/catch-up.ts [--mib N] [--nats-server COMMAND]`: fills a stream with three replicas, takes everything from one server that does not
 * lead, and says how fast it gets it again, and how long a publisher to the leader waits for each of its messages before and
 * meanwhile. Both have their lazy policy, and shoal its default as well.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { NatsConnection } from "@nats-io/transport-node";
import { ask, launch, Members, NAMES, until, type Launch } from "./jetstream/members.ts";

const MESSAGE_BYTES = 16_384;
/** Messages that are unacknowledged while the stream is filled. */
const WINDOW = 64;
const PUBLISH_EVERY_MS = 2;
const BEFORE_MS = 5000;
const INFO = "$JS.API.STREAM.INFO.S";

const { values } = parseArgs({
  options: { mib: { type: "string", default: "512" }, "nats-server": { type: "string" } },
});
const MESSAGES = Math.ceil((Number(values.mib) * 2 ** 20) / MESSAGE_BYTES);

/** Publishes one message after the other, and keeps how long each took. */
class Publisher {
  private times: number[] = [];
  private isOver = false;
  private readonly over: Promise<void>;

  constructor(client: NatsConnection) {
    this.over = this.run(client);
  }

  /** What it waited since the last call, in ms: the median, the 99th percentile, and how many there were. */
  take(): { p50: number; p99: number; count: number } {
    const sorted = this.times.splice(0).sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99), count: sorted.length };
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.over;
  }

  private async run(client: NatsConnection): Promise<void> {
    while (!this.isOver) {
      const since = performance.now();
      await client.request("s.small", "x".repeat(128), { timeout: 5000 });
      this.times.push(performance.now() - since);
      await delay(PUBLISH_EVERY_MS);
    }
  }
}

async function measure(name: string, how: Launch): Promise<void> {
  const members = new Members(how);
  await members.start();
  const config = JSON.stringify({ name: "S", subjects: ["s.>"], num_replicas: NAMES.length });
  const first = await members.client(NAMES[0]!);
  await until("the stream to be made", async () => {
    await ask(first, "$JS.API.STREAM.CREATE.S", config);
    return ask(first, INFO);
  });
  const leader = await whole(first);
  const client = await members.client(leader);
  await fill(client);
  await whole(client);
  const publisher = new Publisher(client);
  await delay(BEFORE_MS);
  const before = publisher.take();
  const wiped = NAMES.find((one) => one !== leader && one !== NAMES[0])!;
  await members.kill(wiped);
  members.wipe(wiped);
  await until("the others to notice", async () => {
    const { replicas = [] } = (await ask(client, INFO))?.cluster ?? {};
    return replicas.some(({ current }) => !current);
  });
  publisher.take();
  members.begin(wiped);
  // the time of its start, with that of its process, counts
  const since = performance.now();
  await whole(client);
  const tookMs = performance.now() - since;
  const meanwhile = publisher.take();
  await publisher.stop();
  const perSecond = (MESSAGES * MESSAGE_BYTES) / 1e6 / (tookMs / 1000);
  const times = ({ p50, p99, count }: typeof before): string =>
    `median ${p50.toFixed(2)} ms, 99th percentile ${p99.toFixed(2)} ms of ${count}`;
  console.log(`${name}: ${values.mib} MiB in ${(tookMs / 1000).toFixed(1)} s, ${perSecond.toFixed(0)} MB/s`);
  console.log(`  a publisher: before ${times(before)}; meanwhile ${times(meanwhile)}`);
  for (const one of NAMES) await members.kill(one);
  members.removeFolders();
}

/** Its leader, once all copies are complete; one that starts is not known to be behind at once. */
async function whole(client: NatsConnection): Promise<string> {
  let seen = 0;
  return until("all replicas to be current", async () => {
    const { leader = "", replicas = [] } = (await ask(client, INFO))?.cluster ?? {};
    const isWhole = leader !== "" && replicas.length === 2 && replicas.every(({ current }) => current);
    seen = isWhole ? seen + 1 : 0;
    return seen >= 3 && leader;
  });
}

async function fill(client: NatsConnection): Promise<void> {
  const payload = Buffer.alloc(MESSAGE_BYTES, "x");
  let left = MESSAGES;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left--;
      await client.request("s.large", payload, { timeout: 20_000 });
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, one));
}

const SHOAL = join(import.meta.dirname, "../bin/shoal");
const LAZY = 'sync_interval: "2m"';
await measure("shoal, lazy", launch(LAZY, SHOAL));
await measure("shoal", launch("", SHOAL));
const command = values["nats-server"];
if (command !== undefined) await measure("nats-server", launch(LAZY, command));
process.exit(0);
