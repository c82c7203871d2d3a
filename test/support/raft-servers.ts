/** Servers with Raft drivers in one process, on a virtual clock: messages and work of later turns wait until the test lets them pass. */
import { hashName } from "../../src/base/base62.ts";
import { VirtualClock } from "../../src/base/clock.ts";
import { seededRandom, type Random } from "../../src/base/random.ts";
import { RaftDriver } from "../../src/raft/driver/driver.ts";
import type { RaftGroup } from "../../src/raft/driver/group.ts";
import type { RaftJournal } from "../../src/raft/driver/group-log.ts";
import type { CommittedEntry, GroupLayer } from "../../src/raft/driver/layer.ts";
import { MemoryJournal } from "../../src/raft/driver/memory-journal.ts";
import { EntryType, type PeerState } from "../../src/raft/messages.ts";
import type { RaftSnapshot } from "../../src/raft/state.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const peersOf = (names: readonly string[]): PeerState => ({
  size: names.length,
  peers: names.map(hashName),
  domainExtension: 0,
});

/** Notes what it is handed. */
export class NotingLayer implements GroupLayer {
  readonly operations: string[] = [];
  readonly told: string[] = [];
  onApply: (committed: CommittedEntry) => void = () => undefined;

  apply(committed: CommittedEntry): void {
    for (const { type, data } of committed.entries)
      if (type === EntryType.NORMAL) this.operations.push(decoder.decode(data));
    this.onApply(committed);
  }

  restore({ data }: RaftSnapshot): void {
    this.operations.length = 0;
    this.operations.push(...decoder.decode(data).split(" ").filter(Boolean));
    this.told.push("restored");
  }

  leadershipChanged(leads: boolean): void {
    this.told.push(leads ? "leads" : "leads no more");
  }

  statusChanged(): void {
    this.told.push("status");
  }

  get state(): Uint8Array {
    return encoder.encode(this.operations.join(" "));
  }
}

export const operation = (text: string): { type: number; data: Uint8Array } => ({
  type: EntryType.NORMAL,
  data: encoder.encode(text),
});

interface Waiting {
  readonly from: RaftServer;
  readonly subject: string;
  readonly reply: string;
  readonly bytes: Uint8Array;
}

export class RaftServers {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly servers: RaftServer[];
  /** All that was sent. */
  readonly sent: Waiting[] = [];
  private readonly waiting: Waiting[] = [];
  readonly work: (() => void)[] = [];
  /** Work of the next round: it comes when there is no other. */
  private readonly rounds: (() => void)[] = [];
  speaksBundles = true;

  constructor(names: readonly string[], seed = 1) {
    this.random = seededRandom(seed);
    this.servers = names.map((name) => new RaftServer(name, this));
  }

  send(message: Waiting): void {
    this.sent.push(message);
    this.waiting.push(message);
  }

  /** Work and messages pass until there are none. */
  settle(): void {
    for (;;) {
      const work = this.work.shift() ?? this.rounds.shift();
      if (work !== undefined) {
        work();
        continue;
      }
      const message = this.waiting.shift();
      if (message === undefined) return;
      const { from, subject, reply, bytes } = message;
      for (const server of this.servers)
        if (server !== from && server.hears(subject)) server.driver.receive(subject, reply, bytes);
    }
  }

  nextRound(work: () => void): void {
    this.rounds.push(work);
  }

  /** One connection has been read: what that has caused is done. */
  endTurn(): void {
    for (let work = this.work.shift(); work !== undefined; work = this.work.shift()) work();
  }

  /** In steps, so that what is sent comes before the next timer. */
  advance(ms: number): void {
    for (let left = ms; left > 0; left -= 10) {
      this.clock.advance(Math.min(10, left));
      this.settle();
    }
  }

  /** Time passes until it holds. */
  until(holds: () => boolean): void {
    for (let i = 0; !holds(); i++) {
      if (i === 10_000) throw new Error("this did not come about in 100 s of the virtual clock");
      this.advance(10);
    }
  }
}

export class RaftServer {
  readonly name: string;
  driver: RaftDriver;
  readonly subjects = new Set<string>();
  journal: RaftJournal = new MemoryJournal();
  private readonly world: RaftServers;

  constructor(name: string, world: RaftServers) {
    this.name = name;
    this.world = world;
    this.driver = this.makeDriver();
  }

  get id(): string {
    return hashName(this.name);
  }

  open(
    group: string,
    names: readonly string[],
    layer: GroupLayer = new NotingLayer(),
    isNewGroup = true,
  ): RaftGroup {
    return this.driver.open({ name: group, peers: peersOf(names), isNewGroup, journal: this.journal, layer });
  }

  hears(subject: string): boolean {
    if (subject.startsWith("$SHOAL.") && !this.world.speaksBundles) return false;
    const { subjects } = this;
    return subjects.has(subject) || subjects.has(`${subject.slice(0, subject.lastIndexOf("."))}.*`);
  }

  /** Its journal stays. */
  restart(): void {
    this.driver.stop();
    this.driver = this.makeDriver();
  }

  private makeDriver(): RaftDriver {
    const { world } = this;
    return new RaftDriver({
      id: hashName(this.name),
      clock: world.clock,
      random: world.random,
      soon: (work) => void world.work.push(work),
      nextRound: (work) => world.nextRound(work),
      transport: {
        send: (subject, reply, bytes) => world.send({ from: this, subject, reply, bytes }),
        listen: (subject) => void this.subjects.add(subject),
        ignore: (subject) => void this.subjects.delete(subject),
      },
    });
  }
}
