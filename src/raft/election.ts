/**
 * Votes. There is no pre-vote, as in nats-server: a request of a higher term deposes any leader. A vote is durable before it is
 * answered, since the answer is in the same Ready as what is to be saved.
 *
 * A vote may say that the log of the voter is empty, although the group is not new to it: it may have lost what it acknowledged. Such a
 * vote helps only where every member votes alike. Other members that have lost something do not vote (recovery.ts).
 */
import { assert } from "../base/assert.ts";
import { randomInt } from "../base/random.ts";
import { isMember, quorum } from "./membership.ts";
import { EntryType, type VoteRequest, type VoteResponse } from "./messages.ts";
import { areAllBlank, asksTerms, hearLoss, hearTerm, isBlank, isWhole, recovered } from "./recovery.ts";
import { ignoreSigns, leaderHeardMs } from "./signs.ts";
import { becomeFollower, campaignSoon, endCatchUp, resetElection, save, takeTerm } from "./standing.ts";
import { Timing, type OutgoingMessage, type RaftEvent, type RaftState } from "./state.ts";
import { voteSubject } from "./subjects.ts";
import { encodePeerState } from "./wire.ts";
import { appendOwn } from "./leading.ts";

type PeerLost = RaftEvent & { kind: "peer lost" };

export function electionTimeout(state: RaftState): void {
  assert(state.role !== "leader", "a leader waits for no election");
  const heardMs = leaderHeardMs(state);
  if (state.nowMs - heardMs < Timing.ELECTION_MIN_MS) return resetElection(state, heardMs);
  resetElection(state);
  // its leader is silent, so that nothing more comes
  endCatchUp(state);
  campaign(state);
}

/**
 * The server of a peer is gone. Where it led, members campaign one after the other instead of waiting for their timeouts, so that votes are
 * not split. The order differs between groups, so that leaderships spread. A message of the leader in the meantime calls it off.
 */
export function peerLost(state: RaftState, { peer, afterMs, spreadMs }: PeerLost): void {
  const { LEADER_LOST_MS, LEADER_LOST_NEXT_MS, LEADER_LOST_AGAIN_MS } = Timing;
  if (state.role !== "follower" || state.leader !== peer || peer === state.id) return;
  if (state.nowMs - state.leaderLostMs < LEADER_LOST_AGAIN_MS) return;
  state.leaderLostMs = state.nowMs;
  const inOrder = state.peers.peers.filter((each) => each !== peer).toSorted();
  const rank = inOrder.indexOf(state.id);
  if (rank < 0) return;
  const turn = (rank + hashOf(state.group)) % inOrder.length;
  const waitMs = afterMs + turn * (LEADER_LOST_NEXT_MS + spreadMs) + randomInt(state.random, LEADER_LOST_MS);
  state.electionDueMs = Math.min(state.electionDueMs, state.nowMs + waitMs);
  ignoreSigns(state);
}

function hashOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash;
}

/** A member whose own removal is not committed still campaigns: its log may be the only one that all others accept. */
function mayCampaign(state: RaftState): boolean {
  const isRemoved = !isMember(state, state.id) && state.change?.before.peers.includes(state.id) !== true;
  return (isWhole(state) || areAllBlank(state)) && state.catchingUp === undefined && !isRemoved;
}

export function campaign(state: RaftState): void {
  if (state.role === "leader" || !mayCampaign(state)) return;
  state.role = "candidate";
  state.leader = "";
  state.term++;
  state.vote = state.id;
  save(state);
  resetElection(state);
  state.votes = new Map([[state.id, { isEmpty: saysEmpty(state) }]]);
  const body = {
    term: state.term,
    lastTerm: state.log.lastTerm,
    lastIndex: state.log.lastIndex,
    candidate: state.id,
  };
  send(state, {
    subject: voteSubject(state.group),
    reply: state.inbox,
    message: { kind: "vote request", body },
  });
  countVotes(state);
}

export function takeVoteRequest(state: RaftState, request: VoteRequest, reply: string): void {
  if (reply === "" || request.candidate === state.id) return;
  // a member that has lost its own term must not count among those that know one
  if (request.term === 0 && asksTerms(state) && !state.log.isEmpty) return;
  if (request.term > state.term) {
    endCatchUp(state);
    becomeFollower(state, "");
    takeTerm(state, request.term);
    if (!isUpToDate(state, request) && state.vote === "" && isWhole(state)) campaignSoon(state);
  }
  const isGranted =
    request.term === state.term &&
    request.term > 0 &&
    (state.vote === "" || state.vote === request.candidate) &&
    (isWhole(state) ? isUpToDate(state, request) : isBlank(state) && request.lastIndex === 0);
  if (isGranted) {
    assert(state.role === "follower", "only a follower votes for another");
    state.vote = request.candidate;
    save(state);
    resetElection(state);
  }
  const body = {
    term: state.term,
    peer: state.id,
    isGranted,
    isEmpty: saysEmpty(state),
    hasLost: !isWhole(state),
  };
  send(state, { subject: reply, reply: "", message: { kind: "vote response", body } });
}

export function takeVoteResponse(state: RaftState, response: VoteResponse): void {
  hearLoss(state, response);
  if (hearTerm(state, response)) {
    if (!asksTerms(state)) becomeFollower(state, "");
    if (state.role !== "candidate") return;
  }
  if (response.term > state.term) {
    becomeFollower(state, "");
    takeTerm(state, response.term);
    resetElection(state);
    return;
  }
  if (state.role !== "candidate" || response.term !== state.term || !response.isGranted) return;
  // this process was stopped for long: members that have lost their vote rely on the end of this candidacy
  if (state.nowMs >= state.electionDueMs) return;
  state.votes?.set(response.peer, { isEmpty: response.isEmpty });
  countVotes(state);
}

function countVotes(state: RaftState): void {
  const isForming = state.peers.peers.length < state.peers.size;
  const votes = [...(state.votes ?? [])]
    .filter(([peer]) => isForming || isMember(state, peer))
    .map(([, vote]) => vote);
  const withLog = votes.filter(({ isEmpty }) => !isEmpty).length;
  if (withLog >= quorum(state) || votes.length >= state.peers.size) becomeLeader(state);
}

function becomeLeader(state: RaftState): void {
  assert(state.role === "candidate" && state.vote === state.id, "a leader has voted for itself");
  state.role = "leader";
  state.leader = state.id;
  state.progress = new Map();
  state.votes = null;
  state.quorumDueMs = state.nowMs + Timing.QUORUM_LOST_MS;
  state.leadsFrom = state.log.lastIndex + 1;
  if (!isWhole(state)) recovered(state);
  appendOwn(state, [{ type: EntryType.PEER_STATE, data: encodePeerState(state.peers) }]);
}

/** The candidate's log holds all that this one does. */
function isUpToDate({ log }: RaftState, { lastTerm, lastIndex }: VoteRequest): boolean {
  return lastTerm > log.lastTerm || (lastTerm === log.lastTerm && lastIndex >= log.lastIndex);
}

/** Its log is empty, and not because nothing has happened yet. */
function saysEmpty(state: RaftState): boolean {
  return state.log.isEmpty && !isWhole(state);
}

function send(state: RaftState, outgoing: OutgoingMessage): void {
  state.ready.send.push(outgoing);
}
