/** Clusters of servers with JetStream, each a process that can be killed and started again on the folder that it had. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { waitFor } from "./cluster-wait.ts";
import { findProgram } from "./cluster-programs.ts";
import { freePort } from "./free-port.ts";

export class JetStreamMembers implements AsyncDisposable {
  readonly names: readonly string[];
  private readonly ports = new Map<string, { readonly port: number; readonly routePort: number }>();
  private readonly children = new Map<string, ChildProcess>();
  private readonly clients = new Map<string, NatsConnection>();
  private readonly folder = mkdtempSync(join(tmpdir(), "jetstream-members-"));

  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** Resolves when all take clients. */
  async start(): Promise<this> {
    for (const name of this.names)
      this.ports.set(name, { port: await freePort(), routePort: await freePort() });
    for (const name of this.names) this.spawn(name);
    for (const name of this.names) await this.client(name);
    return this;
  }

  url(name: string): string {
    return `nats://127.0.0.1:${this.ports.get(name)!.port}`;
  }

  async client(name: string): Promise<NatsConnection> {
    const known = this.clients.get(name);
    if (known !== undefined && !known.isClosed()) return known;
    const client = await waitFor(`${name} to take a client`, () =>
      connect({ servers: this.url(name), reconnect: false, timeout: 2000 }).catch(() => undefined),
    );
    this.clients.set(name, client);
    return client;
  }

  /** One that was not killed. */
  get living(): string {
    const isAlive = ({ exitCode, signalCode }: ChildProcess): boolean =>
      exitCode === null && signalCode === null;
    const found = [...this.children].findLast(([, child]) => isAlive(child));
    assert.ok(found !== undefined, "a server is running");
    return found[0];
  }

  /** The answer of the API; undefined: there was none in time, or an error. */
  async ask(name: string, subject: string, body: object | string = ""): Promise<Answer | undefined> {
    const answer = await this.attempt(name, subject, body);
    return answer?.error === undefined ? answer : undefined;
  }

  /** The answer of the API, which may be an error. Asks again until there is one. */
  async answer(name: string, subject: string, body: object | string = ""): Promise<Answer> {
    return waitFor(subject, () => this.attempt(name, subject, body));
  }

  private async attempt(name: string, subject: string, body: object | string): Promise<Answer | undefined> {
    const client = await this.client(name);
    const payload = body === "" ? "" : JSON.stringify(body);
    try {
      return (await client.request(subject, payload, { timeout: 2000 })).json<Answer>();
    } catch {
      return undefined;
    }
  }

  async kill(name: string, signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.children.get(name)!;
    const ended = once(child, "close");
    child.kill(signal);
    await ended;
    await this.clients.get(name)?.close();
    this.clients.delete(name);
  }

  spawn(name: string): void {
    const { port, routePort } = this.ports.get(name)!;
    const routes = [...this.ports.values()].map((one) => `nats://127.0.0.1:${one.routePort}`);
    const child = spawn(
      findProgram("shoal")!,
      [
        ...["-n", name, "-a", "127.0.0.1", "-p", `${port}`],
        ...[
          "--cluster",
          `nats://127.0.0.1:${routePort}`,
          "--cluster_name",
          "C",
          "--routes",
          routes.join(","),
        ],
        ...["-js", "-sd", join(this.folder, name)],
      ],
      { stdio: "ignore" },
    );
    this.children.set(name, child);
  }

  /** What it has kept is gone. It must have been killed. */
  wipe(name: string): void {
    rmSync(join(this.folder, name), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients.values()) await client.close();
    for (const child of this.children.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "close");
      child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Answer {
  readonly error?: object;
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly name: string; readonly current: boolean }[];
  };
  readonly state?: { readonly messages: number; readonly last_seq: number };
  readonly message?: { readonly data?: string };
  readonly seq?: number;
}
