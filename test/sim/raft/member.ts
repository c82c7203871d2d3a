/** One member of a simulated group: the node of production, its disk, and a layer above that notes what it applies. */
import { assert } from "../../../src/base/assert.ts";
import { randomInt, type Random } from "../../../src/base/random.ts";
import { EntryType, type AppendEntry, type PeerId, type PeerState } from "../../../src/raft/messages.ts";
import { RaftNode } from "../../../src/raft/node.ts";
import { decodeMessage, encodeMessage } from "../../../src/raft/driver/message-bytes.ts";
import type { OutgoingMessage, RaftEvent, ReadRequest, Ready } from "../../../src/raft/state.ts";
import { decodeAppend } from "../../../src/raft/wire.ts";
import { MemberDisk } from "./disk.ts";
import type { MemberWorld, SimMember } from "./sim-member.ts";
import { Snapshots } from "./snapshots.ts";

const decoder = new TextDecoder();

export class RaftMember implements SimMember {
  readonly id: PeerId;
  readonly disk = new MemberDisk();
  /** Undefined while it is down. */
  node: RaftNode | undefined;
  /** Counts starts: what belongs to an earlier life is void. */
  life = 0;
  operations: string[] = [];
  appliedIndex = 0;
  private readonly inboxes = new Set<string>();
  /** Does nothing until then, as a stopped process. */
  stalledUntilMs = 0;
  slowDiskUntilMs = 0;
  isNew = true;
  /** Its disk was damaged, and it has not become whole since. */
  isLost = false;
  private readonly world: MemberWorld;
  private readonly writes: Ready[] = [];
  private isWriting = false;
  private wakes = 0;

  constructor(id: PeerId, world: MemberWorld) {
    this.id = id;
    this.world = world;
  }

  /** `peers`: as the layer above has assigned them. */
  start(peers: PeerState): void {
    const { random, timeline } = this.world;
    this.life++;
    const { snapshot } = this.disk;
    this.operations = [...(snapshot?.operations ?? [])];
    this.appliedIndex = snapshot?.index ?? 0;
    this.node = new RaftNode({
      id: this.id,
      group: "S-R3F-sim",
      random,
      nowMs: timeline.nowMs,
      peers,
      isNewGroup: this.isNew,
      restored: this.disk.restore(),
    });
    this.inboxes.clear();
    for (const subject of this.node.subjects) this.inboxes.add(subject);
    this.follow(this.node.start());
  }

  crash(): void {
    this.node = undefined;
    this.life++;
    if (this.isNew && !this.world.knowsBirths) this.isLost = true;
    if (!this.world.knowsBirths) this.isNew = false;
    // of what was being written, a part may be there
    const parts = this.writes.flatMap((ready) => [...this.disk.parts(ready)]);
    for (const part of parts.slice(0, randomInt(this.world.random, parts.length + 1))) part();
    this.writes.length = 0;
    this.isWriting = false;
  }

  hears(subject: string): boolean {
    return this.inboxes.has(subject);
  }

  receive(subject: string, reply: string, bytes: Uint8Array): void {
    const message = decodeMessage(subject, bytes);
    assert(message !== undefined, "what a member has sent is a message");
    this.step({ kind: "message", subject, reply, message });
  }

  step(event: RaftEvent): void {
    const { node, world, life } = this;
    if (node === undefined) return;
    const { nowMs } = world.timeline;
    if (nowMs < this.stalledUntilMs) {
      world.timeline.after(this.stalledUntilMs - nowMs, () => {
        if (this.life === life) this.step(event);
      });
      return;
    }
    this.follow(node.step(event, nowMs));
    if (node.role === "leader") world.checks.leads(node.term, this.id);
    if (node.leads) world.membershipIs(node.committedPeers);
  }

  /** The layer above writes down what it has, and the log before it goes. */
  makeSnapshot(): void {
    const { node, disk } = this;
    if (node === undefined || this.writes.length > 0 || this.appliedIndex <= (disk.snapshot?.index ?? 0))
      return;
    const index = this.appliedIndex;
    const bytes = disk.log.get(index);
    if (bytes === undefined) return;
    const operations = [...this.operations];
    const peers = node.committedPeers;
    disk.compact({
      index,
      term: decodeAppend(bytes)!.term,
      peers,
      data: Snapshots.encode(operations),
      operations,
    });
    this.step({ kind: "compacted", index });
  }

