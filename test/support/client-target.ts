/**
 * One shoal to run a client against: inside this process, or as a process of its own. Both take the same options, so a
 * suite can be run on either. Clusters of each are in client-cluster.ts.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "../../src/app/server.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { defaultConfig } from "../../src/config/finish.ts";
import { findProgram } from "./cluster-programs.ts";
import { waitFor } from "./cluster-wait.ts";
import { freePort } from "./free-port.ts";

export type TargetKind = "library" | "process";

export interface TargetOptions {
  readonly name?: string;
  readonly host?: string;
  readonly maxPayloadBytes?: number;
  readonly maxPendingBytes?: number;
  readonly pingIntervalMs?: number;
  readonly token?: string;
  readonly user?: string;
  readonly password?: string;
  /** Lame duck mode takes this long, a third of it before the first client is sent away. */
  readonly lameDuckMs?: number;
  readonly cluster?: { readonly name: string; readonly port: number; readonly routes: readonly string[] };
}

export interface Target extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Ends it at once; a process with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again, on the same ports. */
  start(): Promise<void>;
  lameDuck(): void;
}

export async function startTarget(kind: TargetKind, options: TargetOptions = {}): Promise<Target> {
  const port = await freePort(options.host);
  const target = kind === "library" ? new LibraryTarget(options, port) : new ProcessTarget(options, port);
  await target.start();
  return target;
}

class LibraryTarget implements Target {
  readonly port: number;
  private readonly options: TargetOptions;
  private server: Server | undefined;

  constructor(options: TargetOptions, port: number) {
    this.options = options;
    this.port = port;
  }

  get url(): string {
    return urlOf(this.options.host, this.port);
  }

  async start(): Promise<void> {
    const { name, host, maxPayloadBytes, maxPendingBytes, pingIntervalMs, token, user, password } =
      this.options;
    const { cluster, lameDuckMs } = this.options;
    const given = <T extends object>(fields: T): T =>
      Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
    const config = defaultConfig({
      server: given({
        name,
        lameDuckDurationMs: lameDuckMs,
        lameDuckGracePeriodMs: lameDuckMs === undefined ? undefined : lameDuckMs / 3,
      }),
      client: given({
        host: host ?? "127.0.0.1",
        port: this.port,
        maxPayloadBytes,
        maxPendingBytes,
        pingIntervalMs,
      }),
      authorization: given({ token, user, password }),
      cluster:
        cluster === undefined
          ? {}
          : {
              name: cluster.name,
              host: "127.0.0.1",
              port: cluster.port,
              routes: cluster.routes.map(routeOf),
            },
    });
    this.server = new Server({ config, logger: silentLogger });
    await this.server.start();
  }

  async kill(): Promise<void> {
    this.server?.stop();
    await this.server?.closed();
    this.server = undefined;
  }

  lameDuck(): void {
    void this.server?.lameDuck();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const LOG_CHARS_MAX = 20_000;

class ProcessTarget implements Target {
  readonly port: number;
  private readonly options: TargetOptions;
  private readonly folder = mkdtempSync(join(tmpdir(), "shoal-client-"));
  private child: ChildProcess | undefined;
  private log = "";

  constructor(options: TargetOptions, port: number) {
    this.options = options;
    this.port = port;
  }

  get url(): string {
    return urlOf(this.options.host, this.port);
  }

  async start(): Promise<void> {
    const file = join(this.folder, "server.conf");
    writeFileSync(file, this.configuration());
    const child = spawn(findProgram("shoal")!, ["-c", file], { stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    child.once("exit", () => running.delete(child));
    this.child = child;
    this.log = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text: Buffer) => (this.log = (this.log + text.toString()).slice(-LOG_CHARS_MAX)));
    }
    await waitFor(
      "shoal to be ready",
      () => {
        if (child.exitCode !== null) throw new Error(`shoal ended with code ${child.exitCode}\n${this.log}`);
        const isClustered = this.options.cluster !== undefined;
        return this.log.includes(isClustered ? "Listening for route connections" : "Server is ready");
      },
      () => this.log,
    );
  }

  async kill(): Promise<void> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await waitFor("the killed process to end", () => child.exitCode !== null || child.signalCode !== null);
  }

  lameDuck(): void {
    this.child?.kill("SIGUSR2");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** In words that nats-server understands as well: SHOAL_BIN may name it, to check a suite itself. */
  private configuration(): string {
    const { name, host, maxPayloadBytes, maxPendingBytes, pingIntervalMs, lameDuckMs } = this.options;
    const { token, user, password, cluster } = this.options;
    const lines: readonly [string, string | number | undefined][] = [
      ["server_name", name],
      ["host", JSON.stringify(host ?? "127.0.0.1")],
      ["port", this.port],
      ["max_payload", maxPayloadBytes],
      ["max_pending", maxPendingBytes],
      ["ping_interval", pingIntervalMs === undefined ? undefined : `"${pingIntervalMs}ms"`],
      ["lame_duck_duration", lameDuckMs === undefined ? undefined : `"${lameDuckMs}ms"`],
      ["authorization", token === undefined ? undefined : `{ token: ${JSON.stringify(token)} }`],
      ["authorization", user === undefined ? undefined : `{ user: ${user}, password: ${password} }`],
      ["cluster", cluster === undefined ? undefined : clusterBlock(cluster)],
    ];
    return lines.map(([key, value]) => (value === undefined ? "" : `${key}: ${value}\n`)).join("");
  }
}

function clusterBlock({ name, port, routes }: NonNullable<TargetOptions["cluster"]>): string {
  return `{ name: ${name}, listen: "127.0.0.1:${port}", routes: ${JSON.stringify(routes)} }`;
}

function urlOf(host: string | undefined, port: number): string {
  return host?.includes(":") ? `nats://[${host}]:${port}` : `nats://${host ?? "127.0.0.1"}:${port}`;
}

function routeOf(url: string): { host: string; port: number; user: null; password: null } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port), user: null, password: null };
}
