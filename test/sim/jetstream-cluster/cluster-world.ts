/**
 * A cluster of servers with JetStream in one process, on a virtual clock and a network with delays and partitions. Servers are killed, lose
 * power in the middle of their work, and find their journals damaged or their disks empty, while clients publish to a replicated stream,
 * pull and acknowledge, and do one thing more with another one. In the end all copies have to hold the same, and everything that was
 * acknowledged.
 *
 * The promise covers one loss at a time: a server loses something only while each of the others is whole in every group that it belongs to.
 * Were another one without a vote meanwhile, two of three would be gone, and the third could not know what they had acknowledged.
 */
import type { Clock } from "../../../src/base/clock.ts";
import { randomInt, seededRandom, type Random } from "../../../src/base/random.ts";
import { Timeline } from "../timeline.ts";
import { Advisories } from "./advisories.ts";
import { ClusterClients } from "./clients.ts";
import type { ClientRequests } from "./requests.ts";
import { SimulatedServer, type Carried } from "./server.ts";
import { workloadOf, type Workload } from "./workloads.ts";

const START_MS = 1_800_000_000_000;
const FAULTS_MS = 120_000;
const HEALING_MS = 90_000;
/** Clients publish and remove nothing behind the first part of it. */
const SETTLING_MS = 60_000;