  damage(random: Random): void {
    this.disk.damage(random);
    this.isLost = true;
  }

  fillDisk(): void {
    // this disk has no end
  }

  private follow(ready: Ready): void {
    for (const subject of ready.subscribe) this.inboxes.add(subject);
    for (const outgoing of ready.sendAtOnce) this.send(outgoing);
    this.writes.push(ready);
    this.write();
    for (const subject of ready.unsubscribe) this.inboxes.delete(subject);
    this.wakeAt(ready.wakeAtMs);
  }

  private send({ subject, reply, message }: OutgoingMessage): void {
    const isEntry =
      message.kind === "append" && message.body.entries.length > 0 && message.body.currentTerm === 0;
    const bytes = encodeMessage(message);
    this.world.send(this.id, { subject, reply, bytes }, isEntry ? message.body : undefined);
  }

  /** All that waits is one write. */
  private write(): void {
    if (this.writes.length === 0 || this.isWriting) return;
    this.isWriting = true;
    const { timeline, random, writeMsMax } = this.world;
    const batch = [...this.writes];
    const isQuick = batch.every(
      ({ save, append, snapshot }) => save === undefined && append.length === 0 && snapshot === undefined,
    );
    const { life } = this;
    const slowMs = Math.max(0, this.slowDiskUntilMs - timeline.nowMs);
    timeline.after(isQuick ? 0 : random.next() * writeMsMax + slowMs, () => {
      if (this.life !== life) return;
      this.isWriting = false;
      this.writes.splice(0, batch.length);
      for (const ready of batch) for (const part of this.disk.parts(ready)) part();
      for (const ready of batch) if (this.life === life) this.written(ready);
      this.write();
    });
  }

  private written(ready: Ready): void {
    // before this it has told nobody anything
    if (ready.save !== undefined) this.isNew = false;
    if (ready.save?.loss === "none") this.isLost = false;
    for (const entry of ready.append) this.world.checks.appended(entry);
    if (ready.snapshot !== undefined) {
      this.operations = Snapshots.decode(ready.snapshot.data);
      this.appliedIndex = ready.snapshot.index;
    }
    for (const outgoing of ready.send) this.send(outgoing);
    for (const request of ready.read) this.read(request);
    this.apply(ready.commit);
    const last = ready.append.at(-1);
    if (last !== undefined) this.step({ kind: "written", index: last.prevIndex + 1, term: last.term });
    // what was waiting for this write
    if (this.node !== undefined) this.apply(Math.min(this.node.commit, this.disk.lastIndex));
  }

  private apply(commit: number): void {
    if (this.writes.some((ready) => ready.snapshot !== undefined || ready.cutAfter >= 0)) return;
    while (this.appliedIndex < commit) {
      const bytes = this.disk.log.get(this.appliedIndex + 1);
      if (bytes === undefined) return;
      this.appliedIndex++;
      this.applyEntry(decodeAppend(bytes)!);
    }
  }

  private applyEntry(entry: AppendEntry): void {
    const { checks } = this.world;
    checks.applied(this.id, this.appliedIndex, entry);
    for (const { type, data } of entry.entries) {
      if (type !== EntryType.NORMAL) continue;
      const operation = decoder.decode(data);
      this.operations.push(operation);
      if (this.node?.role === "leader") this.world.isDone(operation, this.appliedIndex);
    }
  }

  private read({ peer, inbox, fromIndex, bytesMax }: ReadRequest): void {
    const { snapshot } = this.disk;
    const { life } = this;
    this.world.timeline.after(this.world.random.next() * 5, () => {
      if (this.life !== life) return;
      if (fromIndex > 0)
        this.step({ kind: "read", peer, inbox, entries: this.disk.read(fromIndex, Math.min(bytesMax, 400)) });
      else if (snapshot === undefined) this.step({ kind: "read", peer, inbox, entries: [] });
      else this.step({ kind: "snapshot read", peer, inbox, snapshot });
    });
  }

  private wakeAt(atMs: number): void {
    if (atMs === Infinity) return;
    const wake = ++this.wakes;
    const { life } = this;
    const { timeline } = this.world;
    timeline.after(Math.max(0, atMs - timeline.nowMs), () => {
      if (this.life === life && wake === this.wakes) this.step({ kind: "tick" });
    });
  }
}
