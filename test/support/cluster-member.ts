/**
 * One server process of a mixed cluster: its configuration, its ports, its life, what it logs and which peers it sees.
 * shoal and nats-server take the same configuration file, so a member can be restarted as another kind in its place.
 * A process that outlives its test is killed when the test runner ends.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findProgram, type ServerKind } from "./cluster-programs.ts";
import { waitFor } from "./cluster-wait.ts";
import { freePort } from "./free-port.ts";

export interface MemberSpec {
  readonly kind: ServerKind;
  /** server_name; unique in a cluster. */
  readonly name: string;
  /** Lines inside `cluster { }`: the name, credentials, pool_size. Without a name the server makes one up. */
  readonly clusterLines?: readonly string[];
  /** Lines at the top level: accounts, users. */
  readonly serverLines?: readonly string[];
}

export interface Ports {
  readonly client: number;
  readonly cluster: number;
  readonly monitor: number;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const LOG_LINES_MAX = 5_000;
const LOG_TAIL_LINES = 40;

export class Member implements AsyncDisposable {
  readonly spec: MemberSpec;
  readonly ports: Ports;
  /** URLs of the servers this one dials by itself. */
  routes: readonly string[] = [];
  /** server_id of the process that runs now; changes with every start. */
  id = "";
  private ownKind: ServerKind;
  private child: ChildProcess | undefined;
  private log: string[] = [];
  /** Peers by the events that shoal logs, for as long as it serves no /routez. */
  private readonly joined = new Set<string>();
  private ownClusterLines: readonly string[];
  private readonly folder = mkdtempSync(join(tmpdir(), "mixed-cluster-"));

  private constructor(spec: MemberSpec, ports: Ports) {
    this.spec = spec;
    this.ports = ports;
    this.ownKind = spec.kind;
    this.ownClusterLines = spec.clusterLines ?? [];
  }

  static async create(spec: MemberSpec): Promise<Member> {
    return new Member(spec, await findFreePorts());
  }

  get kind(): ServerKind {
    return this.ownKind;
  }

  get name(): string {
    return `${this.spec.name} (${this.ownKind})`;
  }

  get clientUrl(): string {
    return `127.0.0.1:${this.ports.client}`;
  }

  get isRunning(): boolean {
    return this.child !== undefined;
  }

  /** `userInfo` is "user:password". */
  routeUrl(userInfo?: string): string {
    return `nats-route://${userInfo === undefined ? "" : `${userInfo}@`}127.0.0.1:${this.ports.cluster}`;
  }

  /** Starts the process and resolves once it serves clients. */
  async start(): Promise<void> {
    const program = findProgram(this.ownKind);
    if (program === undefined) throw new Error(`no program for ${this.ownKind}: check missingKinds first`);
    const configPath = join(this.folder, "server.conf");
    writeFileSync(configPath, this.config());
    this.log = [];
    this.joined.clear();
    const child = spawn(program, ["-c", configPath, "-D"], { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    child.once("error", (error) => this.log.push(`cannot start ${program}: ${error.message}`));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (line) => this.remember(line));
    }
    this.id = await waitFor(
      `${this.name} to serve clients`,
      () => this.readServerId(child),
      () => this.logTail(),
    );
  }

  /** Has the process reload with these lines inside `cluster { }`, instead of those it had. */
  async reload(clusterLines: readonly string[]): Promise<void> {
    const before = this.countLogs(/Reloaded server configuration/);
    this.configure(clusterLines);
    this.child?.kill("SIGHUP");
    await waitFor(
      `${this.name} to reload`,
      () => this.countLogs(/Reloaded server configuration/) > before,
      () => this.logTail(),
    );
  }

  /** Writes a file with these lines inside `cluster { }`, which the process does not hear of. */
  configure(clusterLines: readonly string[]): void {
    this.ownClusterLines = clusterLines;
    writeFileSync(join(this.folder, "server.conf"), this.config());
  }

  /** Has the process enter lame duck mode. */
  lameDuck(): void {
    this.child?.kill("SIGUSR2");
  }

  /** As `docker stop` does: SIGTERM, then the server closes in its own way. */
  async stop(): Promise<void> {
    await this.end("SIGTERM");
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** Starts a server of another kind with the same name, ports and routes. The old one must be down. */
  async startAs(kind: ServerKind): Promise<void> {
    this.ownKind = kind;
    await this.start();
  }

  /** server_id of each remote server; undefined while the server does not say. */
  async peers(): Promise<ReadonlySet<string> | undefined> {
    const routez = await fetchRoutez(this.ports.monitor);
    if (routez === undefined) return this.ownKind === "shoal" ? this.joined : undefined;
    return new Set((routez.routes ?? []).map(({ remote_id: id }) => id));
  }

  /** How many lines of the process that runs now match. */
  countLogs(pattern: RegExp): number {
    return this.log.filter((line) => pattern.test(line)).length;
  }

  logTail(): string {
    return [`--- last lines of ${this.name}`, ...this.log.slice(-LOG_TAIL_LINES)].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await waitFor(
      `${this.name} to end`,
      () => child.exitCode !== null || child.signalCode !== null,
      () => this.logTail(),
    );
  }

  private config(): string {
    const { client, cluster, monitor } = this.ports;
    return [
      `server_name: ${this.spec.name}`,
      `listen: 127.0.0.1:${client}`,
      `http: 127.0.0.1:${monitor}`,
      // SIGTERM means lame duck mode to shoal. nats-server, which stops at once, refuses times that are short.
      ...(this.ownKind === "shoal" ? ['lame_duck_duration: "1s"', 'lame_duck_grace_period: "200ms"'] : []),
      ...(this.spec.serverLines ?? []),
      "cluster {",
      `  listen: 127.0.0.1:${cluster}`,
      `  routes: [${this.routes.map((url) => JSON.stringify(url)).join(", ")}]`,
      ...this.ownClusterLines.map((line) => `  ${line}`),
      "}",
      "",
    ].join("\n");
  }

  private remember(line: string): void {
    this.log.push(line);
    if (this.log.length > LOG_LINES_MAX) this.log = this.log.slice(-LOG_LINES_MAX / 2);
    const [, event, id] = /"event":"(peer_joined|peer_left)".*"id":"(\w+)"/.exec(line) ?? [];
    if (id === undefined) return;
    if (event === "peer_joined") this.joined.add(id);
    else this.joined.delete(id);
  }

  private async readServerId(child: ChildProcess): Promise<string | undefined> {
    if (child.exitCode !== null)
      throw new Error(`${this.name} ended with code ${child.exitCode}\n${this.logTail()}`);
    return readServerId(this.ports.client);
  }
}

interface Routez {
  readonly routes?: readonly { readonly remote_id: string }[] | null;
}

async function fetchRoutez(port: number): Promise<Routez | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/routez`);
    return response.ok ? ((await response.json()) as Routez) : undefined;
  } catch {
    return undefined; // Not up yet, or going down: the caller looks again.
  }
}

/** The server_id of the INFO that greets a client; undefined while nothing listens. */
async function readServerId(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
    socket.on("data", (chunk: string) => {
      text += chunk;
      const id = /^INFO .*"server_id":"([^"]+)".*\r\n/.exec(text)?.[1];
      if (id === undefined) return;
      resolve(id);
      socket.destroy();
    });
  });
}

async function findFreePorts(): Promise<Ports> {
  return { client: await freePort(), cluster: await freePort(), monitor: await freePort() };
}
