/**
 * A member that has lost something it had acknowledged (its disk is empty, its log or its term is damaged) neither votes nor campaigns
 * until it holds all that a leader has. If its term is lost as well, it does not answer a leader either before it has asked the others
 * for their terms: it may have helped to elect a newer leader than the one that it hears. So many have to answer that every quorum which
 * it was part of is met; by then each candidacy that it may have voted for is over.
 *
 * A group may also begin with such members: they were assigned to it, and crashed before anything was on the disk. So one that has
 * nothing votes for a candidate that has nothing, and campaigns where all others say that they have nothing. Whoever has got such a vote
 * needs those of all members: then nobody has an entry, and none is lost.
 */
import { assert } from "../base/assert.ts";
import { isMember } from "./membership.ts";
import type { PeerId, VoteResponse } from "./messages.ts";
import { Timing, type LostPart, type RaftState, type LossRecovery } from "./state.ts";
import { voteSubject } from "./subjects.ts";

export const isWhole = ({ recovery }: RaftState): boolean => recovery === undefined;

/** Term and log are known; what is missing at the end of the log is not. */
export const recoverLog = (): LossRecovery => ({
  asksTermsFromMs: Infinity,
  nextAskMs: Infinity,
  heardTerms: new Map(),
  blanks: new Map(),
});

/** `forgotMs`: since then it has voted for nobody that it has forgotten. */
export function recoverAll(forgotMs: number): LossRecovery {
  const asksTermsFromMs = forgotMs + Timing.VOTE_FORGOTTEN_MS;
  return { asksTermsFromMs, nextAskMs: asksTermsFromMs, heardTerms: new Map(), blanks: new Map() };
}

export const asksTerms = ({ recovery }: RaftState): boolean =>
  recovery !== undefined && recovery.asksTermsFromMs !== Infinity;

/** It has nothing, and whatever it may have voted for is over. */
export function isBlank(state: RaftState): boolean {
  const { recovery, log, nowMs } = state;
  return recovery !== undefined && asksTerms(state) && log.isEmpty && nowMs >= recovery.asksTermsFromMs;
}

/** All have nothing, as far as they have said a moment ago. */
export function areAllBlank(state: RaftState): boolean {
  const { recovery, peers, id, nowMs } = state;
  if (recovery === undefined || !isBlank(state) || !isMember(state, id)) return false;
  const sinceMs = nowMs - BLANK_MS;
  return peers.peers.every((peer) => peer === id || (recovery.blanks.get(peer) ?? -Infinity) >= sinceMs);
}

/** A leader for whom it voted as one that has nothing: it has the votes of all, and so everything. */
export function followsFirst(state: RaftState, leader: PeerId, term: number): boolean {
  const { recovery } = state;
  if (recovery === undefined || !isBlank(state) || state.term !== term || state.vote !== leader) return false;
  recovery.asksTermsFromMs = Infinity;
  recovery.nextAskMs = Infinity;
  state.ready.save = { term, vote: leader, loss: "log" };
  return true;
}

export function lossOf(state: RaftState): LostPart {
  if (isWhole(state)) return "none";
  return asksTerms(state) ? "all" : "log";
}

/** A request of term 0, which nobody grants, and which everybody answers with a term. */
export function askTerms(state: RaftState): void {
  const { recovery } = state;
  if (recovery === undefined || state.nowMs < recovery.nextAskMs) return;
  recovery.nextAskMs = state.nowMs + Timing.ASK_TERMS_MS;
  const body = { term: 0, lastTerm: 0, lastIndex: 0, candidate: state.id };
  state.ready.send.push({
    subject: voteSubject(state.group),
    reply: state.inbox,
    message: { kind: "vote request", body },
  });
}

/** Whether the answer was one to askTerms. */
export function hearTerm(state: RaftState, { peer, term, isEmpty }: VoteResponse): boolean {
  const { recovery } = state;
  if (recovery === undefined || !asksTerms(state)) return false;
  if (state.nowMs < recovery.asksTermsFromMs || peer === state.id || !isMember(state, peer)) return true;
  // it has lost its own, or was never part of a quorum
  if (isEmpty) recovery.blanks.set(peer, state.nowMs);
  if (isEmpty) return true;
  recovery.blanks.delete(peer);
  recovery.heardTerms.set(peer, term);
  if (recovery.heardTerms.size < Math.ceil(state.peers.peers.length / 2)) return true;
  const highest = Math.max(...recovery.heardTerms.values());
  if (highest > state.term) {
    state.term = highest;
    state.vote = "";
  }
  // whatever it voted in this term, it does not vote again in it
  state.vote ||= NOBODY;
  recovery.asksTermsFromMs = Infinity;
  recovery.nextAskMs = Infinity;
  state.ready.save = { term: state.term, vote: state.vote, loss: "log" };
  return true;
}

/** A voter says whether it has lost something. */
export function hearLoss(state: RaftState, { peer, hasLost }: VoteResponse): void {
  if (!hasLost) state.lost?.delete(peer);
  else if (isMember(state, peer)) (state.lost ??= new Map()).set(peer, state.nowMs);
}

/** Members that have lost something and are not whole again, as far as they have told not long ago. */
export function lostPeers(state: RaftState): readonly PeerId[] {
  const sinceMs = state.nowMs - Timing.LOST_COUNTS_MS;
  const lost = state.peers.peers.filter((peer) => (state.lost?.get(peer) ?? -Infinity) >= sinceMs);
  return isWhole(state) || !isMember(state, state.id) ? lost : [...lost, state.id];
}

/** Nothing that others say of themselves is believed for longer. */
const BLANK_MS = 3 * Timing.ASK_TERMS_MS;
/** A vote that nobody can have. */
const NOBODY = "-       ";
assert(NOBODY.length === 8, "it stands where the id of a peer stands");

/** The log has reached all that the leader of this term has. */
export function recovered(state: RaftState): void {
  assert(!asksTerms(state) || state.role === "leader", "who has lost its term follows nobody");
  state.recovery = undefined;
  state.ready.save = { term: state.term, vote: state.vote, loss: "none" };
}
