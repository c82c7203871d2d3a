/**
 * A group under faults: delays, loss, duplicates and every order of messages, partitions one way and both, crashes that lose what was
 * not durable, damaged and empty disks, stopped processes, changes of the membership, hand-overs. Clients propose operations all the
 * time. Then everything heals, and the group has to agree.
 */
import { hashName } from "../../../src/base/base62.ts";
import { randomInt, seededRandom, type Random } from "../../../src/base/random.ts";
import { EntryType, type PeerId, type PeerState, type RaftMessage } from "../../../src/raft/messages.ts";
import type { OutgoingMessage } from "../../../src/raft/state.ts";
import * as wire from "../../../src/raft/wire.ts";
import { Timeline } from "../timeline.ts";
import { RaftChecks } from "./checks.ts";
import { RaftMember, type MemberWorld } from "./member.ts";

const SIZES = [1, 3, 3, 3, 4, 5, 5, 7];
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
  private readonly members = new Map<PeerId, RaftMember>();
  /** "from to": nothing passes. */
  private readonly cut = new Set<string>();
  private readonly waiting = new Map<string, Waiting>();
  private readonly lossPerMille: number;
  private readonly delayMsMax: number;
  private readonly faultEveryMs: number;
  /** A write takes at most so long. */
  readonly writeMsMax: number;
  private peers: PeerState;
  private operations = 0;
  private knownIndex = 0;
  private isHealing = false;
  private readonly changesMembers: boolean;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const size = this.pick(SIZES);
    this.lossPerMille = this.pick([0, 0, 20, 100]);
    this.delayMsMax = this.pick([5, 50, 50, 1500]);
    this.faultEveryMs = this.pick([300, 800, 2500]);
    this.writeMsMax = this.pick([5, 30, 400]);
    this.changesMembers = size > 1 && randomInt(this.random, 2) === 0;
    const ids = Array.from({ length: size }, (_, i) => hashName(`n${i + 1}`));
    this.peers = { size, peers: ids, domainExtension: 0 };
    for (const id of ids) this.add(id);
  }

  /** Breaches; none: all holds. */
  run(): readonly string[] {
    this.every(100, () => this.propose());
    this.every(this.faultEveryMs, () => this.fault());
    this.every(5000, () => this.changeMembership());
    this.every(4000, () => this.pick([...this.members.values()]).makeSnapshot());
    this.timeline.runUntil(FAULTS_MS);
    this.heal();
    this.timeline.runUntil(FAULTS_MS + HEALING_MS);
    this.judge();
    return this.checks.breaches;
  }

  send(from: PeerId, outgoing: OutgoingMessage): void {
    const { kind, body } = outgoing.message;
    if (kind === "append" && body.entries.length > 0 && body.currentTerm === 0) this.checks.appended(body);
    for (const to of this.members.values()) {
      if (to.id === from || !to.inboxes.has(outgoing.subject) || to.node === undefined) continue;
      const copies = randomInt(this.random, 50) === 0 && !this.isHealing ? 2 : 1;
      for (let i = 0; i < copies; i++) this.carry(from, to, outgoing);
    }
  }

  isDone(operation: string, index: number): void {
    const waiting = this.waiting.get(operation);
    if (waiting === undefined) return;
    this.waiting.delete(operation);
    this.checks.acknowledge(operation, index, waiting.knownAtStart);
    this.knownIndex = Math.max(this.knownIndex, index);
  }

  private carry(from: PeerId, to: RaftMember, { subject, reply, message }: OutgoingMessage): void {
    if (this.cut.has(`${from} ${to.id}`)) return;
    if (!this.isHealing && randomInt(this.random, 1000) < this.lossPerMille) return;
    const { life } = to;
    const copy = overTheWire(message);
    const delayMs = this.random.next() * (this.isHealing ? 20 : this.delayMsMax);
    this.timeline.after(delayMs, () => {
      if (to.life === life && to.inboxes.has(subject))
        to.step({ kind: "message", subject, reply, message: copy });
    });
  }

  private propose(): void {
    if (this.timeline.nowMs > FAULTS_MS + HEALING_MS - SETTLING_MS) return;
    const leaders = [...this.members.values()].filter(({ node }) => node?.leads);
    if (leaders.length === 0) return;
    const operation = `o${++this.operations}`;
    this.waiting.set(operation, { knownAtStart: this.knownIndex });
    const entries = [{ type: EntryType.NORMAL, data: encoder.encode(operation) }];
    this.pick(leaders).step({ kind: "propose", entries });
  }

  private fault(): void {
    if (this.isHealing) return;
    const member = this.pick([...this.members.values()]);
    const fault = randomInt(this.random, 14);
    if (fault < 3) this.crash(member);
    else if (fault < 6) this.partition();
    else if (fault === 6) member.stalledUntilMs = this.timeline.nowMs + this.random.next() * 15_000;
    else if (fault === 7) member.step({ kind: "transfer", to: this.pick(this.peers.peers) });
    else if (fault === 8) for (const each of this.members.values()) this.crash(each);
    else member.step({ kind: "campaign" });
  }

  private crash(member: RaftMember): void {
    if (member.node === undefined) return;
    const isMember = this.peers.peers.includes(member.id);
    member.crash();
    const recovering = this.peers.peers.filter((peer) => this.members.get(peer)?.isLost).length;
    // a majority that has lost something cannot be mended
    const size = this.peers.peers.length - (this.changesMembers ? 1 : 0);
    const mayLose = recovering < Math.ceil(size / 2) - 1;
    if (isMember && mayLose && randomInt(this.random, 4) === 0) {
      member.disk.damage(this.random);
      member.isLost = true;
    }
    this.note(`${member.id} crashes${member.isLost ? ", and has lost something" : ""}`);
    this.timeline.after(this.random.next() * 4000, () => {
      if (member.node === undefined) member.start(this.peers);
    });
  }

  private partition(): void {
    const ids = [...this.members.keys()];
    const away = new Set(ids.filter(() => randomInt(this.random, 2) === 0));
    const isOneWay = randomInt(this.random, 3) === 0;
    for (const from of ids) {
      for (const to of ids) {
        if (away.has(from) === away.has(to) || (isOneWay && away.has(from))) continue;
        this.cut.add(`${from} ${to}`);
      }
    }
    this.note(`${[...away].join(" ")} cut off${isOneWay ? ", one way" : ""}`);
    this.timeline.after(this.random.next() * 12_000, () => this.cut.clear());
  }

  private changeMembership(): void {
    if (this.isHealing || !this.changesMembers || randomInt(this.random, 2) === 0) return;
    const leader = [...this.members.values()].find(({ node }) => node?.leads);
    if (leader === undefined) return;
    if (randomInt(this.random, 2) === 0 && this.members.size < 8) {
      const id = hashName(`n${this.members.size + 1}`);
      this.add(id);
      this.note(`${id} is to join`);
      leader.step({ kind: "add peer", peer: id });
      return;
    }
    const peer = this.pick([...this.members.keys()]);
    const kind = leader.node!.peers.peers.includes(peer) ? "remove peer" : "add peer";
    const rest = leader.node!.peers.peers.filter((other) => other !== peer);
    // those who have lost something cannot be a majority of those who stay
    const whole = rest.filter((other) => !this.members.get(other)!.isLost).length;
    if (kind === "remove peer" && (rest.length < 2 || whole <= rest.length / 2)) return;
    this.note(`${kind} ${peer}`);
    leader.step({ kind, peer });
  }

  private add(id: PeerId): void {
    const member = new RaftMember(id, this);
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

/** As bytes and back. */
function overTheWire(message: RaftMessage): RaftMessage {
  switch (message.kind) {
    case "vote request":
      return { kind: message.kind, body: wire.decodeVoteRequest(wire.encodeVoteRequest(message.body))! };
    case "vote response":
      return { kind: message.kind, body: wire.decodeVoteResponse(wire.encodeVoteResponse(message.body))! };
    case "append":
      return { kind: message.kind, body: wire.decodeAppend(wire.encodeAppend(message.body))! };
    case "append response":
      return {
        kind: message.kind,
        body: wire.decodeAppendResponse(wire.encodeAppendResponse(message.body))!,
      };
  }
}
