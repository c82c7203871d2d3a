/**
 * A group under faults: delays, loss, duplicates and every order of messages, partitions one way and both, crashes that lose what was
 * not durable, damaged and empty disks, stopped processes, changes of the membership, hand-overs. Clients propose operations all the
 * time. Then everything heals, and the group has to agree.
 */
import { hashName } from "../../../src/base/base62.ts";
import { randomInt, seededRandom, type Random } from "../../../src/base/random.ts";
import { EntryType, type AppendEntry, type PeerId, type PeerState } from "../../../src/raft/messages.ts";
import { Timeline } from "../timeline.ts";
import { RaftChecks } from "./checks.ts";
import { DrivenMember } from "./driven-member.ts";
import { RaftMember } from "./member.ts";
import type { MemberWorld, SentBytes, SimMember } from "./sim-member.ts";

const SIZES = [1, 2, 3, 3, 3, 4, 5, 5, 7];
/** How often what goes wrong. Times in milliseconds, chances as one in so many. */
const RATES = {
  usual: { faultEveryMs: [300, 800, 2500], damageOneIn: 4, changeEveryMs: 5000, delaysMs: [5, 50, 50, 1500] },
  raised: {
    faultEveryMs: [150, 300, 800],
    damageOneIn: 2,
    changeEveryMs: 2000,
    delaysMs: [50, 300, 1500, 4000],
  },
} as const;
export type FaultRates = keyof typeof RATES;

/** "plain": the state machine with a disk of the simulation. "driven": with the driver and the journal of production. */
export type MemberKind = "plain" | "driven";

const FAULTS_MS = 90_000;
const HEALING_MS = 60_000;
/** Clients propose nothing in the last part of it. */
const SETTLING_MS = 15_000;
const encoder = new TextEncoder();

interface Waiting {
  readonly knownAtStart: number;
}

export class RaftWorld implements MemberWorld {
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly checks = new RaftChecks();
  readonly log: string[] = [];
  private readonly members = new Map<PeerId, SimMember>();
  /** "from to": nothing passes. */
  private readonly cut = new Set<string>();
  private readonly waiting = new Map<string, Waiting>();
  private readonly lossPerMille: number;
  private readonly delayMsMax: number;
  private readonly faultEveryMs: number;
  /** A write takes at most so long. */
  readonly writeMsMax: number;
  readonly knowsBirths: boolean;
  private peers: PeerState;
  private operations = 0;
  private knownIndex = 0;
  private isHealing = false;
  private readonly changesMembers: boolean;
  private readonly rates: (typeof RATES)[FaultRates];

  private readonly kind: MemberKind;

  constructor(seed: number, rates: FaultRates = "usual", kind: MemberKind = "plain") {
    this.rates = RATES[rates];
    this.kind = kind;
    this.random = seededRandom(seed);
    const size = this.pick(SIZES);
    this.lossPerMille = this.pick([0, 0, 20, 100]);
    this.delayMsMax = this.pick<number>(this.rates.delaysMs);
    this.faultEveryMs = this.pick<number>(this.rates.faultEveryMs);
    this.writeMsMax = this.pick([5, 30, 400]);
    this.knowsBirths = randomInt(this.random, 2) === 0;
    this.changesMembers = size > 1 && randomInt(this.random, 2) === 0;
    const ids = Array.from({ length: size }, (_, i) => hashName(`n${i + 1}`));
    this.peers = { size, peers: ids, domainExtension: 0 };
    for (const id of ids) this.add(id);
  }

  /** Breaches; none: all holds. */
  run(): readonly string[] {
    this.every(100, () => this.proposeSomewhere());
    this.every(this.faultEveryMs, () => this.fault());
    this.every(this.rates.changeEveryMs, () => this.changeMembership());
    this.every(4000, () => this.pick([...this.members.values()]).makeSnapshot());
    this.timeline.runUntil(FAULTS_MS);
    this.heal();
    this.timeline.runUntil(FAULTS_MS + HEALING_MS);
    this.judge();
    return this.checks.breaches;
  }

  send(from: PeerId, message: SentBytes, entry?: AppendEntry): void {
    if (entry !== undefined) this.checks.appended(entry);
    for (const to of this.members.values()) {
      if (to.id === from || to.node === undefined || !to.hears(message.subject)) continue;
      const copies = randomInt(this.random, 50) === 0 && !this.isHealing ? 2 : 1;
      for (let i = 0; i < copies; i++) this.carry(from, to, message);
    }
  }

  isDone(operation: string, index: number): void {
    const waiting = this.waiting.get(operation);
    if (waiting === undefined) return;
    this.waiting.delete(operation);
    this.checks.acknowledge(operation, index, waiting.knownAtStart);
    this.knownIndex = Math.max(this.knownIndex, index);
  }

  private carry(from: PeerId, to: SimMember, { subject, reply, bytes }: SentBytes): void {
    if (this.cut.has(`${from} ${to.id}`)) return;
    if (!this.isHealing && randomInt(this.random, 1000) < this.lossPerMille) return;
    const { life } = to;
    const delayMs = this.random.next() * (this.isHealing ? 20 : this.delayMsMax);
    this.timeline.after(delayMs, () => {
      if (to.life === life && to.hears(subject)) to.receive(subject, reply, bytes);
    });
  }

