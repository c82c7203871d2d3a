/**
 * One group on this server: its node, its log, and the layer above. It carries out what a step asks for, in the order that `Ready` demands:
 * into the journal, then to the others and to the layer.
 *
 * Invariants: a message that depends on what is stored leaves once that is durable; the layer is not called during one of its own calls.
 */
import { assert } from "../../base/assert.ts";
import { EntryType, indexOf, type AppendEntry, type Entry, type PeerId } from "../messages.ts";
import { RaftNode } from "../node.ts";
import type { OutgoingMessage, RaftEvent, RaftSnapshot, ReadRequest, Ready } from "../state.ts";
import { proposalSubject, removalSubject } from "../subjects.ts";
import { encodeAppend, PEER_ID_BYTES, readPeer } from "../wire.ts";
import { dueMs } from "./due-groups.ts";
import { Applying, type ApplyingHost } from "./applying.ts";
import type { Committer } from "./committer.ts";
import type { GroupLog } from "./group-log.ts";
import type { GroupHost, GroupOptions, HostedGroup } from "./group-options.ts";
import { followersOf, type CommittedEntry, type GroupLayer, type GroupStatus } from "./layer.ts";
import { decodeMessage, encodeMessage } from "./message-bytes.ts";
import { Proposals } from "./proposals.ts";
import { decoded, storedEntries } from "./stored-entries.ts";
import { stores, storeReady } from "./storing.ts";

/** Of so many heartbeats one goes to all who listen, members or not; those that come seldom count for more. */
const OPEN_EVERY = 8;
const SELDOM_MS = 2000;
const SELDOM_COUNTS = 4;

export class RaftGroup implements HostedGroup, ApplyingHost {
  readonly name: string;
  wakeAtMs = Infinity;
  listedMs = Infinity;
  readonly log: GroupLog;
  private readonly host: GroupHost;
  private readonly committer: Committer;
  private readonly layer: GroupLayer;
  private node: RaftNode;
  private readonly options: GroupOptions;
  private readonly applying: Applying;
  private readonly proposals = new Proposals();
  /** Subjects that it listens to. */
  private heard: string[] = [];
  private isClosed = false;
  /** Steps whose work is not durable yet. */
  private unwritten = 0;
  private encoded: { readonly append: AppendEntry; readonly bytes: Uint8Array } | undefined;
  /** The term in which the layer was told that it leads; 0: that it does not. */
  private toldTerm = 0;
  private told: Partial<GroupStatus> = {};
  /** Since one that went to all who listen. */
  private heartbeats = 0;
  private heartbeatMs = 0;
  private isCalling = false;
  /** Something has changed while the layer was being called. */
  private hasNews = false;

  constructor(options: GroupOptions, host: GroupHost) {
    const { name, peers, journal, layer } = options;
    this.options = options;
    this.name = name;
    this.host = host;
    this.layer = layer;
    this.committer = host.committerOf(journal);
    this.log = journal.open(name);
    this.node = this.makeNode();
    this.applying = new Applying(this, peers);
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

  /** "": not known. */
  get leader(): PeerId {
    return this.node.leader;
  }

  get members(): readonly PeerId[] {
    return this.node.peers.peers;
  }

  heardMs(peer: PeerId): number {
    return this.node.heardMs(peer);
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
      followers: followersOf(node, this.host.nowMs()),
    };
  }

  get lostPeers(): readonly PeerId[] {
    return this.node.lostPeers;
  }

  /** It leads, and the layer has applied all of former terms. */
  get leads(): boolean {
    return this.node.leads && this.applying.applied >= this.node.leadsFrom;
  }

  /** Returns false where it does not lead, or too much is on its way. True promises nothing: the layer sees what is committed. */
  propose(entry: Entry): boolean {
    if (this.isClosed || !this.leads || this.isStuck) return false;
    const { isEmpty, isFull } = this.proposals;
    if (!this.proposals.add(entry)) return false;
    // many who propose at about the same time share one append entry, one write and one message to each follower
    if (isEmpty) this.host.nextRound(() => this.sendProposals());
    else if (!isFull && this.proposals.isFull) this.host.soon(() => this.sendProposals());
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
    this.committer.add(() => undefined);
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
    this.heard = [];
    this.log.close();
    this.host.closed(this);
  }

  /** Closes the group, and removes what is stored of it. */
  remove(): void {
    this.close();
    this.log.remove();
    this.committer.add(() => undefined);
  }

