/**
 * A leader's side: it appends, counts who has what, and commits what a quorum has. Only entries of its own term are counted; those before
 * are committed by the first of them. Its own log counts once it is durable.
 */
import { assert } from "../base/assert.ts";
import { raiseCommit } from "./committing.ts";
import { isMember, mayChangeMembers, quorum, takeMembership } from "./membership.ts";
import { EntryType, type AppendEntry, type AppendResponse, type Entry, type PeerId } from "./messages.ts";
import { startCatchUp } from "./catching-up.ts";
import { progressOf } from "./progress.ts";
import { becomeFollower, resetElection, takeTerm } from "./standing.ts";
import { followerHeardMs, isQuiet } from "./signs.ts";
import { Timing, type Progress, type RaftState } from "./state.ts";
import { appendSubject } from "./subjects.ts";
import { peerBytes } from "./wire.ts";

export function appendOwn(state: RaftState, entries: readonly Entry[]): void {
  assert(state.role === "leader", "only a leader appends by itself");
  const { log } = state;
  const append: AppendEntry = {
    leader: state.id,
    term: state.term,
    commit: state.commit,
    prevTerm: log.lastTerm,
    prevIndex: log.lastIndex,
    entries,
    currentTerm: 0,
  };
  log.append(state.term);
  state.busyMs = state.nowMs;
  state.ready.append.push(append);
  takeMembership(state, append, log.lastIndex);
  broadcast(state, append);
}

function heartbeat(state: RaftState): void {
  const { log, term, commit, id } = state;
  broadcast(state, {
    leader: id,
    term,
    commit,
    prevTerm: log.lastTerm,
    prevIndex: log.lastIndex,
    entries: [],
    currentTerm: 0,
  });
}

/**
 * Need not wait for what is being written, as soon as the first entry of the leadership is durable: the term and the vote for itself are
 * so then, too. They are before in all groups but those of one member.
 */
function broadcast(state: RaftState, append: AppendEntry): void {
  state.heartbeatDueMs = state.nowMs + Timing.HEARTBEAT_MS;
  const { send, sendAtOnce } = state.ready;
  (state.durable < state.leadsFrom ? send : sendAtOnce).push({
    subject: appendSubject(state.group),
    reply: state.inbox,
    message: { kind: "append", body: append },
  });
}

export function leaderTick(state: RaftState): void {
  if (state.nowMs >= state.quorumDueMs) {
    state.quorumDueMs = state.nowMs + Timing.QUORUM_LOST_MS;
    if (countHeard(state, Timing.QUORUM_LOST_MS) < quorum(state)) {
      becomeFollower(state, "");
      resetElection(state);
      return;
    }
  }
  if (state.nowMs >= state.heartbeatDueMs) {
    heartbeat(state);
    if (isQuiet(state)) state.heartbeatDueMs = state.nowMs + Timing.QUIET_HEARTBEAT_MS;
  } else if (state.heartbeatDueMs - state.nowMs > Timing.HEARTBEAT_MS && !isQuiet(state)) heartbeat(state);
  for (const each of state.progress?.values() ?? []) {
    const { catchUp } = each;
    if (catchUp !== undefined && state.nowMs - catchUp.movedMs >= Timing.CATCHUP_STALLED_MS) {
      state.ready.unsubscribe.push(catchUp.progressInbox);
      each.catchUp = undefined;
    }
  }
}

export function takeAppendResponse(state: RaftState, response: AppendResponse, reply: string): void {
  if (state.role !== "leader") return;
  const { peer } = response;
  const progress = progressOf(state, peer);
  if (progress === undefined) return;
  progress.heardMs = state.nowMs;
  progress.process = state.signs.processOf(peer);
  progress.answered = response.isSuccess ? response.index : -1;
  if (response.isSuccess) {
    // of an older term: committed by the first of this one
    if (response.term !== state.term || state.log.termAt(response.index) !== state.term) return;
    progress.acknowledged = Math.max(progress.acknowledged, response.index);
    advance(state);
  } else if (reply !== "") {
    startCatchUp(state, peer, reply, response.index);
  } else if (response.term > state.term) {
    becomeFollower(state, "");
    takeTerm(state, response.term);
    resetElection(state);
  }
}

/** The own log is durable up to an index. */
export function takeWritten(state: RaftState, index: number, term: number): void {
  if (state.log.termAt(index) !== term || index <= state.durable) return;
  state.durable = index;
  if (state.role === "leader") advance(state);
}

function advance(state: RaftState): void {
  const acknowledged = state.peers.peers.map((peer) =>
    peer === state.id ? state.durable : (state.progress?.get(peer)?.acknowledged ?? 0),
  );
  acknowledged.sort((a, b) => b - a);
  const index = acknowledged[quorum(state) - 1] ?? 0;
  if (index <= state.commit || state.log.termAt(index) !== state.term) return;
  raiseCommit(state, index);
  state.busyMs = state.nowMs;
  // followers learn of it at once
  heartbeat(state);
  if (isMember(state, state.id) || state.change !== undefined) return;
  // it has led its own removal to the end
  becomeFollower(state, "");
  resetElection(state);
}

export function changeMembers(state: RaftState, peer: PeerId, type: number): void {
  const isThere = isMember(state, peer);
  if (!mayChangeMembers(state) || isThere === (type === EntryType.ADD_PEER)) return;
  if (type === EntryType.REMOVE_PEER && state.peers.peers.length === 1) return;
  appendOwn(state, [{ type, data: peerBytes(peer) }]);
}

/** Names a successor in the log, and steps down at once. "": any that is live, best one that has everything. */
export function transfer(state: RaftState, to: PeerId): void {
  if (state.role !== "leader") return;
  const live = [...(state.progress ?? [])]
    .filter(([peer, each]) => isMember(state, peer) && isLive(state, peer, each))
    .sort(([, a], [, b]) => b.acknowledged - a.acknowledged)
    .map(([peer]) => peer);
  const successor = live.includes(to) ? to : live[0];
  if (successor !== undefined)
    appendOwn(state, [{ type: EntryType.LEADER_TRANSFER, data: peerBytes(successor) }]);
  becomeFollower(state, "");
  resetElection(state);
}

function countHeard(state: RaftState, withinMs: number): number {
  return state.peers.peers.filter((peer) => {
    if (peer === state.id) return true;
    const progress = state.progress?.get(peer);
    return progress !== undefined && state.nowMs - followerHeardMs(state, peer, progress) <= withinMs;
  }).length;
}

function isLive(state: RaftState, peer: PeerId, progress: Progress): boolean {
  return state.nowMs - followerHeardMs(state, peer, progress) <= Timing.LIVE_MS;
}