  private proposeSomewhere(): void {
    if (this.timeline.nowMs > FAULTS_MS + HEALING_MS - SETTLING_MS) return;
    const leaders = [...this.members.values()].filter(({ node }) => node?.leads);
    if (leaders.length > 0) this.propose(this.pick(leaders));
  }

  private propose(leader: SimMember): void {
    const operation = `o${++this.operations}`;
    this.waiting.set(operation, { knownAtStart: this.knownIndex });
    const entries = [{ type: EntryType.NORMAL, data: encoder.encode(operation) }];
    leader.step({ kind: "propose", entries });
  }

  private fault(): void {
    if (this.isHealing) return;
    const member = this.pick([...this.members.values()]);
    const fault = randomInt(this.random, 20);
    if (fault < 3) this.crash(member);
    else if (fault < 6) this.partition();
    else if (fault === 6) member.stalledUntilMs = this.timeline.nowMs + this.random.next() * 15_000;
    else if (fault === 7) member.step({ kind: "transfer", to: this.pick(this.peers.peers) });
    else if (fault === 8) for (const each of this.members.values()) this.crash(each);
    else if (fault < 11) this.duel();
    else if (fault < 13) this.strand();
    else if (fault < 14) this.behead();
    else if (fault < 16) this.blink();
    else if (fault === 16) member.fillDisk(this.random.next() * 10_000);
    else member.step({ kind: "campaign" });
  }

  /** Two campaign in one term without hearing each other, and those who have voted for the first crash before the second asks them. */
  private duel(): void {
    const all = [...this.members.values()];
    const first = this.pick(all);
    const second = this.pick(all);
    this.cut.add(`${first.id} ${second.id}`);
    this.cut.add(`${second.id} ${first.id}`);
    first.step({ kind: "campaign" });
    const roundMs = this.delayMsMax + this.writeMsMax;
    for (const each of all) {
      if (each === first || each === second) continue;
      this.timeline.after(roundMs * (0.3 + this.random.next()), () => this.crash(each, 10));
    }
    this.timeline.after(roundMs * (0.8 + this.random.next()), () => second.step({ kind: "campaign" }));
    this.timeline.after(3 * roundMs, () => this.cut.clear());
  }

  /**
   * A leader with a slow disk takes a proposal while as many as possible are cut off, and crashes before it has it itself. Those who were cut
   * off come back as it does, and those who were there go.
   */
  private behead(): void {
    const leader = [...this.members.values()].find(({ node }) => node?.leads);
    if (leader === undefined) return;
    const others = this.peers.peers.filter((peer) => peer !== leader.id);
    const absent = new Set(others.filter((_, i) => i < Math.floor(others.length / 2)));
    this.cut.clear();
    this.cutOff(absent);
    const roundMs = this.delayMsMax + this.writeMsMax;
    leader.slowDiskUntilMs = this.timeline.nowMs + 3 * roundMs;
    this.propose(leader);
    this.timeline.after((1 + 2 * this.random.next()) * roundMs, () => {
      leader.slowDiskUntilMs = 0;
      this.crash(leader, 10);
      this.cut.clear();
      this.cutOff(new Set(others.filter((peer) => !absent.has(peer))));
      this.timeline.after(20, () => this.members.get([...absent][0] ?? "")?.step({ kind: "campaign" }));
    });
    this.timeline.after(3 * roundMs + this.random.next() * 10_000, () => this.cut.clear());
  }

  /** A leader is cut off with less than half of the others, takes proposals, and another one campaigns. */
  private strand(): void {
    const leader = [...this.members.values()].find(({ node }) => node?.leads);
    if (leader === undefined) return;
    const others = [...this.members.values()].filter((each) => each !== leader);
    const away = new Set(others.filter(() => randomInt(this.random, 3) === 0).map(({ id }) => id));
    this.cutOff(away.add(leader.id));
    for (let i = randomInt(this.random, 4); i > 0; i--) this.propose(leader);
    const rest = others.filter(({ id }) => !away.has(id));
    // two at once would leave it with those who hear it
    if (randomInt(this.random, 2) === 0) for (const { id } of rest) this.removeOrAdd(leader, id);
    if (rest.length > 0) this.soon(() => this.pick(rest).step({ kind: "campaign" }));
    this.timeline.after(this.random.next() * 3000, () => this.cut.clear());
  }

  /** All lose power for a moment, in the middle of proposals. */
  private blink(): void {
    for (const member of this.members.values()) {
      if (member.node?.leads === true) this.propose(member);
      this.soon(() => this.crash(member, 20));
    }
    this.soon(() => this.pick([...this.members.values()]).step({ kind: "campaign" }));
  }

  private soon(act: () => void): void {
    this.timeline.after(this.random.next() * (this.delayMsMax + this.writeMsMax), act);
  }

