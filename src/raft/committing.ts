/** How far the log is committed. */
import { assert } from "../base/assert.ts";
import { commitMembership } from "./membership.ts";
import type { RaftState } from "./state.ts";

export function raiseCommit(state: RaftState, index: number): void {
  if (index <= state.commit) return;
  assert(index <= state.log.lastIndex, "what is committed is in the log");
  state.commit = index;
  state.ready.commit = index;
  commitMembership(state);
}
