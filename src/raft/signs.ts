/**
 * Signs of life of whole servers, which stand for heartbeats of groups in which nothing happens. They prove that a process still runs that
 * sent, or answered, a heartbeat of the group before: so a sign counts only while its process is the one of that heartbeat. That the
 * process still leads, or follows, nobody says; after a while a real heartbeat has to come.
 */
import type { PeerId } from "./messages.ts";
import { Timing, type Progress, type RaftState } from "./state.ts";

/** When the leader was heard last, itself or its server; -Infinity: it cannot be told. */
export function leaderHeardMs({ signs, leader, followed, nowMs }: RaftState): number {
  if (leader === "" || followed.process === "" || nowMs - followed.atMs > Timing.SIGNS_COVER_MS)
    return -Infinity;
  return signs.processOf(leader) === followed.process ? signs.heardMs(leader) : -Infinity;
}

/** Signs of life of the leader's server count for nothing before the next heartbeat: it leads no more. */
export function ignoreSigns({ followed }: RaftState): void {
  followed.process = "";
}

/** The same of a follower. */
export function followerHeardMs({ signs }: RaftState, peer: PeerId, { heardMs, process }: Progress): number {
  if (process === "" || signs.processOf(peer) !== process) return heardMs;
  return Math.max(heardMs, signs.heardMs(peer));
}

/**
 * Nothing has happened for some heartbeats, all members have answered that they have everything, and their servers give signs of life:
 * the leader need not send heartbeats so often.
 */
export function isQuiet(state: RaftState): boolean {
  const { log, commit, change, peers, nowMs, busyMs } = state;
  if (commit !== log.lastIndex || change !== undefined || nowMs - busyMs < Timing.QUIET_AFTER_MS)
    return false;
  return peers.peers.every((peer) => peer === state.id || hasAll(state, peer)) && !hasStrangers(state);
}

function hasAll({ progress, signs, log, nowMs }: RaftState, peer: PeerId): boolean {
  const each = progress?.get(peer);
  // it is gone, and tells of itself when it comes back
  const silentMs =
    nowMs - (each === undefined ? signs.heardMs(peer) : Math.max(each.heardMs, signs.heardMs(peer)));
  if (silentMs > Timing.QUORUM_LOST_MS && signs.heardMs(peer) !== -Infinity) return true;
  if (each === undefined || each.catchUp !== undefined || each.answered !== log.lastIndex) return false;
  if (each.process === "" || signs.processOf(peer) !== each.process) return false;
  return nowMs - signs.heardMs(peer) <= Timing.LIVE_MS;
}

/** Others follow that are no members, and may become some. */
export function hasStrangers({ peers, nowMs, progress }: RaftState): boolean {
  if (progress === null || progress.size < peers.peers.length) return false;
  for (const [peer, { heardMs }] of progress)
    if (!peers.peers.includes(peer) && nowMs - heardMs <= Timing.QUORUM_LOST_MS) return true;
  return false;
}