  private crash(member: SimMember, backWithinMs = 4000): void {
    if (member.node === undefined) return;
    const isMember = this.peers.peers.includes(member.id);
    member.crash();
    const recovering = this.peers.peers.filter((peer) => this.members.get(peer)?.isLost).length;
    // a majority that has lost something cannot be mended
    const size = this.peers.peers.length - (this.changesMembers ? 1 : 0);
    const mayLose = recovering < Math.ceil(size / 2) - 1;
    if (isMember && mayLose && randomInt(this.random, this.rates.damageOneIn) === 0) {
      member.damage(this.random);
    }
    this.note(`${member.id} crashes${member.isLost ? ", and has lost something" : ""}`);
    this.timeline.after(this.random.next() * backWithinMs, () => {
      if (member.node === undefined) member.start(this.peers);
    });
  }

  private partition(): void {
    const ids = [...this.members.keys()];
    const away = new Set(ids.filter(() => randomInt(this.random, 2) === 0));
    this.cutOff(away, randomInt(this.random, 3) === 0 ? "one way" : "both ways");
    this.timeline.after(this.random.next() * 12_000, () => this.cut.clear());
  }

  private cutOff(away: ReadonlySet<PeerId>, ways: "one way" | "both ways" = "both ways"): void {
    const ids = [...this.members.keys()];
    for (const from of ids) {
      for (const to of ids) {
        if (away.has(from) === away.has(to) || (ways === "one way" && away.has(from))) continue;
        this.cut.add(`${from} ${to}`);
      }
    }
    this.note(`${[...away].join(" ")} cut off, ${ways}`);
  }

  private changeMembership(): void {
    if (this.isHealing || !this.changesMembers || randomInt(this.random, 2) === 0) return;
    const leader = [...this.members.values()].find(({ node }) => node?.leads);
    // all but the first one have to be refused
    for (let i = randomInt(this.random, 3); i >= 0 && leader !== undefined; i--) this.changeMembers(leader);
  }

  private changeMembers(leader: SimMember): void {
    if (this.isHealing || !this.changesMembers || leader.node === undefined) return;
    if (randomInt(this.random, 2) === 0 && this.members.size < 8) {
      const id = hashName(`n${this.members.size + 1}`);
      this.add(id);
      this.note(`${id} is to join`);
      leader.step({ kind: "add peer", peer: id });
      return;
    }
    this.removeOrAdd(leader, this.pick([...this.members.keys()]));
  }

  private removeOrAdd(leader: SimMember, peer: PeerId): void {
    if (!this.changesMembers || leader.node === undefined) return;
    const kind = leader.node.peers.peers.includes(peer) ? "remove peer" : "add peer";
    const rest = leader.node.peers.peers.filter((other) => other !== peer);
    // those who have lost something cannot be a majority of those who stay
    const whole = rest.filter((other) => !this.members.get(other)!.isLost).length;
    if (kind === "remove peer" && (rest.length < 2 || whole <= rest.length / 2)) return;
    this.note(`${kind} ${peer}`);
    leader.step({ kind, peer });
  }

  private add(id: PeerId): void {
    const member = this.kind === "plain" ? new RaftMember(id, this) : new DrivenMember(id, this);
    this.members.set(id, member);
    member.start(this.peers);
  }

  /** The layer above learns of the membership, as the meta group does. */
  membershipIs(peers: PeerState): void {
    this.peers = peers;
  }

  private heal(): void {
    this.isHealing = true;
    this.cut.clear();
    for (const member of this.members.values()) {
      member.stalledUntilMs = 0;
      if (member.node === undefined) member.start(this.peers);
    }
    this.note("all heals");
  }

  private judge(): void {
    const { checks } = this;
    const members = [...this.members.values()];
    const leaders = members.filter(({ node }) => node!.leads);
    const leader = leaders.sort((a, b) => b.node!.term - a.node!.term)[0];
    if (leader === undefined) return checks.breach("nobody leads after all has healed");
    const inGroup = members.filter(({ id }) => leader.node!.peers.peers.includes(id));
    for (const member of inGroup) {
      if (member.node!.isRecovering) checks.breach(`${member.id} has not become whole again`);
      if (leader.node!.commit !== member.appliedIndex)
        checks.breach(`${member.id} is at ${member.appliedIndex} of ${leader.node!.commit}`);
    }
    const shortest = Math.min(...inGroup.map(({ operations }) => operations.length));
    if (checks.acknowledged.length === 0) checks.breach("nothing was acknowledged");
    for (const { id, operations } of inGroup) checks.holds(id, operations);
    this.note(`${shortest} operations, ${this.checks.highestCommitted} committed, term ${leader.node!.term}`);
  }

  private every(meanMs: number, act: () => void): void {
    this.timeline.after(this.random.next() * 2 * meanMs, () => {
      act();
      this.every(meanMs, act);
    });
  }

  private pick<T>(from: readonly T[]): T {
    return from[randomInt(this.random, from.length)]!;
  }

  private note(text: string): void {
    if (this.log.length < 10_000) this.log.push(`${this.timeline.nowMs.toFixed(0)} ms: ${text}`);
  }
}
