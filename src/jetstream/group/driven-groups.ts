/**
 * Groups as the driver of Raft runs them. Beside what it does: snapshots by how much the log has grown.
 */
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { RaftDriver } from "../../raft/driver/driver.ts";
import type { RaftGroup } from "../../raft/driver/group.ts";
import type { RaftJournal } from "../../raft/driver/group-log.ts";
import type { CommittedEntry, GroupLayer } from "../../raft/driver/layer.ts";
import { EntryType, type PeerId, type PeerState } from "../../raft/messages.ts";
import type { RaftSnapshot } from "../../raft/state.ts";
import type {
  Company,
  Group,
  GroupMachine,
  Groups,
  GroupStanding,
  GroupTransport,
  JoinOptions,
  PeerProgress,
} from "./group.ts";

/** A follower that was heard within this is there. */
const HEARD_MS = 3000;
/** Entries that a follower lacks while others are on their way. */
const NEAR_ENTRIES = 256;
/** Entries that a member may lack and still stand where its group does: those of a busy group are always some on their way. */
const BEHIND_MAX = 1000;

export interface DrivenGroupsOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: GroupTransport;
  /** Calls `work` once, when the messages that are being read have been handled. */
  readonly afterwards: (work: () => void) => void;
  /** Calls `work` once, when others have been read as well. Absent: `afterwards`. */
  readonly nextRound?: (work: () => void) => void;
  readonly journals: { readonly file: RaftJournal; readonly memory: RaftJournal };
  /** Absent: each group's own. */
  readonly snapshots?: JoinOptions["snapshots"];
  /** Absent: shoals alone. */
  readonly company?: Company;
}

export class DrivenGroups implements Groups {
  readonly self: PeerId;
  private readonly options: DrivenGroupsOptions;
  private readonly driver: RaftDriver;
  private readonly ears = new Map<string, Disposable>();
  private readonly groups = new Set<DrivenGroup>();

  constructor(options: DrivenGroupsOptions) {
    const { self, clock, random, transport, afterwards: soon, nextRound = soon } = options;
    this.options = options;
    this.self = self;
    const receive = (subject: string, reply: string, bytes: Uint8Array): void =>
      this.driver.receive(subject, reply, bytes);
    this.driver = new RaftDriver({
      id: self,
      clock,
      random,
      soon,
      nextRound,
      transport: {
        send: (subject, reply, bytes) => transport.send(subject, reply, bytes),
        listen: (subject) => void this.ears.set(subject, transport.listen(subject, receive)),
        ignore: (subject) => {
          this.ears.get(subject)?.[Symbol.dispose]();
          this.ears.delete(subject);
        },
      },
    });
  }

  exists(name: string): boolean {
    const { file, memory } = this.options.journals;
    return file.groups.includes(name) || memory.groups.includes(name);
  }

  get stored(): readonly string[] {
    const { file, memory } = this.options.journals;
    return [...file.groups, ...memory.groups];
  }

  discard(name: string): void {
    for (const one of this.groups) if (one.name === name) return one.destroy();
    const { file, memory } = this.options.journals;
    for (const journal of [file, memory]) if (journal.groups.includes(name)) journal.open(name).remove();
  }

  peerLost(peer: PeerId): void {
    this.driver.peerLost(peer);
  }

  whenStored(done: () => void): void {
    this.options.journals.file.commit(done);
  }

  open(options: JoinOptions): Group {
    const { journals, transport, clock, snapshots = options.snapshots, company = "shoals" } = this.options;
    const group = new DrivenGroup(
      { ...options, snapshots },
      {
        driver: this.driver,
        journal: journals[options.storage],
        transport,
        clock,
        afterwards: this.options.afterwards,
        company,
        closed: () => this.groups.delete(group),
      },
    );
    this.groups.add(group);
    return group;
  }

  stop(): void {
    for (const group of [...this.groups]) group.stop();
    this.driver.stop();
    for (const ear of this.ears.values()) ear[Symbol.dispose]();
  }
}

interface GroupParts {
  readonly driver: RaftDriver;
  readonly journal: RaftJournal;
  readonly transport: GroupTransport;
  readonly clock: Clock;
  readonly afterwards: DrivenGroupsOptions["afterwards"];
  readonly company: Company;
  readonly closed: () => void;
}

