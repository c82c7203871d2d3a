/**
 * The members of the group. A change takes effect when it is appended, and is reverted when it is cut from the log. At most one change is
 * uncommitted at a time, and a leader makes none before it has committed an entry of its own term. Otherwise two memberships could
 * differ in more than one member, and have quorums that share nobody.
 */
import { assert } from "../base/assert.ts";
import { EntryType, type AppendEntry, type PeerId, type PeerState } from "./messages.ts";
import type { RaftState } from "./state.ts";
import { decodePeerState, PEER_ID_BYTES, readPeer } from "./wire.ts";

export const isMember = ({ peers }: RaftState, peer: PeerId): boolean => peers.peers.includes(peer);

export function quorum({ peers }: RaftState): number {
  return Math.floor(Math.max(peers.size, peers.peers.length) / 2) + 1;
}

/** The membership that holds at what is committed, as a snapshot of it needs it. */
export function committedPeers({ change, peers }: RaftState): PeerState {
  return change?.before ?? peers;
}

/** An entry has been appended at an index. */
export function takeMembership(state: RaftState, append: AppendEntry, index: number): void {
  for (const { type, data } of append.entries) {
    const next = changed(state.peers, type, data);
    if (next === undefined) continue;
    if (!sameMembers(next, state.peers))
      state.change = { index, before: state.change?.before ?? state.peers };
    state.peers = next;
  }
}

/** The log has been cut after an index. */
export function revertMembership(state: RaftState, index: number): void {
  if (state.change === undefined || state.change.index <= index) return;
  state.peers = state.change.before;
  state.change = undefined;
}

export function commitMembership(state: RaftState): void {
  if (state.change !== undefined && state.change.index <= state.commit) state.change = undefined;
}

export function mayChangeMembers(state: RaftState): boolean {
  return state.role === "leader" && state.change === undefined && state.commit >= state.leadsFrom;
}

/** The membership behind an entry; undefined: the entry does not concern it. */
export function changed(peers: PeerState, type: number, data: Uint8Array): PeerState | undefined {
  if (type === EntryType.PEER_STATE) {
    const told = decodePeerState(data);
    // each group of a server keeps one, for as long as it is there
    return told !== undefined && isSame(told, peers) ? peers : told;
  }
  if ((type !== EntryType.ADD_PEER && type !== EntryType.REMOVE_PEER) || data.length !== PEER_ID_BYTES)
    return undefined;
  const peer = readPeer(data);
  const others = peers.peers.filter((known) => known !== peer);
  const next = type === EntryType.ADD_PEER ? [...others, peer] : others;
  assert(new Set(next).size === next.length, "no peer is twice in a group");
  return { ...peers, size: next.length, peers: next };
}

const isSame = (a: PeerState, b: PeerState): boolean =>
  a.size === b.size && a.domainExtension === b.domainExtension && a.peers.join() === b.peers.join();

function sameMembers(a: PeerState, b: PeerState): boolean {
  return (
    a.size === b.size && a.peers.length === b.peers.length && a.peers.every((peer) => b.peers.includes(peer))
  );
}
