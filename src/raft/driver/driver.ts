/**
 * Runs all groups of a server: one tick for all of them, one commit of the journal for all that they have to store in a turn, and the
 * messages of each to and from the other servers. A group without work has no timer and nothing that waits.
 *
 * Time, chance, the disk and the network are handed in.
 */
import { assert } from "../../base/assert.ts";
import { randomToken } from "../../base/base62.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { PeerId } from "../messages.ts";
import { Timing } from "../state.ts";
import { answerInbox, inboxBelow } from "../subjects.ts";
import { Bundles, bundleSubject, senderOf, unbundled, type BundledMessage } from "./bundles.ts";
import { Committer } from "./committer.ts";
import { DueGroups } from "./due-groups.ts";
import { RaftGroup } from "./group.ts";
import type { GroupHost, GroupOptions, HostedGroup } from "./group-options.ts";
import { HeardServers } from "./heard-servers.ts";
import type { RaftJournal } from "./group-log.ts";
import type { RaftTransport } from "./transport.ts";

/** Elections that begin at a time when a server is lost, and the milliseconds from these to the next. */
const ELECTIONS_AT_ONCE = 64;
const ELECTIONS_EVERY_MS = 10;

/** How often a server gives a sign of life to the others, milliseconds. */
const PULSE_MS = 1000;
/** Heartbeats go in bundles to servers from which one has come within this. */
const BUNDLES_HEARD_MS = 2500;

export interface RaftDriverOptions {
  /** This server, to all groups. */
  readonly id: PeerId;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: RaftTransport;
  /** Calls `work` once, when the messages that are being read have been handled. */
  readonly soon: (work: () => void) => void;
  /**
   * Calls `work` once, when all connections that have something to read now have been read once. Absent: `soon`, which is the end of one
   * read of one connection.
   */
  readonly nextRound?: (work: () => void) => void;
}

export class RaftDriver implements GroupHost {
  readonly id: PeerId;
  readonly random: Random;
  readonly signs = new HeardServers();
  private readonly options: RaftDriverOptions;
  private readonly groups = new Map<string, RaftGroup>();
  private readonly subjects = new Map<string, HostedGroup>();
  private readonly committers = new Map<RaftJournal, Committer>();
  private readonly due = new DueGroups<HostedGroup>();
  private readonly bundles: Bundles;
  private readonly inbox: string;
  private inboxes = 0;
  /** The message of a bundle that is being handled: its answer travels in a bundle, too. */
  private answering: BundledMessage | null = null;
  private timer: Disposable | null = null;
  private timerDueMs = Infinity;
  private pulseDueMs = -Infinity;
  private isStopped = false;
  private readonly startedMs: number;
  /** When groups were closed, the oldest first: bounded by those of the last VOTE_FORGOTTEN_MS. */
  private readonly closedMs = new Map<string, number>();

  constructor(options: RaftDriverOptions) {
    const { id, random, transport } = options;
    this.options = options;
    this.startedMs = options.clock.nowMs();
    this.id = id;
    this.random = random;
    this.inbox = answerInbox(random);
    this.bundles = new Bundles(id, randomToken(random), (peer, bundle) =>
      transport.send(bundleSubject(peer), "", bundle),
    );
    transport.listen(bundleSubject(id));
    transport.listen(`${this.inbox}.*`);
  }

  get size(): number {
    return this.groups.size;
  }

  /** Undefined: it is not open here. */
  group(name: string): RaftGroup | undefined {
    return this.groups.get(name);
  }

  /** Throws `DiskError`. The layer is called back from the next turn on, with the stored snapshot first. */
  open(options: GroupOptions): RaftGroup {
    assert(!this.isStopped, "a driver that has stopped opens nothing");
    assert(!this.groups.has(options.name), "a group is open once at most");
    const group = new RaftGroup(options, this);
    this.groups.set(options.name, group);
    group.start();
    this.wakeBy(this.pulseDueMs);
    return group;
  }

  /** A message on a subject that was asked for. The bytes may not change afterwards. */
  receive(subject: string, reply: string, bytes: Uint8Array): void {
    const group = this.subjects.get(subject);
    if (group !== undefined) group.receive(subject, reply, bytes);
    else if (subject === bundleSubject(this.id)) this.receiveBundle(bytes);
  }

  /**
   * The connection to a server has ended. Groups that it led elect a new leader without waiting for their timeouts, some at a time: an
   * election is several messages and a sync on each member.
   */
  peerLost(peer: PeerId): void {
    const led = [...this.groups.values()].filter((group) => group.leader === peer);
    const spreadMs = Math.floor(led.length / ELECTIONS_AT_ONCE) * ELECTIONS_EVERY_MS;
    led.forEach((group, i) => {
      const afterMs = Math.floor(i / ELECTIONS_AT_ONCE) * ELECTIONS_EVERY_MS;
      group.step({ kind: "peer lost", peer, afterMs, spreadMs });
    });
  }

