/** One member of a simulated group that is production code down to the disk: driver, journal, and a disk that loses what was not synced. */
import type { Clock } from "../../../src/base/clock.ts";
import { randomInt, type Random } from "../../../src/base/random.ts";
import { RaftDriver } from "../../../src/raft/driver/driver.ts";
import type { RaftGroup } from "../../../src/raft/driver/group.ts";
import type { CommittedEntry } from "../../../src/raft/driver/layer.ts";
import { EntryType, type PeerId, type PeerState } from "../../../src/raft/messages.ts";
import type { RaftNode } from "../../../src/raft/node.ts";
import type { RaftEvent, RaftSnapshot } from "../../../src/raft/state.ts";
import { decodeAppend } from "../../../src/raft/wire.ts";
import { FileJournal } from "../../../src/store/journal/file-journal.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";
import { damageJournal } from "./journal-damage.ts";
import type { MemberWorld, SentBytes, SimMember } from "./sim-member.ts";
import { Snapshots } from "./snapshots.ts";

const GROUP = "S-R3F-sim";
const FOLDER = "raft";
/** So small that segments are cleaned all the time. */
const SEGMENT_BYTES = 4096;
const EMPTY_BUNDLE_BYTES = 16;
const decoder = new TextDecoder();

/** Syncs take a while. */
class SlowDisk extends FaultyDisk {
  private readonly world: MemberWorld;
  private readonly slowUntilMs: () => number;

  constructor(world: MemberWorld, slowUntilMs: () => number) {
    super(world.random, "when asked");
    this.world = world;
    this.slowUntilMs = slowUntilMs;
  }

  override later(act: () => void): void {
    const { timeline, random, writeMsMax } = this.world;
    super.later(act);
    // a crash has taken it away
    const slowMs = Math.max(0, this.slowUntilMs() - timeline.nowMs);
    timeline.after(random.next() * writeMsMax + slowMs, () => {
      if (!this.syncs.includes(act)) return;
      this.syncs.splice(this.syncs.indexOf(act), 1);
      act();
    });
  }
}

export class DrivenMember implements SimMember {
  readonly id: PeerId;
  life = 0;
  operations: string[] = [];
  appliedIndex = 0;
  private readonly inboxes = new Set<string>();
  stalledUntilMs = 0;
  slowDiskUntilMs = 0;
  isLost = false;
  private readonly world: MemberWorld;
  private readonly disk: SlowDisk;
  private isNew = true;
  private driver: RaftDriver | undefined;
  private group: RaftGroup | undefined;

  constructor(id: PeerId, world: MemberWorld) {
    this.id = id;
    this.world = world;
    this.disk = new SlowDisk(world, () => this.slowDiskUntilMs);
  }

  get node(): RaftNode | undefined {
    return this.group?.["node"];
  }

  start(peers: PeerState): void {
    const { id, world, disk } = this;
    this.life++;
    this.operations = [];
    this.appliedIndex = 0;
    const journal = new FileJournal({
      disk,
      folder: FOLDER,
      policy: "sync",
      segmentBytes: SEGMENT_BYTES,
      later: (work) => this.after(1000, work),
    });
    this.driver = new RaftDriver({
      id,
      clock: this.clock(),
      random: world.random,
      soon: (work) => this.after(0, work),
      transport: {
        send: (subject, reply, bytes) => this.send({ subject, reply, bytes }),
        listen: (subject) => void this.inboxes.add(subject),
        ignore: (subject) => void this.inboxes.delete(subject),
      },
    });
    this.group = this.driver.open({
      name: GROUP,
      peers,
      isNewGroup: this.isNew,
      journal,
      layer: this.layer(),
    });
    this.isLost = this.node!.isRecovering;
  }

  hears(subject: string): boolean {
    return this.inboxes.has(subject) || this.inboxes.has(`${subject.slice(0, subject.lastIndexOf("."))}.*`);
  }

  receive(subject: string, reply: string, bytes: Uint8Array): void {
    this.after(0, () => this.driver!.receive(subject, reply, bytes));
  }