class DrivenGroup implements Group, GroupLayer {
  readonly name: string;
  private readonly options: JoinOptions;
  private readonly machine: GroupMachine;
  private readonly parts: GroupParts;
  private readonly raft: RaftGroup;
  appliedTerm = 0;
  private entriesSince = 0;
  private bytesSince = 0;
  private shownPeers: PeerState | null = null;
  private isStopped = false;
  /** Bounded by what happens in one turn. */
  private forwarded: Uint8Array[] = [];
  leadsSinceMs = 0;
  hasLostQuorum = false;
  /** The term that it leads or led, unless it has handed its leadership on; 0: none. */
  private ledTerm = 0;
  private readonly openedMs: number;
  /** By nats-servers, at least once. */
  private wasElected = false;

  constructor(options: JoinOptions, parts: GroupParts) {
    const { name, peers, isNew: isNewGroup, machine, beginsWith = null } = options;
    const { driver, journal } = parts;
    if (isNewGroup && beginsWith !== null) beginLog(journal, options, beginsWith);
    this.name = name;
    this.options = options;
    this.machine = machine;
    this.parts = parts;
    this.openedMs = parts.clock.nowMs();
    this.raft = driver.open({ name, peers, isNewGroup, journal, layer: this });
  }

  get leader(): PeerId {
    return this.raft.status.leader;
  }

  get leads(): boolean {
    return !this.isStopped && this.raft.leads && !this.isToFollow;
  }

  get isRecovering(): boolean {
    return this.raft.status.isRecovering;
  }

  get hasHandedOn(): boolean {
    return this.wasElected && this.leader !== "" && this.leader !== this.options.self;
  }

  /** A nats-server is to lead. */
  private get isToFollow(): boolean {
    return this.parts.company === "nats-servers" && this.peers.peers.length > 1;
  }

  get term(): number {
    return this.raft.status.term;
  }

  get ageMs(): number {
    return this.parts.clock.nowMs() - this.openedMs;
  }

  get applied(): number {
    return this.raft.status.applied;
  }

  get peers(): PeerState {
    return this.raft.status.peers;
  }

  /** Something of the leader's own term has been applied, so that all of former terms has. */
  get isCurrent(): boolean {
    if (this.isStopped) return false;
    const { leader, term, isCatchingUp, isRecovering, applied, commit } = this.raft.status;
    const isFollowing = leader !== "" && !isCatchingUp && !isRecovering;
    return isFollowing && applied >= commit && this.appliedTerm === term;
  }

  get standing(): GroupStanding {
    const { leader, term, isCatchingUp, isRecovering, applied, commit, lastIndex } = this.raft.status;
    const behind = Math.max(0, Math.max(commit, isCatchingUp ? lastIndex : 0) - applied);
    if (this.isStopped || leader === "") return { obstacle: "no leader", behind };
    if (isRecovering) return { obstacle: "recovering", behind };
    if (isCatchingUp) return { obstacle: "catching up", behind };
    return { obstacle: behind > BEHIND_MAX || this.appliedTerm !== term ? "behind" : "", behind };
  }

  get lostPeers(): readonly PeerId[] {
    return this.raft.lostPeers;
  }

  get hasUncommitted(): boolean {
    const { commit, lastIndex } = this.raft.status;
    return commit < lastIndex;
  }

  get logged(): { readonly entries: number; readonly bytes: number } {
    const { lastIndex, snapshotIndex, entryBytes } = this.raft.status;
    return { entries: Math.max(0, lastIndex - snapshotIndex), bytes: entryBytes };
  }

  progress(): PeerProgress[] {
    const { self } = this.options;
    return this.peers.peers.filter((peer) => peer !== self).map((peer) => this.progressOf(peer));
  }

  progressOf(peer: PeerId): PeerProgress {
    const { followers, commit, leader } = this.raft.status;
    if (!this.leads) return { peer, silentMs: -1, lag: 0, isCurrent: peer === leader, isNear: false };
    const known = followers.find((one) => one.peer === peer);
    const silentMs = known === undefined || known.heardMsAgo === Infinity ? -1 : known.heardMsAgo;
    const lag = Math.max(0, commit - (known?.acknowledged ?? 0));
    const isThere = silentMs >= 0 && silentMs < HEARD_MS && known?.isCatchingUp !== true;
    return { peer, silentMs, lag, isCurrent: isThere && lag === 0, isNear: isThere && lag <= NEAR_ENTRIES };
  }

