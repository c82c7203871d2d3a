/** Three servers with JetStream in one cluster: shoals, or nats-servers, with the same configuration. Whoever starts them stops them. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { bothServers } from "./both-servers.ts";
import { waitFor } from "./cluster-wait.ts";
import { freePort } from "./free-port.ts";
import { PATIENT } from "./patience.ts";

export const TRIO = ["n1", "n2", "n3"] as const;

/** Both kinds, or shoal alone where the machine has no nats-server. */
export const trioKinds: readonly string[] = bothServers.map(({ name }) => name);

const ACCOUNTS: readonly string[] = [
  "accounts {",
  "  A { jetstream: enabled, users: [{user: a, password: a}] }",
  "  SYS { users: [{user: s, password: s}] }",
  "}",
  "system_account: SYS",
];

interface TrioSettings {
  readonly domain?: string;
  readonly accountLines?: readonly string[];
}

interface Server {
  readonly port: number;
  readonly monitorPort: number;
  readonly leafPort: number;
  readonly configFile: string;
  child: ChildProcess | null;
  log: string;
}

export class JetStreamTrio implements AsyncDisposable {
  readonly kind: string;
  private readonly command: string;
  private readonly folder = mkdtempSync(join(tmpdir(), "jetstream-trio-"));
  private readonly servers = new Map<string, Server>();
  private readonly clients = new Map<string, NatsConnection>();

  private readonly domain: string;
  private readonly accountLines: readonly string[];

  /**
   * `kind`: one of `trioKinds`. `domain`: of their JetStream; "": none. `accountLines`: where other accounts than A and SYS are configured,
   * whose users only the test knows.
   */
  constructor(kind: string, { domain = "", accountLines = ACCOUNTS }: TrioSettings = {}) {
    this.kind = kind;
    this.domain = domain;
    this.accountLines = accountLines;
    this.command = bothServers.find(({ name }) => name === kind)!.command;
  }

  /** Resolves when streams with three replicas can be made. */
  async start(): Promise<this> {
    const routePorts = new Map<string, number>();
    for (const name of TRIO) routePorts.set(name, await freePort());
    const routes = [...routePorts.values()].map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
    for (const name of TRIO) {
      const [port, monitorPort] = [await freePort(), await freePort()];
      const [configFile, storeDir] = [join(this.folder, `${name}.conf`), join(this.folder, name)];
      const domain = this.domain === "" ? "" : `, domain: ${this.domain}`;
      const streams = `jetstream { store_dir: ${JSON.stringify(storeDir)}, max_mem: 100M, max_file: 1G${domain} }`;
      const leafPort = await freePort();
      const lines = [
        `server_name: ${name}`,
        `listen: "127.0.0.1:${port}"`,
        `http: "127.0.0.1:${monitorPort}"`,
        `cluster { name: C, listen: "127.0.0.1:${routePorts.get(name)}", routes: [${routes}] }`,
        ...this.accountLines,
        this.domain === "" ? "" : `leafnodes { listen: "127.0.0.1:${leafPort}" }`,
        streams,
      ];
      writeFileSync(configFile, lines.join("\n"));
      this.servers.set(name, { port, monitorPort, leafPort, configFile, child: null, log: "" });
    }
    for (const name of TRIO) this.spawn(name);
    if (this.accountLines === ACCOUNTS) await this.whenReady();
    return this;
  }

  port(name: string): number {
    return this.servers.get(name)!.port;
  }

  get isShoal(): boolean {
    return this.kind === "shoal";
  }

  url(name: string, user: "a" | "s" = "a"): string {
    return `nats://${user}:${user}@127.0.0.1:${this.servers.get(name)!.port}`;
  }

  leafUrl(name: string): string {
    return `nats-leaf://a:a@127.0.0.1:${this.servers.get(name)!.leafPort}`;
  }

  log(name: string): string {
    return this.servers.get(name)!.log;
  }

