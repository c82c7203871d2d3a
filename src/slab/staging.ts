/**
 * Staging areas, in which messages that the server makes are assembled. They form a stack, because a message that crosses into another
 * account is made while the previous one is being delivered.
 */
import { assert } from "../base/assert.ts";
import { AREA, SLACK } from "./layout.ts";

let stagedEnd = AREA.staging.at;

/** Takes `length` bytes, which must be released in reverse order; 0: there is no room. */
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