  /** Closes all groups. What waits for the disk is not sent any more. */
  stop(): void {
    this.isStopped = true;
    for (const group of [...this.groups.values()]) group.close();
    for (const committer of this.committers.values()) committer.stop();
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  // ---- called by groups ----

  committerOf(journal: RaftJournal): Committer {
    const committer = this.committers.get(journal) ?? new Committer(journal, this.options.soon);
    this.committers.set(journal, committer);
    return committer;
  }

  nowMs(): number {
    return this.options.clock.nowMs();
  }

  /** The process has begun after the last vote of another one, and may have removed what a group of the same name had kept. */
  forgotMs(group: string): number {
    return this.closedMs.get(group) ?? this.startedMs;
  }

  soon(work: () => void): void {
    this.options.soon(work);
  }

  nextRound(work: () => void): void {
    const { nextRound = this.options.soon } = this.options;
    nextRound(work);
  }

  send(subject: string, reply: string, bytes: Uint8Array): void {
    const { answering } = this;
    if (answering?.reply === subject) this.bundle([answering.from], subject, reply, bytes);
    else this.options.transport.send(subject, reply, bytes);
  }

  heartbeat(group: HostedGroup, subject: string, reply: string, bytes: Uint8Array): void {
    const nowMs = this.nowMs();
    const others = group.members.filter((peer) => peer !== this.id);
    if (others.some((peer) => this.needsPlain(group, peer, nowMs)))
      this.options.transport.send(subject, reply, bytes);
    else
      this.bundle(
        others.filter((peer) => nowMs - this.signs.heardMs(peer) <= BUNDLES_HEARD_MS),
        subject,
        reply,
        bytes,
      );
  }

  newInbox(): string {
    return inboxBelow(this.inbox, ++this.inboxes);
  }

  listen(subject: string, group: HostedGroup): void {
    this.subjects.set(subject, group);
    if (!this.isOwnInbox(subject)) this.options.transport.listen(subject);
  }

  ignore(subject: string): void {
    this.subjects.delete(subject);
    if (!this.isOwnInbox(subject)) this.options.transport.ignore(subject);
  }

  wakes(group: HostedGroup): void {
    this.due.put(group);
    this.wakeBy(group.wakeAtMs);
  }

  closed(group: HostedGroup): void {
    const { name } = group;
    const nowMs = this.nowMs();
    this.groups.delete(name);
    this.closedMs.delete(name);
    this.closedMs.set(name, nowMs);
    for (const [other, atMs] of this.closedMs) {
      if (nowMs - atMs <= Timing.VOTE_FORGOTTEN_MS) break;
      this.closedMs.delete(other);
    }
  }

  /** Answers to all groups come by one interest. */
  private isOwnInbox(subject: string): boolean {
    return subject.startsWith(this.inbox);
  }

  private receiveBundle(bytes: Uint8Array): void {
    const sender = senderOf(bytes);
    if (sender === undefined) return;
    if (this.signs.hear(sender.peer, sender.process, this.nowMs())) this.tickLed(sender.peer);
    for (const message of unbundled(bytes)) {
      this.answering = message;
      this.subjects.get(message.subject)?.receive(message.subject, message.reply, message.bytes);
    }
    this.answering = null;
  }

  /** Signs of life of a server do not stand for heartbeats any more: groups led here have to send some. */
  private tickLed(peer: PeerId): void {
    for (const group of this.groups.values())
      if (group.leader === this.id && group.members.includes(peer)) group.step({ kind: "tick" });
  }

  /** It is no shoal, or perhaps no longer. One that has been silent for long is gone, and tells of itself when it comes back. */
  private needsPlain(group: HostedGroup, peer: PeerId, nowMs: number): boolean {
    const heardMs = this.signs.heardMs(peer);
    if (heardMs === -Infinity) return true;
    if (nowMs - heardMs <= BUNDLES_HEARD_MS) return false;
    return nowMs - Math.max(heardMs, group.heardMs(peer)) <= Timing.QUORUM_LOST_MS;
  }

  private bundle(peers: readonly PeerId[], subject: string, reply: string, bytes: Uint8Array): void {
    if (this.bundles.isEmpty) this.options.soon(() => this.isStopped || this.bundles.flush());
    this.bundles.add(peers, subject, reply, bytes);
  }

  /** Tells all servers that share groups with this one that it lives. Those that are no shoals do not listen. */
  private pulse(nowMs: number): void {
    const peers = new Set<PeerId>();
    for (const { members } of this.groups.values()) for (const peer of members) peers.add(peer);
    peers.delete(this.id);
    this.bundles.pulse(peers);
    this.pulseDueMs = nowMs + PULSE_MS;
    for (const peer of this.signs.fallenSilent(nowMs)) this.tickLed(peer);
  }

  /** A group wants a tick at that time. */
  private wakeBy(dueMs: number): void {
    const { clock } = this.options;
    if (this.isStopped || dueMs >= this.timerDueMs) return;
    this.timer?.[Symbol.dispose]();
    this.timerDueMs = dueMs;
    this.timer = clock.setTimer(Math.max(0, dueMs - clock.nowMs()), () => this.tick());
  }

  private tick(): void {
    this.timer = null;
    this.timerDueMs = Infinity;
    const nowMs = this.nowMs();
    for (const group of this.due.take(nowMs)) if (group.wakeAtMs <= nowMs) group.step({ kind: "tick" });
    if (this.groups.size === 0) return;
    if (nowMs >= this.pulseDueMs) this.pulse(nowMs);
    this.wakeBy(Math.min(this.due.earliestMs, this.pulseDueMs));
  }
}