  /** JSON, or text, of the monitoring port. */
  async monitor(name: string, path: string): Promise<{ readonly status: number; readonly body: unknown }> {
    const answer = await fetch(`http://127.0.0.1:${this.servers.get(name)!.monitorPort}/${path}`);
    const text = await answer.text();
    return { status: answer.status, body: /^[{[]/.test(text) ? (JSON.parse(text) as unknown) : text };
  }

  async client(name: string, user: "a" | "s" = "a"): Promise<NatsConnection> {
    const key = `${user} ${name}`;
    const known = this.clients.get(key);
    if (known !== undefined && !known.isClosed()) return known;
    const { port } = this.servers.get(name)!;
    const client = await waitFor(
      `${name} of ${this.kind} to take a client`,
      () =>
        connect({
          servers: `127.0.0.1:${port}`,
          ...{ user, pass: user, reconnect: false, timeout: 2000, inboxPrefix: "_INBOX.x" },
        }).catch(() => undefined),
      () => this.log(name),
    );
    this.clients.set(key, client);
    return client;
  }

  /** The answer of the API, whatever it is. */
  async ask(name: string, subject: string, body: object | string = ""): Promise<Answer> {
    const client = await this.client(name);
    const payload = body === "" ? "" : JSON.stringify(body);
    return (await client.request(`$JS.API.${subject}`, payload, PATIENT)).json<Answer>();
  }

  /** The answer of the API; undefined: there was none in a moment, or an error. */
  async tryAsk(name: string, subject: string, body: object | string = ""): Promise<Answer | undefined> {
    const client = await this.client(name);
    const payload = body === "" ? "" : JSON.stringify(body);
    try {
      const answer = (await client.request(`$JS.API.${subject}`, payload, { timeout: 2000 })).json<Answer>();
      return answer.error === undefined ? answer : undefined;
    } catch {
      return undefined;
    }
  }

  async leaderOf(ask: string, stream: string, consumer = "", other = ""): Promise<string> {
    const subject = consumer === "" ? `STREAM.INFO.${stream}` : `CONSUMER.INFO.${stream}.${consumer}`;
    return waitFor(
      `a leader of ${stream} ${consumer}`,
      async () => {
        const leader = (await this.tryAsk(ask, subject))?.cluster?.leader ?? "";
        return leader !== "" && leader !== other ? leader : undefined;
      },
      () => this.log(ask),
    );
  }

  async removeStreams(): Promise<void> {
    const { streams } = await this.ask("n1", "STREAM.NAMES");
    for (const name of streams ?? []) await this.ask("n1", `STREAM.DELETE.${name}`);
  }

  async kill(name: string): Promise<void> {
    const server = this.servers.get(name)!;
    for (const user of ["a", "s"]) {
      await this.clients.get(`${user} ${name}`)?.close();
      this.clients.delete(`${user} ${name}`);
    }
    const { child } = server;
    server.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
  }

  spawn(name: string): void {
    const server = this.servers.get(name)!;
    const child = spawn(this.command, ["-c", server.configFile], { stdio: ["ignore", "pipe", "pipe"] });
    server.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (server.log = (server.log + chunk.toString()).slice(-100_000)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients.values()) await client.close();
    this.clients.clear();
    for (const name of this.servers.keys()) await this.kill(name);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async whenReady(): Promise<void> {
    for (const name of TRIO) await this.client(name);
    await waitFor(
      `three ${this.kind}s that can keep a stream together`,
      async () => {
        const config = { name: "ready", num_replicas: 3, storage: "memory" };
        return (await this.tryAsk("n1", "STREAM.CREATE.ready", config)) !== undefined;
      },
      () => TRIO.map((name) => this.log(name)).join("\n"),
    );
    await this.removeStreams();
  }
}

export interface Answer {
  readonly error?: { readonly err_code: number; readonly description: string };
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly {
      readonly name: string;
      readonly current: boolean;
      readonly peer: string;
    }[];
  };
  readonly state?: { readonly messages: number; readonly last_seq: number; readonly consumer_count: number };
  readonly message?: { readonly data?: string };
  readonly streams?: readonly string[] | null;
  readonly [field: string]: unknown;
}
