/** Three servers with JetStream for benchmarks that kill some of them: processes on loopback, each with a folder that outlives it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { freePort } from "../../test/support/free-port.ts";
import { register } from "../children.ts";

export const NAMES = ["n1", "n2", "n3"];
/** Whatever a benchmark waits for comes within this time. */
export const DEADLINE_MS = 120_000;
const LOOPBACK = "127.0.0.1";
const STORE = "store";

interface Ports {
  readonly port: number;
  readonly routePort: number;
}

export type Launch = (name: string, own: Ports, routes: readonly number[], folder: string) => ChildProcess;

/** All are configured alike; `setting` is what they are told in the block `jetstream`. */
export const launch =
  (setting: string, ...command: readonly string[]): Launch =>
  (name, { port, routePort }, routes, folder) => {
    const urls = routes.map((route) => `"nats://${LOOPBACK}:${route}"`).join(", ");
    const lines = [
      `server_name: ${name}`,
      `listen: "${LOOPBACK}:${port}"`,
      `jetstream { store_dir: "${join(folder, STORE)}", ${setting} }`,
      `cluster { name: C, listen: "${LOOPBACK}:${routePort}", routes: [${urls}] }`,
    ];
    const file = join(folder, "server.conf");
    writeFileSync(file, lines.join("\n"));
    const [program = "", ...args] = command;
    return spawn(program, [...args, "-c", file], { stdio: "ignore" });
  };

export class Members {
  private readonly launch: Launch;
  private readonly ports = new Map<string, Ports>();
  private readonly folders = new Map<string, string>();
  private readonly children = new Map<string, ChildProcess>();

  constructor(launch: Launch) {
    this.launch = launch;
  }

  async start(): Promise<void> {
    for (const name of NAMES) {
      this.ports.set(name, { port: await freePort(), routePort: await freePort() });
      this.folders.set(name, mkdtempSync(join(tmpdir(), "members-")));
    }
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

  /** What it has kept is gone. It must have been killed. */
  wipe(name: string): void {
    rmSync(join(this.folders.get(name)!, STORE), { recursive: true, force: true });
  }

  removeFolders(): void {
    for (const folder of this.folders.values()) rmSync(folder, { recursive: true, force: true });
  }

  port(name: string): number {
    return this.ports.get(name)!.port;
  }

  client(name: string): Promise<NatsConnection> {
    const servers = `${LOOPBACK}:${this.port(name)}`;
    return until(`${name} to take a client`, () =>
      connect({ servers, reconnect: false, timeout: 2000 }).catch(() => undefined),
    );
  }
}

export interface Info {
  readonly error?: object;
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly name: string; readonly current: boolean }[];
  };
}

/** Undefined: an error, or no answer in time. */
export async function ask(client: NatsConnection, subject: string, body = ""): Promise<Info | undefined> {
  const answer = await client.request(subject, body, { timeout: 2000 }).catch(() => undefined);
  const info = answer?.json<Info>();
  return info?.error === undefined ? info : undefined;
}

export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const endMs = performance.now() + DEADLINE_MS; performance.now() < endMs; await delay(50)) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
  }
  throw new Error(`waited in vain for ${what}`);
}
