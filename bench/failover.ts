#!/usr/bin/env node
/**
 * `node bench/failover.ts [--kills N] [--nats-server COMMAND]`: kills the leader of a stream with three replicas, again and again, and
 * says how long it takes until a publisher on another server is told again that its message is stored.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { register } from "./children.ts";
import { median } from "./statistics.ts";

const LOOPBACK = "127.0.0.1";
const NAMES = ["n1", "n2", "n3"];
/** A publisher that gets no answer asks again after this. */
const RETRY_MS = 100;
const DEADLINE_MS = 120_000;

const { values } = parseArgs({
  options: { kills: { type: "string", default: "10" }, "nats-server": { type: "string" } },
});

interface Ports {
  readonly port: number;
  readonly routePort: number;
}

type Launch = (name: string, own: Ports, routes: readonly number[], folder: string) => ChildProcess;

/** All are configured alike. */
const launch =
  (...command: readonly string[]): Launch =>
  (name, { port, routePort }, routes, folder) => {
    const urls = routes.map((route) => `"nats://${LOOPBACK}:${route}"`).join(", ");
    const lines = [
      `server_name: ${name}`,
      `listen: "${LOOPBACK}:${port}"`,
      `jetstream { store_dir: "${folder}", sync_interval: always }`,
      `cluster { name: C, listen: "${LOOPBACK}:${routePort}", routes: [${urls}] }`,
    ];
    const file = join(folder, "server.conf");
    writeFileSync(file, lines.join("\n"));
    const [program = "", ...args] = command;
    return spawn(program, [...args, "-c", file], { stdio: "ignore" });
  };

class Cluster {
  private readonly launch: Launch;
  private readonly ports = new Map<string, Ports>();
  private readonly folders = new Map<string, string>();
  private readonly children = new Map<string, ChildProcess>();

  constructor(launch: Launch) {
    this.launch = launch;
  }

  async start(): Promise<void> {
    const ports = await freePorts(2 * NAMES.length);
    NAMES.forEach((name, i) => {
      this.ports.set(name, { port: ports[2 * i]!, routePort: ports[2 * i + 1]! });
      this.folders.set(name, mkdtempSync(join(tmpdir(), "failover-")));
    });
    for (const name of NAMES) this.begin(name);
  }

  begin(name: string): void {
    const routes = [...this.ports.values()].map(({ routePort }) => routePort);
    const child = this.launch(name, this.ports.get(name)!, routes, this.folders.get(name)!);
    register(child);
    this.children.set(name, child);
  }

  async kill(name: string): Promise<void> {
    const child = this.children.get(name)!;
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
  }

  removeFolders(): void {
    for (const folder of this.folders.values()) rmSync(folder, { recursive: true, force: true });
  }

  client(name: string): Promise<NatsConnection> {
    const servers = `${LOOPBACK}:${this.ports.get(name)!.port}`;
    return until(`${name} to take a client`, () =>
      connect({ servers, reconnect: false, timeout: 2000 }).catch(() => undefined),
    );
  }
}

interface Info {
  readonly error?: object;
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly current: boolean }[];
  };
}

async function ask(client: NatsConnection, subject: string, body = ""): Promise<Info | undefined> {
  const answer = await client.request(subject, body, { timeout: 2000 }).catch(() => undefined);
  const info = answer?.json<Info>();
  return info?.error === undefined ? info : undefined;
}

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
  const cluster = new Cluster(launch);
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

async function killLeader(cluster: Cluster): Promise<number> {
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

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const endMs = performance.now() + DEADLINE_MS; performance.now() < endMs; await delay(50)) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
  }
  throw new Error(`waited in vain for ${what}`);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, LOOPBACK);
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function show(name: string, gaps: readonly number[]): void {
  const sorted = gaps.toSorted((a, b) => a - b);
  const of = (ms: number): string => `${Math.round(ms)} ms`;
  console.log(
    `${name}: ${gaps.length} kills, median ${of(median(gaps))}, least ${of(sorted[0]!)}, most ${of(sorted.at(-1)!)}`,
  );
}

const kills = Number(values.kills);
show("shoal", await measure(launch(join(import.meta.dirname, "../bin/shoal")), kills));
const command = values["nats-server"];
if (command !== undefined) show("nats-server", await measure(launch(command), kills));
process.exit(0);
