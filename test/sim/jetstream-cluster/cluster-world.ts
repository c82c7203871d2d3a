/**
 * A cluster of servers with JetStream in one process, on a virtual clock and a network with delays and partitions: servers are killed and
 * start again on what their disks have, while clients publish to a replicated stream, pull and acknowledge. In the end all copies have
 * to hold the same, and everything that was acknowledged.
 */
import { VirtualClock } from "../../../src/base/clock.ts";
import { randomInt, seededRandom, type Random } from "../../../src/base/random.ts";
import { ClusterClients } from "./clients.ts";
import { SimulatedServer, type Carried } from "./server.ts";

const START_MS = 1_800_000_000_000;
const FAULTS_MS = 120_000;
const HEALING_MS = 90_000;
/** Clients publish nothing behind the first part of it. */
const SETTLING_MS = 60_000;

export class ClusterWorld {
  readonly clock = new VirtualClock(START_MS);
  readonly random: Random;
  readonly servers: SimulatedServer[];
  readonly clients: ClusterClients;
  readonly log: string[] = [];
  /** "from to": nothing passes. */
  private readonly cut = new Set<string>();
  /** When the last message of a pair arrives: they keep their order. */
  private readonly arrivals = new Map<string, number>();
  private readonly delayMsMax: number;
  private isHealing = false;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const size = randomInt(this.random, 4) === 0 ? 5 : 3;
    this.delayMsMax = [2, 20, 200][randomInt(this.random, 3)]!;
    this.servers = Array.from({ length: size }, (_, i) => new SimulatedServer(`n${i + 1}`, this, size));
    this.clients = new ClusterClients(this);
  }

  run(): readonly string[] {
    for (const server of this.servers) server.start();
    this.every(1000, () => this.tellOfServers());
    this.every(150, () => this.nowMs < FAULTS_MS + SETTLING_MS && this.clients.publish());
    this.every(400, () => this.clients.pull());
    this.every(120, () => this.clients.acknowledge());
    this.every(2500, () => this.clients.remove());
    this.every(1500, () => this.clients.makeAssets());
    this.every(6000, () => this.fault());
    this.clock.advance(FAULTS_MS);
    this.heal();
    this.clock.advance(HEALING_MS);
    this.clients.judge();
    return this.clients.breaches;
  }

  note(text: string): void {
    if (this.log.length < 20_000) this.log.push(`${(this.clock.nowMs() - START_MS).toFixed(0)} ms: ${text}`);
  }

  /** To all that listen, on this server at once, on the others after a while. */
  carry(from: SimulatedServer, message: Carried): boolean {
    let reached = from.hear(message);
    for (const to of this.servers) {
      if (to === from || !to.listens(message)) continue;
      reached = true;
      const pair = `${from.name} ${to.name}`;
      if (this.cut.has(pair)) continue;
      const atMs = Math.max(
        this.arrivals.get(pair) ?? 0,
        this.clock.nowMs() + this.random.next() * this.delayMsMax,
      );
      this.arrivals.set(pair, atMs);
      const { life } = to;
      this.clock.setTimer(atMs - this.clock.nowMs(), () => {
        if (to.life === life && !this.cut.has(pair)) to.receive(message);
      });
    }
    return reached;
  }

  get nowMs(): number {
    return this.clock.nowMs() - START_MS;
  }

  private tellOfServers(): void {
    for (const server of this.servers) server.tellOfItself();
  }

  private fault(): void {
    if (this.isHealing) return;
    const server = this.servers[randomInt(this.random, this.servers.length)]!;
    const dice = randomInt(this.random, 14);
    if (dice < 4) this.kill(server);
    else if (dice < 5) for (const each of this.servers) this.kill(each);
    else if (dice < 8) this.partition();
    else if (dice < 10) this.clients.stepDown();
    else if (dice < 13) this.clients.scale();
    else this.clients.replace();
  }

  private kill(server: SimulatedServer): void {
    if (!server.isAlive) return;
    this.note(`${server.name} is killed`);
    server.kill();
    this.clock.setTimer(this.random.next() * 8000, () => {
      if (server.isAlive) return;
      this.note(`${server.name} starts again`);
      server.start();
    });
  }

  private partition(): void {
    const away = this.servers[randomInt(this.random, this.servers.length)]!;
    for (const other of this.servers) {
      this.cut.add(`${away.name} ${other.name}`);
      this.cut.add(`${other.name} ${away.name}`);
    }
    this.note(`${away.name} is cut off`);
    this.clock.setTimer(this.random.next() * 12_000, () => {
      this.cut.clear();
      this.note("all are connected");
    });
  }

  private heal(): void {
    this.isHealing = true;
    this.cut.clear();
    for (const server of this.servers) if (!server.isAlive) server.start();
    this.note("all heals");
  }

  private every(meanMs: number, act: () => void): void {
    this.clock.setTimer(this.random.next() * 2 * meanMs, () => {
      act();
      this.every(meanMs, act);
    });
  }
}
