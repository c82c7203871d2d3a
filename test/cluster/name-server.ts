/**
 * A DNS server (dnsmasq) on the switch of a network, with records that change while servers run. Its zone is lan.test; hosts
 * that use it have that as their search domain, as containers do.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../support/cluster-wait.ts";
import type { Network } from "./network.ts";

/** Whether this machine has one. Says loudly if not, or throws where CI=true. */
export function canServeNames(): boolean {
  if (spawnSync("dnsmasq", ["--version"]).status === 0) return true;
  const complaint = "dnsmasq is missing. Discovery by a real DNS server";
  if (process.env["CI"] === "true") throw new Error(`${complaint} must be tested in CI`);
  process.stderr.write(`\n***** SKIPPING TESTS: ${complaint} is NOT tested *****\n`);
  return false;
}

const zone = "lan.test";
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface Records {
  /** Addresses of each family by short name. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** Short names of targets, each with its port, by short name of the service. */
  readonly services?: Readonly<Record<string, readonly (readonly [target: string, port: number])[]>>;
}

export class NameServer implements AsyncDisposable {
  private readonly network: Network;
  private readonly folder = mkdtempSync(join(tmpdir(), "name-server-"));
  private child: ChildProcess | null = null;

  constructor(network: Network) {
    this.network = network;
  }

  /** These hosts ask it, by `address`. */
  use(hosts: readonly number[], address: string): void {
    const text = `nameserver ${address}\nsearch nowhere.test ${zone}\noptions ndots:5\n`;
    for (const host of hosts) this.network.setResolvConf(host, text);
  }

  /** These records and no others from now on. */
  async serve({ hosts = {}, services = {} }: Records): Promise<void> {
    const addresses = Object.entries(hosts).flatMap(([name, list]) =>
      list.map((address) => `${address} ${name}.${zone}`),
    );
    const targets = Object.entries(services).flatMap(([name, list]) =>
      list.map(([target, port]) => `srv-host=${name}.${zone},${target}.${zone},${port}`),
    );
    writeFileSync(join(this.folder, "hosts"), addresses.join("\n"));
    writeFileSync(
      join(this.folder, "conf"),
      [
        "user=root",
        "no-resolv",
        "no-hosts",
        "bind-interfaces",
        "except-interface=lo",
        `listen-address=${this.network.ownAddress},${this.network.ownAddressV6}`,
        "local=/test/",
        "local-ttl=1",
        "no-negcache",
        `addn-hosts=${join(this.folder, "hosts")}`,
        ...targets,
      ].join("\n"),
    );
    // A signal would make it read the addresses again, but not the services.
    await this.stop();
    this.child = spawn("dnsmasq", ["--keep-in-foreground", "--conf-file=" + join(this.folder, "conf")], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    running.add(this.child);
  }

  /** Nobody answers any more: who asks is told by the network that the port is closed. */
  async stop(): Promise<void> {
    const child = this.child;
    if (child === null) return;
    this.child = null;
    child.kill("SIGKILL");
    await waitFor("dnsmasq to end", () => child.exitCode !== null || child.signalCode !== null);
    running.delete(child);
  }

  /** Questions are heard and not answered. Counts them. */
  async fallSilent(): Promise<{ readonly questions: number } & Disposable> {
    await this.stop();
    const socket = createSocket("udp4");
    let questions = 0;
    socket.on("message", () => void questions++);
    await new Promise<void>((resolve) => socket.bind(53, this.network.ownAddress, resolve));
    return {
      get questions() {
        return questions;
      },
      [Symbol.dispose]: () => void socket.close(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
