/**
 * Two servers of one name. A name belongs to the member that has it for as long as that one lives: whoever else comes with it is
 * refused. Since it may be the same server, restarted with a new id while its dead routes have not been noticed, the holder is
 * asked for a sign of life on each of its routes. A route without one is closed, and a holder without any makes room: its
 * successor is dialled, and comes again by itself as well (challenge.ts). It has less time where another member has found it silent.
 *
 * Bound: one question at a time for each member. It is answered within CHALLENGE_MS, or forgotten after twice that, where the routes
 * that were asked ended meanwhile.
 */
import { addressKey, advertisedAddress } from "./address.ts";
import { tell, type ConnRow, type MeshState, type PeerRow } from "./mesh-state.ts";
import type { RouteInfo } from "./mesh-types.ts";

/** Enough for a member that is busy. Where the host of a dead one still runs, it ends the route at once when it is asked. */
const CHALLENGE_MS = 1000;
/**
 * Enough where another member has taken up the successor already: it asked the holder as well, and had no answer. Without this a
 * restart would wait for one challenge after the other, as the members hear of it.
 */
const SECOND_CHALLENGE_MS = 250;
/** A server with a duplicate name keeps trying; it is reported no more often than this. */
const TOLD_EVERY_MS = 10_000;

/** Whether this server, or another member, has the name: the connection is to be closed. */
export function isNameTaken(state: MeshState, conn: ConnRow, info: RouteInfo): boolean {
  if (info.name === state.options.name) {
    tellDuplicate(state, conn, info);
    return true;
  }
  const holder = state.peers.get(state.peerByName.get(info.name) ?? "");
  if (holder === undefined || holder.id === info.id) return false;
  challenge(state, holder, conn, info);
  return true;
}

/** A member has told of this server, which it has taken up. */
export function nameSuccessor(state: MeshState, { id, name }: RouteInfo): void {
  const holder = state.peers.get(state.peerByName.get(name) ?? "");
  if (holder !== undefined) holder.successor = id;
}

function challenge(state: MeshState, holder: PeerRow, conn: ConnRow, info: RouteInfo): void {
  if (holder.rival !== undefined && state.nowMs < holder.rival.untilMs) return;
  holder.rival = { info, conn, untilMs: state.nowMs + 2 * CHALLENGE_MS };
  const withinMs = holder.successor === info.id ? SECOND_CHALLENGE_MS : CHALLENGE_MS;
  for (const connId of [...holder.slots, ...holder.accounts.values()]) {
    if (connId !== undefined) state.actions.push({ kind: "challenge", connId, withinMs });
  }
}

export function tellDuplicate(state: MeshState, conn: ConnRow, { id, name, ...info }: RouteInfo): void {
  const told = state.duplicateTold;
  if (told !== undefined && told.name === name && state.nowMs - told.atMs < TOLD_EVERY_MS) return;
  state.duplicateTold = { name, atMs: state.nowMs };
  const address = advertisedAddress({ id, name, ...info }, conn.remoteIp);
  const where = address === undefined ? "" : addressKey(address.host, address.port);
  tell(state, { kind: "duplicateName", name, id, address: where });
}
