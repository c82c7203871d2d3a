/**
 * One group on this server: its node, its log, and the layer above. It carries out what a step asks for, in the order that `Ready` demands:
 * into the journal, then to the others and to the layer.
 *
 * Invariants: a message that depends on what is stored leaves once that is durable; the layer is not called during one of its own calls.
 */
import { assert } from "../../base/assert.ts";
import {
  EntryType,
  indexOf,
  type AppendEntry,
  type Entry,
  type PeerId,
  type PeerState,
} from "../messages.ts";
import { RaftNode } from "../node.ts";
import type { OutgoingMessage, RaftEvent, ReadRequest, Ready } from "../state.ts";
import { proposalSubject, removalSubject } from "../subjects.ts";
import { encodeAppend, readPeer } from "../wire.ts";
import { Applying } from "./applying.ts";
import type { GroupLog } from "./group-log.ts";
import type { GroupHost, GroupOptions } from "./group-options.ts";
import { followersOf, type GroupLayer, type GroupStatus } from "./layer.ts";
import { decodeMessage, encodeMessage } from "./message-bytes.ts";
import { Proposals } from "./proposals.ts";
import { decoded, storedEntries } from "./stored-entries.ts";

/** Milliseconds: how late a group may notice that its time has come. */
const TICK_MS = 100;
/** Of so many heartbeats one goes to all who listen, members or not. */
const OPEN_EVERY = 8;

export class RaftGroup {
  readonly name: string;
  /** When the next tick is due. */
  wakeAtMs = Infinity;
  private readonly host: GroupHost;
  private readonly layer: GroupLayer;
  private readonly log: GroupLog;
  private node: RaftNode;
  private readonly options: GroupOptions;
  private readonly applying: Applying;
  private readonly proposals = new Proposals();
  private readonly heard = new Set<string>();
  private isClosed = false;
  /** Steps whose work is not durable yet. */
  private unwritten = 0;
  private encoded: { readonly append: AppendEntry; readonly bytes: Uint8Array } | undefined;
  /** The term in which the layer was told that it leads; 0: that it does not. */
  private toldTerm = 0;
  private told: Partial<GroupStatus> = {};
  private heartbeats = 0;
  private known: { readonly peers: PeerState | undefined; readonly others: readonly PeerId[] } = {
    peers: undefined,
    others: [],
  };
  private isCalling = false;
  /** Something has changed while the layer was being called. */
  private hasNews = false;

  constructor(options: GroupOptions, host: GroupHost) {
    const { name, peers, journal, layer } = options;
    this.options = options;
    this.name = name;
    this.host = host;
    this.layer = layer;
    this.log = journal.open(name);
    this.node = this.makeNode();
    this.applying = new Applying(
      {
        log: this.log,
        soon: (work) => host.soon(work),
        isBusy: () => this.isCalling,
        apply: (committed) => {
          if (committed.leader === host.id && this.toldTerm === committed.term)
            this.proposals.applied(committed.entries);
          this.call(() => layer.apply(committed));
        },
        restore: (taken) => this.call(() => layer.restore(taken)),
        settled: () => this.tell(),
        unreadable: (index) => this.unreadable(index),
      },
      peers,
    );
  }

  /** Called once, by the driver. */
  start(): void {
    const stored = this.log.snapshot === undefined ? null : this.log.readSnapshot();
    if (stored !== null) {
      this.applying.replacing();
      this.host.soon(() => this.isClosed || this.applying.replaced(stored));
    }
    this.isCalling = true;
    this.begin();
    this.isCalling = false;
    this.host.soon(() => this.tell());
  }

  get status(): GroupStatus {
    const { node, log } = this;
    return {
      role: node.role,
      term: node.term,
      leader: node.leader,
      leads: this.leads,
      commit: node.commit,
      applied: this.applying.applied,
      lastIndex: node.lastIndex,
      snapshotIndex: log.snapshot?.index ?? 0,
      entryBytes: log.entryBytes,
      peers: node.peers,
      isRecovering: node.isRecovering,
      isCatchingUp: node.isCatchingUp,
      followers: followersOf(node.followers, this.host.nowMs()),
    };
  }

  /** It leads, and the layer has applied all of former terms. */
  get leads(): boolean {
    return this.node.leads && this.applying.applied >= this.node.leadsFrom;
  }

  /** Returns false where it does not lead, or too much is on its way. True promises nothing: the layer sees what is committed. */
  propose(entry: Entry): boolean {
    if (this.isClosed || !this.leads || this.isStuck) return false;
    const isFirst = this.proposals.isEmpty;
    if (!this.proposals.add(entry)) return false;
    if (isFirst) this.host.soon(() => this.sendProposals());
    return true;
  }