  /** Called by the driver. */
  receive(subject: string, reply: string, bytes: Uint8Array): void {
    if (subject === proposalSubject(this.name)) this.propose({ type: EntryType.NORMAL, data: bytes });
    else if (subject === removalSubject(this.name))
      this.removePeer(bytes.length === PEER_ID_BYTES ? readPeer(bytes) : "");
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
    const { isStuck, failure } = this.committer.journal;
    return isStuck || failure !== null;
  }

  private stepsTo(event: RaftEvent): boolean {
    if (this.isClosed) return false;
    const before = this.node.lastIndex;
    this.step(event);
    return this.node.lastIndex > before;
  }

  private sendProposals(): void {
    // where they are lost, nothing may be proposed that follows on them
    if (this.isStuck && !this.proposals.isEmpty) return this.transfer("");
    while (!this.isClosed && this.leads && !this.proposals.isEmpty)
      this.step({ kind: "propose", entries: this.proposals.take() });
  }

  private follow(ready: Ready): void {
    for (const subject of ready.subscribe) this.listen(subject);
    for (const outgoing of ready.sendAtOnce) this.send(outgoing);
    const isStored = storeReady(ready, this.log, this.applying, (append) => this.encode(append));
    for (const subject of ready.unsubscribe) this.ignore(subject);
    this.wakeAtMs = dueMs(this.host.nowMs(), ready.wakeAtMs);
    this.host.wakes(this);
    if (isStored || this.unwritten > 0) {
      this.unwritten++;
      this.committer.add(() => {
        this.unwritten--;
        this.written(ready);
      });
    } else this.written(ready);
    this.tell();
  }

  /** All that the step asked for is durable, and so is all before. */
  private written(ready: Ready): void {
    if (this.isClosed) return;
    for (const outgoing of ready.send) this.send(outgoing);
    for (const request of ready.read) this.host.soon(() => this.read(request));
    if (ready.snapshot !== undefined) this.applying.replaced(ready.snapshot);
    const last = ready.append.at(-1);
    if (last !== undefined) this.step({ kind: "written", index: indexOf(last), term: last.term });
    if (this.unwritten === 0) this.encoded = undefined;
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

  // ---- called by Applying ----

  soon(work: () => void): void {
    this.host.soon(work);
  }

  get isBusy(): boolean {
    return this.isCalling;
  }

  apply(committed: CommittedEntry): void {
    if (committed.leader === this.host.id && this.toldTerm === committed.term)
      this.proposals.applied(committed.entries);
    this.call(() => this.layer.apply(committed));
  }

  restore(snapshot: RaftSnapshot): void {
    this.call(() => this.layer.restore(snapshot));
  }

  settled(): void {
    this.tell();
  }

  /** Begins again as a member that has lost something. What the layer has applied stays applied. */
  unreadable(index: number): void {
    // the others need not find out that it leads no more
    this.step({ kind: "transfer", to: "" });
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
    const { id, random, signs } = host;
    return new RaftNode({
      ...{ id, random, signs },
      group: this.name,
      nowMs: host.nowMs(),
      forgotMs: host.forgotMs(this.name),
      peers: options.peers,
      isNewGroup: options.isNewGroup,
      inbox: host.newInbox(),
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
    if (body.entries.length === 0 && this.leads && !this.proposals.isEmpty) return; // an append entry in this round says the same
    if (body.entries.length > 0 || body.currentTerm > 0 || this.goesToAll())
      this.host.send(subject, reply, this.encode(body));
    else this.host.heartbeat(this, subject, reply, encodeAppend(body));
  }

  /** Or to the members alone: nobody else is known, and it is not the turn of one to all who listen. */
  private goesToAll(): boolean {
    const nowMs = this.host.nowMs();
    this.heartbeats += nowMs - this.heartbeatMs > SELDOM_MS ? SELDOM_COUNTS : 1;
    this.heartbeatMs = nowMs;
    if (this.heartbeats < OPEN_EVERY) return this.node.hasStrangers;
    this.heartbeats = 0;
    return true;
  }

  /** An entry is encoded once: the followers get what is stored. */
  private encode(append: AppendEntry): Uint8Array {
    if (this.encoded?.append !== append) this.encoded = { append, bytes: encodeAppend(append) };
    return this.encoded.bytes;
  }

  private listen(subject: string): void {
    this.heard.push(subject);
    this.host.listen(subject, this);
  }

  private ignore(subject: string): void {
    this.heard = this.heard.filter((each) => each !== subject);
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
    const isSame = role === told.role && leader === told.leader && peers === told.peers;
    if (isSame && isRecovering === told.isRecovering) return;
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
