/**
 * Runs all groups of a server: one tick for all of them, one commit of the journal for all that they have to store in a turn, and the
 * messages of each to and from the other servers. A group without work has no timer and nothing that waits.
 *
 * Time, chance, the disk and the network are handed in.
 */
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { PeerId } from "../messages.ts";
import { Bundles, bundleSubject, unbundled, type BundledMessage } from "./bundles.ts";
import { Committer } from "./committer.ts";
import { RaftGroup } from "./group.ts";
import type { GroupOptions } from "./group-options.ts";
import type { RaftJournal } from "./group-log.ts";
import type { RaftTransport } from "./transport.ts";

export interface RaftDriverOptions {
  /** This server, to all groups. */
  readonly id: PeerId;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: RaftTransport;
  /** Calls `work` once, when the messages that are being read have been handled. */
  readonly soon: (work: () => void) => void;
}

export class RaftDriver {
  private readonly options: RaftDriverOptions;
  private readonly groups = new Map<string, RaftGroup>();
  private readonly subjects = new Map<string, RaftGroup>();
  private readonly committers = new Map<RaftJournal, Committer>();
  private readonly bundles: Bundles;
  /** The message of a bundle that is being handled: its answer travels in a bundle, too. */
  private answering: BundledMessage | null = null;
  private timer: Disposable | null = null;
  private timerDueMs = Infinity;
  private isStopped = false;

  constructor(options: RaftDriverOptions) {
    this.options = options;
    const { id, transport } = options;
    this.bundles = new Bundles(id, (peer, bundle) => transport.send(bundleSubject(peer), "", bundle));
    if (transport.speaksBundles !== undefined) transport.listen(bundleSubject(id));
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
    const { id, clock, random, transport, soon } = this.options;
    const committer = this.committers.get(options.journal) ?? new Committer(options.journal, soon);
    this.committers.set(options.journal, committer);
    const group: RaftGroup = new RaftGroup(options, {
      id,
      random,
      committer,
      nowMs: () => clock.nowMs(),
      soon,
      send: (subject, reply, bytes) => this.send(subject, reply, bytes),
      heartbeat: (peers, subject, reply, bytes) => {
        if (peers.every((peer) => transport.speaksBundles?.(peer) === true))
          this.bundle(peers, subject, reply, bytes);
        else transport.send(subject, reply, bytes);
      },
      listen: (subject) => {
        this.subjects.set(subject, group);
        transport.listen(subject);
      },
      ignore: (subject) => {
        this.subjects.delete(subject);
        transport.ignore(subject);
      },
      wakesAt: (atMs) => this.wakeBy(atMs),
      closed: () => void this.groups.delete(options.name),
    });
    this.groups.set(options.name, group);
    group.start();
    return group;
  }

  /** A message on a subject that was asked for. The bytes may not change afterwards. */
  receive(subject: string, reply: string, bytes: Uint8Array): void {
    const group = this.subjects.get(subject);
    if (group !== undefined) return group.receive(subject, reply, bytes);
    if (subject !== bundleSubject(this.options.id)) return;
    for (const message of unbundled(bytes)) {
      this.answering = message;
      this.subjects.get(message.subject)?.receive(message.subject, message.reply, message.bytes);
    }
    this.answering = null;
  }

  private send(subject: string, reply: string, bytes: Uint8Array): void {
    const { answering } = this;
    if (answering?.reply === subject) this.bundle([answering.from], subject, reply, bytes);
    else this.options.transport.send(subject, reply, bytes);
  }

  private bundle(peers: readonly PeerId[], subject: string, reply: string, bytes: Uint8Array): void {
    if (this.bundles.isEmpty) this.options.soon(() => this.isStopped || this.bundles.flush());
    this.bundles.add(peers, subject, reply, bytes);
  }

  /** Closes all groups. What waits for the disk is not sent any more. */
  stop(): void {
    this.isStopped = true;
    for (const group of [...this.groups.values()]) group.close();
    this.timer?.[Symbol.dispose]();
    this.timer = null;
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
    const nowMs = this.options.clock.nowMs();
    let earliestMs = Infinity;
    for (const group of this.groups.values()) {
      if (group.wakeAtMs <= nowMs) group.step({ kind: "tick" });
      earliestMs = Math.min(earliestMs, group.wakeAtMs);
    }
    if (this.groups.size > 0) this.wakeBy(earliestMs);
  }
}
