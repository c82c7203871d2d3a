/** Where a node stands: its term and vote, whom it follows, and when it loses patience. */
import { assert } from "../base/assert.ts";
import { randomInt } from "../base/random.ts";
import type { PeerId } from "./messages.ts";
import { endCatchUps } from "./progress.ts";
import { lossOf } from "./recovery.ts";
import { Timing, type RaftState } from "./state.ts";

/** `fromMs`: when the leader was heard. */
export function resetElection(state: RaftState, fromMs = state.nowMs): void {
  const { ELECTION_MIN_MS: min, ELECTION_MAX_MS: max } = Timing;
  state.electionDueMs = fromMs + min + randomInt(state.random, max - min);
}

export function campaignSoon(state: RaftState): void {
  const { CAMPAIGN_MIN_MS: min, CAMPAIGN_MAX_MS: max } = Timing;
  state.electionDueMs = state.nowMs + min + randomInt(state.random, max - min);
}

/** Term and vote as they are now have to be durable before anything of this step is sent. */
export function save(state: RaftState): void {
  state.ready.save = { term: state.term, vote: state.vote, loss: lossOf(state) };
}

/** A term that somebody else has told of. */
export function takeTerm(state: RaftState, term: number): void {
  assert(term > state.term, "terms rise");
  state.term = term;
  state.vote = "";
  save(state);
}

export function becomeFollower(state: RaftState, leader: PeerId): void {
  if (state.role === "leader") endCatchUps(state);
  state.role = "follower";
  state.leader = leader;
  state.votes = null;
  state.progress = null;
}

export function endCatchUp(state: RaftState): void {
  if (state.catchingUp === undefined) return;
  state.ready.unsubscribe.push(state.catchingUp.inbox);
  state.catchingUp = undefined;
}