  /** The same, to whoever leads. Nobody says what becomes of it. */
  forward(data: Uint8Array): void {
    if (this.leads) this.propose({ type: EntryType.NORMAL, data });
    else if (!this.isClosed) this.host.send(proposalSubject(this.name), "", data);
  }

  /** False: this is not possible now. One change at a time; it shows in the membership once it is done. */
  addPeer(peer: PeerId): boolean {
    return this.stepsTo({ kind: "add peer", peer });
  }

  removePeer(peer: PeerId): boolean {
    return this.stepsTo({ kind: "remove peer", peer });
  }

  /** Hands leadership over; "": to whom it fits best. */
  transfer(to: PeerId): void {
    this.step({ kind: "transfer", to });
  }

  /** Begins an election at once, where this member may. */
  campaign(): void {
    this.step({ kind: "campaign" });
  }

  /** `data`: the state of the layer at what it has applied last. The log up to there goes. Throws `DiskError`. */
  takeSnapshot(data: Uint8Array): void {
    const { applied, peers } = this.applying;
    const term = this.node.termAt(applied);
    if (this.isClosed || term === undefined || applied <= (this.log.snapshot?.index ?? 0)) return;
    this.log.compact({ index: applied, term, peers, data });
    this.host.committer.add(() => undefined);
    this.step({ kind: "compacted", index: applied });
  }

  /** The layer gets nothing until `resume`. */
  pause(): void {
    this.applying.pause();
  }

  resume(): void {
    this.applying.resume();
  }

  /** Is silent from now on; what is stored stays. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.wakeAtMs = Infinity;
    this.applying.end();
    this.proposals.clear();
    for (const subject of this.heard) this.host.ignore(subject);
    this.heard.clear();
    this.log.close();
    this.host.closed();
  }

  /** Closes the group, and removes what is stored of it. */
  remove(): void {
    this.close();
    this.log.remove();
    this.host.committer.add(() => undefined);
  }

  /** Called by the driver. */
  receive(subject: string, reply: string, bytes: Uint8Array): void {
    if (subject === proposalSubject(this.name)) this.propose({ type: EntryType.NORMAL, data: bytes });
    else if (subject === removalSubject(this.name)) this.removePeer(readPeer(bytes));
    else {
      const message = decodeMessage(subject, bytes);
      if (message !== undefined) this.step({ kind: "message", subject, reply, message });
    }
  }

  step(event: RaftEvent): void {
    if (this.isClosed || (this.isStuck && stores(event))) return;
    this.follow(this.node.step(event, this.host.nowMs()));
  }

  private get isStuck(): boolean {
    const { isStuck, failure } = this.host.committer.journal;
    return isStuck || failure !== null;
  }

  private stepsTo(event: RaftEvent): boolean {
    if (this.isClosed) return false;
    const before = this.node.lastIndex;
    this.step(event);
    return this.node.lastIndex > before;
  }

  private sendProposals(): void {
    while (!this.isClosed && this.leads && !this.proposals.isEmpty)
      this.step({ kind: "propose", entries: this.proposals.take() });
  }

  private follow(ready: Ready): void {
    for (const subject of ready.subscribe) this.listen(subject);
    for (const outgoing of ready.sendAtOnce) this.send(outgoing);
    const isStored = this.store(ready);
    for (const subject of ready.unsubscribe) this.ignore(subject);
    this.wakeAtMs = dueMs(this.host.nowMs(), ready.wakeAtMs);
    this.host.wakesAt(this.wakeAtMs);
    if (isStored || this.unwritten > 0) {
      this.unwritten++;
      this.host.committer.add(() => {
        this.unwritten--;
        this.written(ready);
      });
    } else this.written(ready);
    this.tell();
  }

  /** Whether there was anything. */
  private store(ready: Ready): boolean {
    const { log, applying } = this;
    const { save, cutAfter, snapshot } = ready;
    if (save !== undefined) log.save(save);
    if (cutAfter >= 0) {
      log.cutAfter(cutAfter);
      applying.recent.cutAfter(cutAfter);
    }
    if (snapshot !== undefined) {
      log.install(snapshot);
      applying.replacing();
    }
    for (const append of ready.append) {
      const entry = { index: indexOf(append), term: append.term, bytes: this.encode(append) };
      log.append(entry);
      applying.recent.add(entry.index, append, entry.bytes.length);
    }
    return save !== undefined || cutAfter >= 0 || snapshot !== undefined || ready.append.length > 0;
  }

  /** All that the step asked for is durable, and so is all before. */
  private written(ready: Ready): void {
    if (this.isClosed) return;
    for (const outgoing of ready.send) this.send(outgoing);
    for (const request of ready.read) this.host.soon(() => this.read(request));
    if (ready.snapshot !== undefined) this.applying.replaced(ready.snapshot);
    const last = ready.append.at(-1);
    if (last !== undefined) this.step({ kind: "written", index: indexOf(last), term: last.term });
    if (!this.isClosed) this.applying.reach(ready.commit);
  }

