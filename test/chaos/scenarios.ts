/**
 * The losses that the public Jepsen analysis of NATS 2.12.1 describes, one by one and without chance: what it found under faults by chance is
 * brought about here in a few seconds. Each scenario is run on any of the servers, and returns what was lost or differs.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { checkCopies, checkPublishes } from "./checker.ts";
import { ask, ASK_TIMEOUT_MS, client, pause } from "./clients.ts";
import { History } from "./history.ts";
import { Observer } from "./observer.ts";
import { Servers, type ServersOptions } from "./servers.ts";

const STREAM = "S";
const PUBLISHERS = 10;
const MADE_WITHIN_MS = 60_000;
const PUBLISH_WITHIN_MS = 60_000;
/** Looks at intervals of half a second. */
const SETTLE_LOOKS = 120;
/** Bits that are flipped in each file. */
const FLIPS = 5;
/** Where shoal and nats-server keep what the servers have agreed on. */
const AGREED = /%groups|_meta_/;

interface Scenario {
  readonly name: string;
  readonly servers: number;
  readonly replicas: number;
  /** Brings it about; the servers all run again in the end. */
  readonly act: (stage: Stage) => Promise<void>;
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "power of all",
    servers: 3,
    replicas: 3,
    async act(stage) {
      await stage.publish(1000);
      await stage.servers.losePower(stage.servers.names);
      stage.startAll();
    },
  },
  { name: "power of one", servers: 3, replicas: 3, act: losePowerOfOne },
  {
    name: "flipped bits in messages",
    servers: 3,
    replicas: 3,
    async act(stage) {
      await stage.publish(1000);
      const [, damaged = ""] = await stage.leaderFirst();
      await stage.servers.end(damaged, "SIGTERM");
      const blocks = filesOf(stage, damaged).filter((file) => /streams.*\.blk$/.test(file));
      for (const file of blocks) flipSome(file);
      stage.startAll();
      await stage.publish(50);
    },
  },
  {
    name: "flipped bits in what the cluster has agreed on",
    servers: 5,
    replicas: 5,
    async act(stage) {
      await stage.publish(200);
      const damaged = (await stage.leaderFirst()).slice(-2);
      for (const name of damaged) await stage.servers.end(name, "SIGTERM");
      for (const name of damaged)
        for (const file of filesOf(stage, name)) if (AGREED.test(file)) flipSome(file);
      stage.startAll();
      await stage.publish(50);
    },
  },
];

/**
 * A message is acknowledged by the leader and one follower, while the other one is cut off. The follower loses power, and with the one that knows
 * nothing of the message it is a majority.
 */
async function losePowerOfOne(stage: Stage): Promise<void> {
  const { servers } = stage;
  await stage.publish(200);
  const [leader = "", kept = "", away = ""] = await stage.leaderFirst();
  for (const other of [leader, kept]) {
    servers.cut(other, away);
    servers.cut(away, other);
  }
  await stage.publish(300);
  servers.pause(leader);
  await servers.losePower([kept]);
  await servers.end(leader, "SIGKILL");
  servers.joinAll();
  servers.start(kept);
  await stage.leads([kept, away]);
  await stage.publish(100);
  stage.startAll();
}

/** Sentences about what is wrong in the end; none: it passed. */
export async function runScenario(
  scenario: Scenario,
  options: Omit<ServersOptions, "count">,
): Promise<readonly string[]> {
  await using servers = new Servers({ ...options, count: scenario.servers });
  await using stage = await new Stage(servers, scenario.replicas, options.note).open();
  if (!(await stage.make())) return ["the stream could not be made"];
  await scenario.act(stage);
  return await stage.judge();
}

class Stage implements AsyncDisposable {
  readonly servers: Servers;
  private readonly replicas: number;
  private readonly note: (text: string) => void;
  private readonly history = new History();
  private nc!: NatsConnection;
  private observer!: Observer;

  constructor(servers: Servers, replicas: number, note: (text: string) => void) {
    this.servers = servers;
    this.replicas = replicas;
    this.note = note;
  }

  async open(): Promise<this> {
    const { servers, note } = this;
    this.nc = await client(servers.urls);
    this.observer = new Observer({
      servers,
      nc: this.nc,
      streams: [STREAM],
      consumers: [],
      note,
    });
    return this;
  }

  async make(): Promise<boolean> {
    const config = {
      name: STREAM,
      subjects: ["s.*"],
      num_replicas: this.replicas,
    };
    for (const endMs = performance.now() + MADE_WITHIN_MS; performance.now() < endMs; await pause(200)) {
      await ask(this.nc, `STREAM.CREATE.${STREAM}`, config);
      if ((await this.observer.settled(2)) === "") return true;
    }
    return false;
  }

  /** Publishes so many messages; each is tried until it is acknowledged, or the time is over. */
  async publish(count: number): Promise<void> {
    const js = jetstream(this.nc, { timeout: ASK_TIMEOUT_MS });
    const before = this.history.publishes.length;
    const endMs = performance.now() + PUBLISH_WITHIN_MS;
    const one = async (): Promise<void> => {
      while (this.history.publishes.length < before + count) {
        const record = this.history.publish(`m${this.history.publishes.length}`, STREAM);
        const options = { msgID: record.id, timeout: ASK_TIMEOUT_MS };
        while (record.acknowledged === undefined && performance.now() < endMs) {
          const ack = await js.publish("s.1", record.id, options).catch(() => undefined);
          if (ack !== undefined) record.acknowledged = { atMs: performance.now(), seq: ack.seq };
          else await pause(100);
        }
      }
    };
    await Promise.all(Array.from({ length: PUBLISHERS }, one));
    this.note(`${this.history.acknowledged(STREAM)} messages acknowledged`);
  }

  /** The servers with a copy, the leader before the others, when all are complete. */
  async leaderFirst(): Promise<string[]> {
    await this.observer.settled(SETTLE_LOOKS);
    const cluster = (await ask(this.nc, `STREAM.INFO.${STREAM}`))?.cluster;
    return [cluster?.leader ?? "", ...(cluster?.replicas ?? []).map(({ name }) => name)];
  }

  /** Waits until one of them leads. */
  async leads(names: readonly string[]): Promise<void> {
    for (const endMs = performance.now() + PUBLISH_WITHIN_MS; performance.now() < endMs; await pause(200)) {
      const leader = (await ask(this.nc, `STREAM.INFO.${STREAM}`))?.cluster?.leader ?? "";
      if (names.includes(leader)) return;
    }
    this.note(`none of ${names.join(" ")} leads`);
  }

  startAll(): void {
    for (const name of this.servers.names) this.servers.start(name);
  }

  async judge(): Promise<readonly string[]> {
    const unsettled = await this.observer.settled(SETTLE_LOOKS);
    const { found, failures } = await this.observer.copies();
    return [
      ...(unsettled === "" ? [] : [`${SETTLE_LOOKS} looks later: ${unsettled}`]),
      ...failures,
      ...found.flatMap((copy) => checkPublishes(STREAM, this.history.publishes, copy)),
      ...checkCopies(found),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nc.close();
  }
}

function filesOf(stage: Stage, name: string): string[] {
  return readdirSync(stage.servers.disks.get(name)!.store, {
    withFileTypes: true,
    recursive: true,
  })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file).size > 0);
}

/** At places that are spread over the file. */
function flipSome(file: string): void {
  const bytes = readFileSync(file);
  for (let i = 1; i <= FLIPS; i++) bytes[Math.floor((bytes.length * i) / (FLIPS + 1))]! ^= 1 << i;
  writeFileSync(file, bytes);
}
