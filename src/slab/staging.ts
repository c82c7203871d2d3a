/**
 * Staging: where messages of the server's own making are put together. The areas form a stack, because a message that crosses into
 * another account is made while the one before is under way.
 */
import { assert } from "../base/assert.ts";
import { AREA, SLACK } from "./layout.ts";

let stagedEnd = AREA.staging.at;

/** Room for `length` bytes until it is given back, which happens in the reverse order; 0: there is none. */
export function takeStage(length: number): number {
  const at = stagedEnd;
  if (at + length + SLACK > AREA.staging.end) return 0;
  stagedEnd += length + SLACK;
  return at;
}

export function releaseStage(at: number): void {
  assert(at >= AREA.staging.at && at < stagedEnd, "release of a stage that was never taken");
  stagedEnd = at;
}