export class ClusterWorld {
  readonly clock: Clock;
  private readonly timeline = new Timeline();
  readonly random: Random;
  readonly servers: SimulatedServer[];
  readonly clients: ClusterClients;
  private readonly workload: Workload;
  private readonly advisories: Advisories;
  /** A server is to lose something. */
  private isLossDue = false;
  calmSinceMs = 0;
  readonly log: string[] = [];
  /** "from to": nothing passes. */
  private readonly cut = new Set<string>();
  /** When the last message of a pair arrives: they keep their order. */
  private readonly arrivals = new Map<string, number>();
  private readonly delayMsMax: number;
  readonly syncMsMax: number;
  /** Else servers lose power, records of their journals, and disks. */
  readonly changesReplicas: boolean;
  private isHealing = false;
  private hasWiped = false;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.changesReplicas = seed % 2 === 0;
    const { timeline } = this;
    this.clock = {
      nowMs: () => START_MS + timeline.nowMs,
      setTimer(delayMs, fire) {
        let isSet = true;
        timeline.after(Math.max(0, delayMs), () => isSet && fire());
        return { [Symbol.dispose]: () => void (isSet = false) };
      },
    };
    const size = randomInt(this.random, 4) === 0 ? 5 : 3;
    this.delayMsMax = [2, 20, 200][randomInt(this.random, 3)]!;
    this.syncMsMax = [1, 10, 100][randomInt(this.random, 3)]!;
    this.servers = Array.from({ length: size }, (_, i) => new SimulatedServer(`n${i + 1}`, this, size));
    this.clients = new ClusterClients(this);
    this.workload = workloadOf(Math.floor(seed / 2), this);
    this.advisories = new Advisories(this);
  }

  get requests(): ClientRequests {
    return this.clients.requests;
  }

  run(): readonly string[] {
    for (const server of this.servers) server.start();
    this.every(1000, () => this.tellOfServers());
    const isSettled = (): boolean => this.nowMs >= FAULTS_MS + SETTLING_MS;
    this.every(150, () => isSettled() || this.clients.publish());
    this.every(400, () => this.clients.pull());
    this.every(120, () => this.clients.acknowledge());
    this.every(2500, () => isSettled() || this.clients.remove());
    this.every(1500, () => this.clients.makeAssets());
    this.every(1500, () => this.workload.make());
    this.every(500, () => isSettled() || this.workload.publish());
    this.every(500, () => this.workload.consume());
    this.every(6000, () => this.fault());
    this.every(300, () => this.loseSomething());
    this.timeline.runUntil(FAULTS_MS);
    this.heal();
    this.timeline.runUntil(FAULTS_MS + HEALING_MS);
    this.clients.judge();
    this.workload.judge();
    this.advisories.judge();
    return this.clients.breaches;
  }

  breach(text: string): void {
    this.clients.breach(text);
  }

  readonly note = (text: string): void => {
    if (this.log.length < 20_000) this.log.push(`${(this.clock.nowMs() - START_MS).toFixed(0)} ms: ${text}`);
  };

  /** To all that listen, on this server at once, on the others after a while. */
  carry(from: SimulatedServer, message: Carried): boolean {
    this.advisories.take(message);
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
    if (dice < 2) this.down(server, "is killed", () => server.kill());
    else if (dice < 4) for (const each of this.servers) this.down(each, "is killed", () => each.kill());
    else if (dice < 6) this.partition();
    else if (dice < 8) this.clients.stepDown();
    else if (this.changesReplicas) this.change();
    else this.losePower(server);
  }

  private change(): void {
    const dice = randomInt(this.random, 6);
    if (dice === 0 && !this.hasWiped && this.isAllWell) this.wipe();
    else if (dice === 1) this.clients.replace();
    else if (dice === 2) this.workload.replace();
    else if (dice === 3) this.disturb();
    else this.clients.scale();
  }

  /** Copies move, and in the midst of that whoever leads is killed, cut off, or to lead no more. */
  private disturb(): void {
    if (randomInt(this.random, 2) === 0) this.clients.replace();
    else this.workload.replace();
    this.clock.setTimer(this.random.next() * 1500, () => {
      if (this.isHealing) return;
      const dice = randomInt(this.random, 3);
      const leader = this.servers.find(({ cluster }) =>
        dice === 0 ? cluster?.meta.leads : cluster?.assets.standing("A", "S", "") === "leads",
      );
      if (dice === 2) this.clients.stepDown();
      else if (leader !== undefined && randomInt(this.random, 2) === 0) this.partition(leader);
      else if (leader !== undefined) this.down(leader, "is killed", () => leader.kill());
    });
  }

  /** Once: the copies are changed while it gets its own again. */
  private wipe(): void {
    const server = this.servers[randomInt(this.random, this.servers.length)]!;
    if (!this.mayLose(server)) return;
    this.hasWiped = true;
    this.down(server, "loses its disk", () => {
      server.kill();
      server.loseDisk();
    });
  }

  private losePower(server: SimulatedServer): void {
    const dice = randomInt(this.random, 6);
    if (dice < 2) this.down(server, "loses power", () => server.losePower());
    else if (dice < 4) server.losePowerAfter(randomInt(this.random, 60));
    else if (dice < 5)
      for (const each of this.servers) this.down(each, "loses power", () => each.losePower());
    else this.isLossDue = true;
  }

  private mayLose(server: SimulatedServer): boolean {
    return this.servers.every((other) => other === server || other.isWhole);
  }

  /** As soon as it may be: often the others have become whole a moment ago. */
  private loseSomething(): void {
    const server = this.servers[randomInt(this.random, this.servers.length)]!;
    if (this.isHealing || !this.isLossDue || !this.clients.hasConsumer) return;
    if (!server.isAlive || !this.mayLose(server)) return;
    this.isLossDue = false;
    const dice = randomInt(this.random, 3);
    const what = ["loses its disk", "loses power, and records of its journal", "loses power, and messages"];
    this.down(server, what[dice]!, () => {
      server.losePower();
      if (dice === 0) server.loseDisk();
      else if (dice === 1) server.loseRecords();
      else server.loseMessages(["S", this.workload.stream][randomInt(this.random, 2)]!);
    });
  }

  private down(server: SimulatedServer, what: string, end: () => void): void {
    if (!server.isAlive) return;
    this.note(`${server.name} ${what}`);
    end();
    this.startLater(server);
  }

  died(server: SimulatedServer): void {
    this.note(`${server.name} loses power in the middle of its work`);
    this.startLater(server);
  }

  private startLater(server: SimulatedServer): void {
    this.calmSinceMs = Infinity;
    for (const other of this.servers) this.lose(other, server);
    this.clock.setTimer(this.random.next() * 8000, () => {
      if (server.isAlive) return;
      this.note(`${server.name} starts again`);
      server.start();
      this.calmDown();
    });
  }

  /** Three copies of the stream are complete, so that one of them may go. */
  private get isAllWell(): boolean {
    if (this.cut.size > 0 || !this.servers.every(({ isAlive }) => isAlive)) return false;
    const leader = this.servers.find(({ cluster }) => cluster?.meta.leads);
    const group = leader?.cluster?.meta.assignments.stream("A", "S")?.assignment.group;
    if (group === undefined || group.desired !== undefined || group.peers.length < 3) return false;
    const copies = this.servers.filter(
      ({ cluster }) => cluster?.assets.replicaOf("A", "S")?.isCurrent === true,
    );
    return (
      copies.length === group.peers.length && this.servers.every(({ cluster }) => cluster?.meta.isCurrent)
    );
  }

  private partition(away = this.servers[randomInt(this.random, this.servers.length)]!): void {
    for (const other of this.servers) {
      this.cut.add(`${away.name} ${other.name}`);
      this.cut.add(`${other.name} ${away.name}`);
      this.lose(other, away);
      this.lose(away, other);
    }
    this.calmSinceMs = Infinity;
    this.note(`${away.name} is cut off`);
    this.clock.setTimer(this.random.next() * 12_000, () => {
      this.cut.clear();
      this.note("all are connected");
      this.calmDown();
    });
  }

  /** All is well from here on, unless something else is not. */
  private calmDown(): void {
    if (this.cut.size === 0 && this.servers.every(({ isAlive }) => isAlive)) this.calmSinceMs = this.nowMs;
  }

  /** A server notices that its connection to another one has ended; or that has gone silent, and it does not. */
  private lose(server: SimulatedServer, other: SimulatedServer): void {
    if (server === other || randomInt(this.random, 2) === 0) return;
    const { life } = server;
    this.clock.setTimer(this.random.next() * 100, () => {
      if (server.life === life) server.serverLost(other.name);
    });
  }

  private heal(): void {
    this.isHealing = true;
    this.cut.clear();
    for (const server of this.servers) server.losePowerAfter(Infinity);
    for (const server of this.servers) if (!server.isAlive) server.start();
    this.calmDown();
    this.note("all heals");
  }

  private every(meanMs: number, act: () => void): void {
    this.clock.setTimer(this.random.next() * 2 * meanMs, () => {
      act();
      this.every(meanMs, act);
    });
  }
}