  private send(message: SentBytes): void {
    const { subject, bytes } = message;
    // before this it has told nobody anything; a bundle without messages says nothing
    if (!subject.startsWith("$SHOAL.") || bytes.length > EMPTY_BUNDLE_BYTES) this.isNew = false;
    const live = subject.startsWith("$NRG.AE.") ? decodeAppend(bytes) : undefined;
    this.world.send(this.id, message, live !== undefined && live.entries.length > 0 ? live : undefined);
  }

  crash(): void {
    this.life++;
    if (this.isNew && !this.world.knowsBirths) this.isLost = true;
    if (!this.world.knowsBirths) this.isNew = false;
    this.driver?.stop();
    this.driver = undefined;
    this.group = undefined;
    this.inboxes.clear();
    if (randomInt(this.world.random, 3) === 0) this.disk.kill();
    else this.disk.crash();
  }

  step(event: RaftEvent): void {
    const { life } = this;
    if (this.stallMs > 0) return this.after(0, () => this.life === life && this.step(event));
    const { group } = this;
    if (group === undefined) return;
    if (event.kind === "propose") for (const entry of event.entries) group.propose(entry);
    else group.step(event);
    this.observe();
  }

  makeSnapshot(): void {
    if (this.group === undefined || this.stallMs > 0) return;
    this.group.takeSnapshot(Snapshots.encode(this.operations));
  }

  /** Only what can be told from a write that was torn off. */
  damage(random: Random): void {
    this.isLost = true;
    damageJournal(this.disk, FOLDER, random);
  }

  fillDisk(ms: number): void {
    this.disk.freeBytes = randomInt(this.world.random, 2000);
    this.world.timeline.after(ms, () => (this.disk.freeBytes = Infinity));
  }

  private layer(): {
    apply(committed: CommittedEntry): void;
    restore(snapshot: RaftSnapshot): void;
    leadershipChanged(): void;
    statusChanged(): void;
  } {
    const { life } = this;
    return {
      apply: (committed) => this.life === life && this.apply(committed),
      restore: ({ index, data }) => {
        this.operations = Snapshots.decode(data);
        this.appliedIndex = index;
      },
      leadershipChanged: () => this.observe(),
      statusChanged: () => this.observe(),
    };
  }

  private apply({ index, term, leader, entries }: CommittedEntry): void {
    const { checks } = this.world;
    if (index !== this.appliedIndex + 1)
      checks.breach(`${this.id} is given ${index} after ${this.appliedIndex}`);
    this.appliedIndex = index;
    const rest = { commit: 0, prevTerm: 0, prevIndex: index - 1, currentTerm: 0 };
    checks.applied(this.id, index, { leader, term, entries, ...rest });
    for (const { type, data } of entries) {
      if (type !== EntryType.NORMAL) continue;
      const operation = decoder.decode(data);
      this.operations.push(operation);
      if (this.node?.role === "leader") this.world.isDone(operation, index);
    }
  }

  private observe(): void {
    const { node, world } = this;
    if (node === undefined) return;
    if (node.role === "leader") world.checks.leads(node.term, this.id);
    if (node.leads) world.membershipIs(node.committedPeers);
    // a member that crashes before its disk says that it is whole begins again as one that is not
    if (node.isRecovering) this.isLost = true;
    else if (this.group!["unwritten"] === 0) this.isLost = false;
  }

  private clock(): Clock {
    return {
      nowMs: () => this.world.timeline.nowMs,
      setTimer: (delayMs, fire) => {
        let isSet = true;
        this.after(delayMs, () => isSet && fire());
        return { [Symbol.dispose]: () => (isSet = false) };
      },
    };
  }

  /** In this life, and not while the process is stopped. */
  private after(delayMs: number, work: () => void): void {
    const { life } = this;
    this.world.timeline.after(Math.max(delayMs, this.stallMs), () => {
      if (this.life !== life) return;
      if (this.stallMs > 0) this.after(0, work);
      else {
        work();
        this.observe();
      }
    });
  }

  private get stallMs(): number {
    return Math.max(0, this.stalledUntilMs - this.world.timeline.nowMs);
  }
}
