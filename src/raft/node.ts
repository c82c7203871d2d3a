/**
 * One member of a group, as a state machine without time, chance, network or disk of its own: a step takes what has happened and says
 * what is to be done. It speaks the Raft of nats-server ($NRG) and is stricter: an entry is acknowledged once it is durable, nothing is
 * cut on the word of a message that came late, and a member that has lost something neither votes nor leads before it has caught up.
 */
import { assert } from "../base/assert.ts";
import type { Random } from "../base/random.ts";
import { takeProgress, takeRead, takeSnapshotRead } from "./catching-up.ts";
import { campaign, electionTimeout, peerLost, takeVoteRequest, takeVoteResponse } from "./election.ts";
import { takeCatchUp, takeLive } from "./following.ts";
import {
  appendOwn,
  changeMembers,
  leaderTick,
  takeAppendResponse,
  takeWritten,
  transfer,
} from "./leading.ts";
import { LogView } from "./log-view.ts";
import { committedPeers, takeMembership } from "./membership.ts";
import { EntryType, indexOf, type AppendEntry, type PeerId, type PeerState } from "./messages.ts";
import { areAllBlank, askTerms, asksTerms, lostPeers, recoverAll, recoverLog } from "./recovery.ts";
import {
  emptyReady,
  NO_SIGNS,
  type HardState,
  type Progress,
  type RaftEvent,
  type RaftState,
  type Ready,
  type Role,
  type RaftSnapshot,
  type ServerSigns,
} from "./state.ts";
import { followerHeardMs, hasStrangers } from "./signs.ts";
import { resetElection, save } from "./standing.ts";
import { answerInbox, appendSubject, PROGRESS_PREFIX, voteSubject } from "./subjects.ts";

/** The state that the driver has found on the disk. */
export interface Restored {
  /** Undefined: there is none; a group that is not new has lost it. */
  readonly hard: HardState | undefined;
  readonly snapshot: Pick<RaftSnapshot, "index" | "term" | "peers"> | undefined;
  /** Those behind the snapshot, in order, without a gap. */
  readonly entries: Iterable<AppendEntry>;
  /** Entries that were there are damaged or missing. */
  readonly isDamaged: boolean;
}

export interface RaftOptions {
  readonly id: PeerId;
  readonly group: string;
  readonly random: Random;
  readonly nowMs: number;
  /** The membership at the start of the group; what the log says goes before it. */
  readonly peers: PeerState;
  /** This server has not been a member of the group before. */
  readonly isNewGroup: boolean;
  readonly restored: Restored;
  /** Since then it has voted for nobody of whom it knows nothing now. Absent: `nowMs`. */
  readonly forgotMs?: number;
  /** Absent: there are none. */
  readonly signs?: ServerSigns;
  /** Where answers come; absent: it draws one. */
  readonly inbox?: string;
}

/** Between steps. */
const NOTHING = emptyReady(0);

export class RaftNode {
  private readonly state: RaftState;

  constructor(options: RaftOptions) {
    const { id, group, random, nowMs, restored, signs = NO_SIGNS, inbox = answerInbox(random) } = options;
    const { snapshot, hard } = restored;
    const log = new LogView(snapshot?.index ?? 0, snapshot?.term ?? 0);
    const commit = log.startIndex;
    this.state = {
      id,
      group,
      random,
      signs,
      inbox,
      nowMs,
      role: "follower",
      term: hard?.term ?? 0,
      vote: hard?.vote ?? "",
      leader: "",
      log,
      commit,
      durable: commit,
      peers: snapshot?.peers ?? options.peers,
      change: undefined,
      electionDueMs: 0,
      leaderLostMs: -Infinity,
      heartbeatDueMs: 0,
      quorumDueMs: 0,
      followed: { atMs: -Infinity, process: "" },
      endedTerm: 0,
      busyMs: nowMs,
      votes: null,
      progress: null,
      leadsFrom: 0,
      catchingUp: undefined,
      recovery: undefined,
      lost: null,
      ready: emptyReady(commit),
    };
    for (const entry of restored.entries) {
      assert(indexOf(entry) === log.lastIndex + 1, "a log has no gap");
      log.append(entry.term);
      takeMembership(this.state, entry, log.lastIndex);
    }
    this.state.durable = log.lastIndex;
    this.judgeLoss(options);
    resetElection(this.state);
  }

  get role(): Role {
    return this.state.role;
  }

  get term(): number {
    return this.state.term;
  }

  /** "": not known. */
  get leader(): PeerId {
    return this.state.leader;
  }

  get commit(): number {
    return this.state.commit;
  }

  get lastIndex(): number {
    return this.state.log.lastIndex;
  }

  get peers(): PeerState {
    return this.state.peers;
  }

  /** As a snapshot of what is committed needs it. */
  get committedPeers(): PeerState {
    return committedPeers(this.state);
  }

  /** It may not vote yet. */
  get isRecovering(): boolean {
    return this.state.recovery !== undefined;
  }

  /** Members that have lost something, as far as is known here, this one among them. */
  get lostPeers(): readonly PeerId[] {
    return lostPeers(this.state);
  }

