/**
 * Heads: the small, long-lived pieces in front of messages. All plans share one arena of heads; a head that does not fit goes to the spare
 * heads, which the current message may read and the next plan overwrites.
 */
import { assert } from "../base/assert.ts";
import { AREA } from "./layout.ts";

const HEAD_STEP = 16;
/** Longest head that the arena takes. */
export const HEAD_MAX = 2048;
const freeHeads: number[][] = Array.from({ length: HEAD_MAX / HEAD_STEP + 1 }, () => []);
let arenaEnd = AREA.heads.at;
let bytesInUse = 0;
let spareEnd = AREA.spareHeads.at;

function headClass(length: number): number {
  return Math.ceil((length + 8) / HEAD_STEP);
}

/** Room for `length` bytes (and the slack of word copies): in the arena, or else among the spare heads. */
export function takeHead(length: number): number {
  if (length + 8 > HEAD_MAX) return takeSpare(length);
  const size = headClass(length);
  const free = freeHeads[size]!.pop();
  if (free === undefined && arenaEnd + size * HEAD_STEP > AREA.heads.end) return takeSpare(length);
  bytesInUse += size * HEAD_STEP;
  if (free !== undefined) return free;
  const at = arenaEnd;
  arenaEnd += size * HEAD_STEP;
  return at;
}

function takeSpare(length: number): number {
  const at = spareEnd;
  spareEnd += length + 8;
  assert(spareEnd <= AREA.spareHeads.end, "the heads of a subject fit among the spare heads");
  return at;
}

/** Releases the spare heads of the previous plan before another is built. */
export function clearSpareHeads(): void {
  spareEnd = AREA.spareHeads.at;
}

/** Whether a spare head has been taken since. */
export function hasSpareHeads(): boolean {
  return spareEnd > AREA.spareHeads.at;
}

/** Has no effect on a spare head. */
export function releaseHead(at: number, length: number): void {
  if (at < AREA.heads.at) return;
  assert(at < AREA.heads.end, "release of a head that was never taken");
  const size = headClass(length);
  bytesInUse -= size * HEAD_STEP;
  freeHeads[size]!.push(at);
}

/** Bytes of the arena in use. */
export function headsInUse(): number {
  return bytesInUse;
}

/** Holds heads that can be written again when they are needed. */
export interface HeadsUser {
  /** Releases all of its heads. */
  evictAll(): void;
}

const users = new Set<HeadsUser>();

export function shareHeads(user: HeadsUser): void {
  users.add(user);
}

/** The user has released its heads. */
export function leaveHeads(user: HeadsUser): void {
  users.delete(user);
}

/** For when the arena is full, or full of heads of other lengths: all users release theirs, and it takes heads of any length again. */
export function makeRoomForHeads(): void {
  for (const user of users) user.evictAll();
  assert(bytesInUse === 0, "the arena is reset while no head is in use");
  arenaEnd = AREA.heads.at;
  for (const free of freeHeads) free.length = 0;
}