  propose(operations: readonly Uint8Array[]): boolean {
    return operations.every((data) => this.raft.propose({ type: EntryType.NORMAL, data }));
  }

  /** It leaves at the end of the turn: whoever forwards may be handling a message, and nothing is sent meanwhile. */
  forward(operation: Uint8Array): void {
    if (this.forwarded.push(operation) > 1) return;
    this.parts.afterwards(() => {
      const { forwarded } = this;
      this.forwarded = [];
      for (const one of forwarded) this.raft.forward(one);
    });
  }

  transfer(to: PeerId): void {
    this.ledTerm = 0;
    this.raft.transfer(to);
  }

  addPeer(peer: PeerId): void {
    this.raft.addPeer(peer);
  }

  removePeer(peer: PeerId): void {
    this.raft.removePeer(peer);
  }

  campaign(): void {
    this.raft.campaign();
  }

  compact(): void {
    const data = this.isStopped ? null : this.machine.snapshot();
    if (data === null) return;
    this.entriesSince = this.bytesSince = 0;
    this.raft.takeSnapshot(data);
  }

  stop(): void {
    if (this.isStopped) return;
    if (this.raft.leads) this.raft.transfer("");
    this.end();
    this.raft.close();
  }

  destroy(): void {
    if (!this.isStopped) this.end();
    this.raft.remove();
  }

  private end(): void {
    this.isStopped = true;
    this.parts.closed();
  }

  // ---- what the driver calls ----

  apply({ index, term, entries }: CommittedEntry): void {
    this.appliedTerm = term;
    const operations: Uint8Array[] = [];
    for (const { type, data } of entries) {
      if (type === EntryType.NORMAL) operations.push(data);
      this.bytesSince += data.length;
    }
    this.entriesSince += entries.length;
    this.machine.apply(index, operations);
    const { entriesMax, bytesMax } = this.options.snapshots;
    if (this.entriesSince >= entriesMax || this.bytesSince >= bytesMax) this.compact();
  }

  restore({ term, data }: RaftSnapshot): void {
    this.appliedTerm = term;
    this.entriesSince = this.bytesSince = 0;
    this.machine.install(data);
  }

  leadershipChanged(): void {
    this.noteLeadership();
    if (this.raft.leads && this.isToFollow) this.parts.afterwards(() => this.handOn());
    this.machine.leadershipChanged();
  }

  /**
   * It was elected since nobody else could be: its log may be the only one that all others accept. By now a majority has that. It names a
   * nats-server; where none is there it steps down, and the next election may find one.
   */
  private handOn(): void {
    if (this.isStopped || !this.raft.leads) return;
    this.wasElected = true;
    const { signs } = this.parts.driver;
    const [best] = this.raft.status.followers
      .filter(({ peer, heardMsAgo }) => heardMsAgo < HEARD_MS && signs.heardMs(peer) === -Infinity)
      .toSorted((a, b) => b.acknowledged - a.acknowledged);
    this.raft.transfer(best?.peer ?? "");
  }

  private noteLeadership(): void {
    const { leads, ledTerm } = this;
    if (leads === this.leadsSinceMs > 0) return;
    this.leadsSinceMs = leads ? this.parts.clock.nowMs() : 0;
    // nobody else has begun a term, and it was not asked to go
    this.hasLostQuorum = !leads && !this.isStopped && ledTerm === this.term;
    this.ledTerm = leads ? this.term : 0;
  }

  statusChanged(): void {
    this.noteLeadership();
    const { peers } = this;
    if (peers !== this.shownPeers) {
      this.shownPeers = peers;
      this.machine.peersChanged();
    }
    this.machine.leadershipChanged();
  }
}

/** The log of a new group begins behind a snapshot. Nobody else is a member yet, so that nobody has voted in its first term. */
function beginLog(journal: RaftJournal, { name, peers, self }: JoinOptions, data: Uint8Array): void {
  assert(peers.peers.length === 1 && peers.peers[0] === self, "who begins with something begins alone");
  const log = journal.open(name);
  log.save({ term: 1, vote: self, loss: "none" });
  log.install({ index: 1, term: 1, peers, data });
  log.close();
}
