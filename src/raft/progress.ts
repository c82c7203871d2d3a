/** The state of the other members, as a leader knows it. */
import { assert } from "../base/assert.ts";
import { isMember } from "./membership.ts";
import type { PeerId } from "./messages.ts";
import { LEARNERS_MAX, type Progress, type RaftState } from "./state.ts";

/** Undefined: it is no member, and so many that are none have been heard that it is not remembered. */
export function progressOf(state: RaftState, peer: PeerId): Progress | undefined {
  const { progress: all } = state;
  assert(all !== null, "a leader alone knows its followers");
  const known = all.get(peer);
  if (known !== undefined) return known;
  if (!isMember(state, peer) && all.size >= state.peers.peers.length + LEARNERS_MAX) return undefined;
  const progress: Progress = {
    heardMs: -Infinity,
    acknowledged: 0,
    answered: -1,
    process: "",
    catchUp: undefined,
  };
  all.set(peer, progress);
  return progress;
}

/** The leadership ends. */
export function endCatchUps(state: RaftState): void {
  for (const peer of state.progress?.keys() ?? []) endFor(state, peer);
}

export function endFor(state: RaftState, peer: PeerId): void {
  const progress = state.progress?.get(peer);
  if (progress?.catchUp === undefined) return;
  state.ready.unsubscribe.push(progress.catchUp.progressInbox);
  progress.catchUp = undefined;
}