  private read({ peer, inbox, fromIndex, bytesMax }: ReadRequest): void {
    if (this.isClosed) return;
    const snapshot = fromIndex === 0 ? this.log.readSnapshot() : null;
    if (snapshot !== null) return this.step({ kind: "snapshot read", peer, inbox, snapshot });
    const entries = fromIndex === 0 ? [] : this.log.read(fromIndex, bytesMax).map(decoded);
    const { log } = this;
    if (entries.length === 0 && fromIndex > (log.snapshot?.index ?? 0) && fromIndex <= log.lastIndex)
      return this.unreadable(fromIndex);
    this.step({ kind: "read", peer, inbox, entries });
  }

  /** Begins again as a member that has lost something. What the layer has applied stays applied. */
  private unreadable(index: number): void {
    this.log.lose(index);
    this.applying.recent.clear();
    for (const subject of this.node.subjects) this.ignore(subject);
    this.node = this.makeNode();
    this.begin();
    this.applying.resume();
  }

  private makeNode(): RaftNode {
    const { options, host, log } = this;
    const { hard, snapshot, isDamaged } = log;
    return new RaftNode({
      id: host.id,
      group: this.name,
      random: host.random,
      nowMs: host.nowMs(),
      peers: options.peers,
      isNewGroup: options.isNewGroup,
      restored: { hard, snapshot, entries: storedEntries(log), isDamaged },
    });
  }

  private begin(): void {
    for (const subject of this.node.subjects) this.listen(subject);
    this.follow(this.node.start());
  }

  private send({ subject, reply, message }: OutgoingMessage): void {
    if (message.kind !== "append") return this.host.send(subject, reply, encodeMessage(message));
    const { body } = message;
    if (body.entries.length > 0 || body.currentTerm > 0 || !this.reachesAll())
      return this.host.send(subject, reply, this.encode(body));
    this.host.heartbeat(this.others(), subject, reply, encodeAppend(body));
  }

  /** A heartbeat to the members alone will do: nobody else is known, and it is not the turn of one to all who listen. */
  private reachesAll(): boolean {
    this.heartbeats = (this.heartbeats + 1) % OPEN_EVERY;
    return this.heartbeats !== 0 && this.node.followers.size < this.node.peers.peers.length;
  }

  private others(): readonly PeerId[] {
    const { peers } = this.node;
    if (this.known.peers !== peers)
      this.known = { peers, others: peers.peers.filter((peer) => peer !== this.host.id) };
    return this.known.others;
  }

  /** An entry is encoded once: the followers get what is stored. */
  private encode(append: AppendEntry): Uint8Array {
    if (this.encoded?.append !== append) this.encoded = { append, bytes: encodeAppend(append) };
    return this.encoded.bytes;
  }

  private listen(subject: string): void {
    this.heard.add(subject);
    this.host.listen(subject);
  }

  private ignore(subject: string): void {
    this.heard.delete(subject);
    this.host.ignore(subject);
  }

  private call(act: () => void): void {
    assert(!this.isCalling, "the layer is not called during one of its own calls");
    this.isCalling = true;
    try {
      act();
    } finally {
      this.isCalling = false;
    }
    if (this.hasNews) this.tell();
  }

  /** The layer learns of changes, once it is not being called. */
  private tell(): void {
    this.hasNews = this.isCalling;
    if (this.isClosed || this.isCalling) return;
    const term = this.leads ? this.node.term : 0;
    if (term !== this.toldTerm) return this.tellLeadership(this.toldTerm === 0 ? term : 0);
    const { role, leader, peers, isRecovering } = this.node;
    const { told } = this;
    if (role === told.role && leader === told.leader && peers === told.peers) {
      if (isRecovering === told.isRecovering) return;
    }
    this.told = { role, leader, peers, isRecovering };
    this.call(() => this.layer.statusChanged());
  }

  private tellLeadership(term: number): void {
    this.toldTerm = term;
    this.hasNews = true;
    if (term === 0) this.proposals.clear();
    for (const subject of [proposalSubject(this.name), removalSubject(this.name)]) {
      if (term === 0) this.ignore(subject);
      else this.listen(subject);
    }
    this.call(() => this.layer.leadershipChanged(term !== 0));
  }
}

/** A time that is not near is rounded up, so that many groups have their turn together. */
function dueMs(nowMs: number, atMs: number): number {
  return atMs - nowMs < TICK_MS ? atMs : Math.ceil(atMs / TICK_MS) * TICK_MS;
}

function stores({ kind }: RaftEvent): boolean {
  return kind === "message" || kind === "propose" || kind === "add peer" || kind === "remove peer";
}
