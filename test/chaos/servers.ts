/**
 * The servers of a chaos run: each a process on a host and a disk of its own, shoal or nats-server, configured alike. One that ends by itself
 * starts again after a second, as an orchestrator would do it, and is counted.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Network } from "../cluster/network.ts";
import { Disk } from "./disks.ts";

const CLIENT_PORT = 4222;
const ROUTE_PORT = 6222;
const RESTART_MS = 1000;
const LOG_BYTES_MAX = 64 << 20;

export interface ServersOptions {
  readonly count: number;
  readonly program: string;
  /** For logs and disks. */
  readonly folder: string;
  /** A line of the block `jetstream`, or nothing. */
  readonly setting: string;
  readonly note: (text: string) => void;
}

export class Servers implements AsyncDisposable {
  readonly names: readonly string[];
  readonly disks = new Map<string, Disk>();
  /** Ends that nobody asked for. */
  endsByItself = 0;
  private readonly options: ServersOptions;
  private readonly network: Network;
  private readonly children = new Map<string, ChildProcess>();
  private isClosing = false;

  constructor(options: ServersOptions) {
    this.options = options;
    this.names = Array.from({ length: options.count }, (_, i) => `n${i + 1}`);
    this.network = new Network(options.count);
    for (const name of this.names) {
      this.disks.set(name, new Disk(join(options.folder, name)));
      writeFileSync(this.configOf(name), this.config(name));
      this.start(name);
    }
  }

  get losesUnsynced(): boolean {
    return [...this.disks.values()].every(({ losesUnsynced }) => losesUnsynced);
  }

  get urls(): string[] {
    return this.names.map((name) => `${this.address(name)}:${CLIENT_PORT}`);
  }

  isRunning(name: string): boolean {
    const child = this.children.get(name);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  start(name: string): void {
    if (this.isRunning(name) || this.isClosing) return;
    const [command = "", ...args] = [...this.on(name), ...[this.options.program, "-c", this.configOf(name)]];
    const log = openSync(this.logOf(name), "a");
    const child = spawn(command, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    this.children.set(name, child);
    child.once("close", (code, signal) => this.ended(name, child, signal ?? `${code}`));
  }

  /** Ends the process and resolves when it is gone. */
  async end(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.children.get(name);
    if (child === undefined || !this.isRunning(name)) return;
    this.children.delete(name);
    const closed = once(child, "close");
    child.kill(signal);
    if (signal === "SIGKILL") child.kill("SIGCONT");
    await closed;
  }

  pause(name: string): void {
    this.children.get(name)?.kill("SIGSTOP");
  }

  goOn(name: string): void {
    this.children.get(name)?.kill("SIGCONT");
  }

  /** All at once: what they have not synced is gone. */
  async losePower(names: readonly string[]): Promise<void> {
    for (const name of names) this.pause(name);
    for (const name of names) this.disks.get(name)!.shutDown();
    await Promise.all(names.map((name) => this.end(name, "SIGKILL")));
    for (const name of names) this.disks.get(name)!.comeBack();
  }

  cut(from: string, to: string): void {
    this.network.cutOneWay(this.indexOf(from), this.indexOf(to));
  }

  joinAll(): void {
    this.network.heal();
  }

  /** Names of servers whose logs are larger than a run can explain. */
  largeLogs(): string[] {
    return this.names.filter((name) => statSync(this.logOf(name)).size > LOG_BYTES_MAX);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosing = true;
    await Promise.all(this.names.map((name) => this.end(name, "SIGKILL")));
    this.network[Symbol.dispose]();
  }

  private ended(name: string, child: ChildProcess, how: string): void {
    if (this.children.get(name) !== child) return;
    this.endsByItself++;
    this.options.note(`${name} ended by itself (${how})`);
    setTimeout(() => this.start(name), RESTART_MS).unref();
  }

  /** As `ip netns exec` would do it, but for the mounts: with copies of them in its namespace no disk could be unmounted. */
  private on(name: string): string[] {
    return ["nsenter", `--net=/run/netns/${this.network.on(this.indexOf(name)).at(-1)!}`];
  }

  private indexOf(name: string): number {
    return this.names.indexOf(name);
  }

  private address(name: string): string {
    return this.network.address(this.indexOf(name));
  }

  private logOf(name: string): string {
    return join(this.options.folder, `${name}.log`);
  }

  private configOf(name: string): string {
    return join(this.options.folder, `${name}.conf`);
  }

  private config(name: string): string {
    const own = this.address(name);
    const routes = this.names.map((each) => `"nats://${this.address(each)}:${ROUTE_PORT}"`);
    return [
      `server_name: ${name}`,
      `listen: "${own}:${CLIENT_PORT}"`,
      `jetstream { store_dir: "${this.disks.get(name)!.store}", ${this.options.setting} }`,
      `cluster { name: C, listen: "${own}:${ROUTE_PORT}", routes: [${routes.join(", ")}] }`,
      "accounts {",
      "  SYS { users: [{ user: sys, password: sys }] }",
      "  A { jetstream: enabled, users: [{ user: a, password: a }] }",
      "}",
      "system_account: SYS",
      "no_auth_user: a",
      "",
    ].join("\n");
  }
}
