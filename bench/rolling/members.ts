/**
 * Three server processes of one cluster that restart one after the other, on their own ports and under their own names, as the
 * pods of a StatefulSet do.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { register } from "../children.ts";

const loopback = "127.0.0.1";
const DEADLINE_MS = 60_000;

export interface Servers {
  readonly command: string;
  /** What ends a member: SIGTERM as an orchestrator does, or SIGUSR2 for lame duck mode. */
  readonly signal: "SIGTERM" | "SIGUSR2";
  /** Lines of the configuration. */
  readonly lines: readonly string[];
}

export class Members implements AsyncDisposable {
  readonly urls: readonly string[];
  private readonly servers: Servers;
  private readonly ports: readonly (readonly [client: number, route: number, monitor: number])[];
  private readonly running: (ChildProcess | undefined)[] = [];

  private constructor(servers: Servers, ports: readonly number[]) {
    this.servers = servers;
    this.ports = [0, 1, 2].map((i) => [ports[3 * i]!, ports[3 * i + 1]!, ports[3 * i + 2]!]);
    this.urls = this.ports.map(([client]) => `${loopback}:${client}`);
  }

  static async start(servers: Servers): Promise<Members> {
    const members = new Members(servers, await freePorts(9));
    for (const index of members.ports.keys()) members.begin(index);
    await members.whole();
    return members;
  }

  begin(index: number): void {
    const [client, route, monitor] = this.ports[index]!;
    const folder = mkdtempSync(join(tmpdir(), "rolling-"));
    const file = join(folder, "server.conf");
    const routes = this.ports.map(([, at]) => `"nats://${loopback}:${at}"`).join(", ");
    const lines = [
      `server_name: member-${index}`,
      `listen: "${loopback}:${client}"`,
      `http: "${loopback}:${monitor}"`,
      ...this.servers.lines,
      `cluster { name: rolling, listen: "${loopback}:${route}", routes: [${routes}] }`,
    ];
    writeFileSync(file, lines.join("\n"));
    const child = spawn(this.servers.command, ["-c", file], { stdio: "ignore" });
    register(child, folder);
    this.running[index] = child;
  }

  /** Exit code, or the signal that ended it, and how long it took. */
  async leave(index: number): Promise<{ readonly tookMs: number; readonly how: string }> {
    const child = this.running[index]!;
    const startMs = performance.now();
    const gone = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    child.kill(this.servers.signal);
    const [code, signal] = await gone;
    return { tookMs: performance.now() - startMs, how: signal ?? `code ${code}` };
  }

  /** Resolves once each has routes to both others. */
  async whole(): Promise<void> {
    for (const endMs = performance.now() + DEADLINE_MS; performance.now() < endMs; await delay(20)) {
      const counts = await Promise.all(this.ports.map(([, , monitor]) => countPeers(monitor)));
      if (counts.every((count) => count === 2)) return;
    }
    throw new Error(`the three servers were not connected within ${DEADLINE_MS} ms`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = this.running.filter((child) => child?.exitCode === null && child.signalCode === null);
    await Promise.all(
      left.map(async (child) => {
        const gone = once(child!, "close");
        child!.kill("SIGKILL");
        await gone;
      }),
    );
  }
}

async function countPeers(port: number): Promise<number> {
  try {
    const response = await fetch(`http://${loopback}:${port}/routez`);
    const { routes } = (await response.json()) as { routes?: { remote_id: string }[] | null };
    return new Set((routes ?? []).map(({ remote_id: id }) => id)).size;
  } catch {
    return 0; // does not listen yet
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, loopback);
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
