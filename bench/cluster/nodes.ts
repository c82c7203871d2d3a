/**
 * Clusters of server processes on loopback: started by the command line that shoal and nats-server share, observed by the debug
 * log that both write in the same words, so that looking costs the servers the same.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { register } from "../children.ts";

const loopback = "127.0.0.1";
const DEADLINE_MS = 60_000;
/** Connections for each pair: three of the pool, and one for the system account. */
const CONNECTIONS_PER_PEER = 4;

export interface Contender {
  readonly name: string;
  readonly command: string;
}

interface Ports {
  readonly client: number;
  readonly route: number;
}

/** The first is the seed: the others know it, and find each other by it. */
export class Nodes implements AsyncDisposable {
  readonly nodes: Node[] = [];
  private readonly contender: Contender;
  private readonly ports: readonly Ports[];

  private constructor(contender: Contender, ports: readonly Ports[]) {
    this.contender = contender;
    this.ports = ports;
  }

  /** Room for `size` servers; none runs yet. */
  static async plan(contender: Contender, size: number): Promise<Nodes> {
    const ports = await freePorts(2 * size);
    const pairs = Array.from({ length: size }, (_, i) => ({
      client: ports[2 * i]!,
      route: ports[2 * i + 1]!,
    }));
    return new Nodes(contender, pairs);
  }

  /** `environment` is added to that of this process. */
  startNext(environment: Readonly<Record<string, string>> = {}): Node {
    const { client, route } = this.ports[this.nodes.length]!;
    const seed = this.ports[0]!.route;
    const routes = this.nodes.length === 0 ? [] : ["--routes", `nats://${loopback}:${seed}`];
    const listen = ["-a", loopback, "-p", String(client), "--cluster", `nats://${loopback}:${route}`];
    const args = [...listen, ...routes, "--cluster_name", "bench", "-D"];
    const node = new Node(this.contender.command, client, args, environment);
    this.nodes.push(node);
    return node;
  }

  /** Resolves once each server has all its connections to all the others. */
  async whole(): Promise<void> {
    await until("a whole mesh", () =>
      this.nodes.every((node) => node.peersComplete === this.nodes.length - 1),
    );
  }

  /** Resolves once each server has at least one connection to all the others. */
  async connected(): Promise<void> {
    await until("a full mesh", () => this.nodes.every((node) => node.peers === this.nodes.length - 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }
}

export class Node {
  readonly port: number;
  private readonly child: ChildProcess;
  private readonly peerOf = new Map<string, string>();
  private readonly counts = new Map<string, number>();
  private failure = "";

  constructor(
    command: string,
    port: number,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ) {
    this.port = port;
    const env = { ...process.env, SHOAL__LOG_FORMAT: "classic", ...environment };
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
    register(this.child);
    this.child.once("error", (error) => (this.failure = error.message));
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface(stream).on("line", (line) => this.read(line));
    }
  }

  get peers(): number {
    if (this.failure !== "") throw new Error(this.failure);
    return this.counts.size;
  }

  get peersComplete(): number {
    let complete = 0;
    for (const count of this.counts.values()) if (count >= CONNECTIONS_PER_PEER) complete++;
    return complete;
  }

  /** Memory in use, in bytes. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "close");
    this.child.kill("SIGKILL");
    await ended;
  }

  private read(line: string): void {
    const [, opened, peer] = /- rid:(\d+) - Registering remote route "(\w+)"/.exec(line) ?? [];
    if (opened !== undefined) {
      this.peerOf.set(opened, peer!);
      this.counts.set(peer!, (this.counts.get(peer!) ?? 0) + 1);
    }
    const closed = /- rid:(\d+) - Router connection closed/.exec(line)?.[1] ?? "";
    const lost = this.peerOf.get(closed);
    if (lost === undefined) return;
    this.peerOf.delete(closed);
    const left = this.counts.get(lost)! - 1;
    if (left === 0) this.counts.delete(lost);
    else this.counts.set(lost, left);
  }
}

/** Looks every millisecond. */
export async function until(what: string, look: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + DEADLINE_MS;
  while (!look()) {
    if (performance.now() > giveUpAt)
      throw new Error(`${what} has not come about within ${DEADLINE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function freePorts(count: number): Promise<number[]> {
  const holders = Array.from({ length: count }, () => createServer().listen(0, loopback));
  await Promise.all(holders.map((holder) => once(holder, "listening")));
  const ports = holders.map((holder) => (holder.address() as AddressInfo).port);
  await Promise.all(holders.map((holder) => once(holder.close(), "close")));
  return ports;
}
