/**
 * Hosts of one test: network namespaces on a switch of their own (a bridge in one more namespace), with links that can be cut by
 * packet filters or go down. This process is on the switch as well, so that clients here reach every host.
 * Names and addresses are made up for each network; all of it is removed with it, at the latest when the test runner ends.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";

const missingCommands = ["ip", "iptables"].filter((command) => spawnSync(command, ["-V"]).status !== 0);

/** Whether this machine can have such networks. Says loudly if not, or throws where CI=true. */
export function canMakeNetworks(): boolean {
  const isRoot = process.getuid?.() === 0;
  if (isRoot && missingCommands.length === 0) return true;
  const need = isRoot ? `the commands ${missingCommands.join(", ")} (iproute2, iptables)` : "root";
  const complaint = `networks in namespaces need ${need}. Partitions of a cluster`;
  if (process.env["CI"] === "true") throw new Error(`${complaint} must be tested in CI`);
  process.stderr.write(`\n***** SKIPPING TESTS: ${complaint} are NOT tested *****\n`);
  return false;
}

const networks = new Set<Network>();
process.once("exit", () => {
  for (const network of networks) network[Symbol.dispose]();
});

export class Network implements Disposable {
  private readonly prefix = `sh${randomInt(36 ** 5).toString(36)}`;
  private readonly net = freeNet();
  private readonly switch = `${this.prefix}sw`;
  private readonly hosts: string[] = [];

  constructor(hosts: number) {
    networks.add(this);
    try {
      run("ip", "netns", "add", this.switch);
      run("ip", "-n", this.switch, "link", "add", "br0", "type", "bridge");
      run("ip", "-n", this.switch, "link", "set", "br0", "up");
      run("ip", "link", "add", this.prefix, "type", "veth", "peer", "name", "here", "netns", this.switch);
      this.plugIn("here");
      run("ip", "addr", "add", `${this.net}.1/24`, "dev", this.prefix);
      run("ip", "addr", "add", `${this.ownAddressV6}/64`, "dev", this.prefix, "nodad");
      run("ip", "link", "set", this.prefix, "up");
      for (let host = 0; host < hosts; host++) this.addHost(host);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Of this process. */
  get ownAddress(): string {
    return `${this.net}.1`;
  }

  address(host: number): string {
    return `${this.net}.${10 + host}`;
  }

  get ownAddressV6(): string {
    return `${this.netV6}::1`;
  }

  addressV6(host: number): string {
    return `${this.netV6}::${(10 + host).toString(16)}`;
  }

  /** Unique local addresses that go with the IPv4 ones. */
  private get netV6(): string {
    const [, second, third] = this.net.split(".");
    return `fd12:${second}:${third}`;
  }

  /** What programs that start there from now on find as /etc/resolv.conf. */
  setResolvConf(host: number, text: string): void {
    mkdirSync(`/etc/netns/${this.name(host)}`, { recursive: true });
    writeFileSync(`/etc/netns/${this.name(host)}/resolv.conf`, text);
  }

  /** Has its IPv6 address alone from now on. */
  dropIpv4(host: number): void {
    run("ip", "-n", this.name(host), "-4", "addr", "flush", "dev", "eth0");
  }

  /** In front of a command that shall run on that host. */
  on(host: number): string[] {
    return ["ip", "netns", "exec", this.name(host)];
  }

  /** Nothing passes between the two sides any more, in neither direction, and nobody is told. */
  cut(side: readonly number[], other: readonly number[]): void {
    for (const from of side) {
      for (const to of other) {
        this.cutOneWay(from, to);
        this.cutOneWay(to, from);
      }
    }
  }

  /** What `from` sends no longer arrives at `to`. */
  cutOneWay(from: number, to: number): void {
    run(...this.on(to), "iptables", "-w", "-A", "INPUT", "-s", this.address(from), "-j", "DROP");
  }

  /** Nothing comes in or goes out, also to this process. */
  silence(host: number): void {
    for (const rule of [
      ["INPUT", "-i"],
      ["OUTPUT", "-o"],
    ]) {
      run(...this.on(host), "iptables", "-w", "-A", ...rule, "eth0", "-j", "DROP");
    }
  }

  /** Takes all filters away. */
  heal(): void {
    for (const host of this.hosts.keys()) run(...this.on(host), "iptables", "-w", "-F");
  }

  setLink(host: number, state: "up" | "down"): void {
    run("ip", "-n", this.switch, "link", "set", `h${host}`, state);
  }

  [Symbol.dispose](): void {
    networks.delete(this);
    // The links go with the namespaces.
    for (const name of [...this.hosts.splice(0), this.switch]) {
      spawnSync("ip", ["netns", "delete", name]);
      rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
    }
  }

  private addHost(host: number): void {
    const name = `${this.prefix}h${host}`;
    run("ip", "netns", "add", name);
    this.hosts.push(name);
    const end = `h${host}`;
    run("ip", "-n", this.switch, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", name);
    this.plugIn(end);
    run("ip", "-n", name, "addr", "add", `${this.address(host)}/24`, "dev", "eth0");
    run("ip", "-n", name, "addr", "add", `${this.addressV6(host)}/64`, "dev", "eth0", "nodad");
    for (const link of ["lo", "eth0"]) run("ip", "-n", name, "link", "set", link, "up");
  }

  private plugIn(end: string): void {
    run("ip", "-n", this.switch, "link", "set", end, "master", "br0", "up");
  }

  private name(host: number): string {
    const name = this.hosts[host];
    if (name === undefined) throw new Error(`the network has no host ${host}`);
    return name;
  }
}

/** An address of the range for tests of networks (RFC 2544) that no interface here has. */
function freeNet(): string {
  const taken = run("ip", "-4", "-o", "addr");
  for (;;) {
    const net = `198.${18 + randomInt(2)}.${randomInt(256)}`;
    if (!taken.includes(`${net}.`)) return net;
  }
}

function run(command = "", ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