  /** The first index of the own leadership is committed: everything before is known. */
  get leads(): boolean {
    return this.state.role === "leader" && this.state.commit >= this.state.leadsFrom;
  }

  /** The first index of the own leadership. */
  get leadsFrom(): number {
    return this.state.leadsFrom;
  }

  get isCatchingUp(): boolean {
    return this.state.catchingUp !== undefined;
  }

  /** The other members, where this one leads. */
  get followers(): Iterable<readonly [PeerId, Readonly<Progress>]> {
    return this.state.progress ?? [];
  }

  /** Others follow that are no members. */
  get hasStrangers(): boolean {
    return hasStrangers(this.state);
  }

  /** When a follower was heard last, itself or its server; -Infinity: never. */
  heardMs(peer: PeerId): number {
    const progress = this.state.progress?.get(peer);
    return progress === undefined ? -Infinity : followerHeardMs(this.state, peer, progress);
  }

  /** Undefined: the log does not know it. */
  termAt(index: number): number | undefined {
    return this.state.log.termAt(index);
  }

  /** The subjects that the node listens to for its whole life. */
  get subjects(): readonly string[] {
    const { group, inbox } = this.state;
    return [voteSubject(group), appendSubject(group), inbox];
  }

  /** Before the first step: what was lost is on record before the damage is cut away. */
  start(): Ready {
    this.state.ready = emptyReady(this.state.commit);
    save(this.state);
    return this.spent();
  }

  /** `nowMs` does not fall. */
  step(event: RaftEvent, nowMs: number): Ready {
    const { state } = this;
    assert(nowMs >= state.nowMs, "time does not go back");
    state.nowMs = nowMs;
    state.ready = emptyReady(state.commit);
    this.take(event);
    assert(state.commit <= state.log.lastIndex, "what is committed is in the log");
    assert(state.commit >= state.log.startIndex, "what a snapshot holds is committed");
    return this.spent();
  }

  /** What the step has gathered. The state keeps nothing of it, since a group may be idle for long. */
  private spent(): Ready {
    const { state } = this;
    const { ready } = state;
    ready.wakeAtMs = this.wakeAtMs;
    state.ready = NOTHING;
    return ready;
  }

  private take(event: RaftEvent): void {
    const { state } = this;
    switch (event.kind) {
      case "tick":
        return this.tick();
      case "message":
        return this.takeMessage(event);
      case "propose":
        return void (this.leads && appendOwn(state, event.entries));
      case "written":
        return takeWritten(state, event.index, event.term);
      case "read":
        return takeRead(state, event.peer, event.inbox, event.entries);
      case "snapshot read":
        return takeSnapshotRead(state, event.peer, event.inbox, event.snapshot);
      case "compacted":
        return this.compact(event.index);
      case "add peer":
        return changeMembers(state, event.peer, EntryType.ADD_PEER);
      case "remove peer":
        return changeMembers(state, event.peer, EntryType.REMOVE_PEER);
      case "transfer":
        return transfer(state, event.to);
      case "campaign":
        return campaign(state);
      case "peer lost":
        return peerLost(state, event);
    }
  }

  private takeMessage({ subject, reply, message }: RaftEvent & { kind: "message" }): void {
    const { state } = this;
    switch (message.kind) {
      case "vote request":
        return takeVoteRequest(state, message.body, reply);
      case "vote response":
        return takeVoteResponse(state, message.body);
      case "append":
        if (subject === appendSubject(state.group)) return takeLive(state, message.body, reply);
        return takeCatchUp(state, subject, message.body, reply);
      case "append response":
        if (subject.startsWith(PROGRESS_PREFIX)) return takeProgress(state, subject, message.body.index);
        return takeAppendResponse(state, message.body, reply);
    }
  }

  private tick(): void {
    const { state } = this;
    if (state.role === "leader") return leaderTick(state);
    if (asksTerms(state)) askTerms(state);
    if (asksTerms(state) && !areAllBlank(state)) return;
    if (state.nowMs >= state.electionDueMs) electionTimeout(state);
  }

  private compact(index: number): void {
    const { state } = this;
    if (index <= state.log.startIndex) return;
    assert(index <= state.commit, "a snapshot is of what is committed");
    state.log.compact(index);
  }

  private get wakeAtMs(): number {
    const { state } = this;
    if (state.role === "leader") return Math.min(state.heartbeatDueMs, state.quorumDueMs);
    return asksTerms(state) ? state.recovery!.nextAskMs : state.electionDueMs;
  }

  private judgeLoss({ isNewGroup, restored, nowMs, forgotMs = nowMs }: RaftOptions): void {
    if (restored.hard === undefined) {
      if (!isNewGroup || !this.state.log.isEmpty || restored.isDamaged)
        this.state.recovery = recoverAll(forgotMs);
    } else if (restored.hard.loss === "all") {
      this.state.recovery = recoverAll(forgotMs);
    } else if (restored.isDamaged || restored.hard.loss === "log") {
      this.state.recovery = recoverLog();
    }
  }
}
