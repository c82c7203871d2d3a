/**
 * Where a connection goes, and which of two stays. Pure questions about the tables, nothing is changed here except that a
 * peer's row grows with its pool.
 *
 * Duplicates. A pooling dialler registers a connection first and then says in its INFO which slot it put it in, so a slot
 * named by an accepted connection is no longer anything else on the other side: the newcomer takes over. The exception is
 * that both dialled at once, and this INFO was sent before ours had been read. That can only be if the newcomer was begun
 * before our own dial was confirmed. Unconfirmed: nats-server (2.15) then closes what we dialled, so we give way to it (of
 * two nats-servers both connections are lost, and dialled again); of two shoals what the lower id dialled stays. Confirmed
 * since: the other side has given up the newcomer, and its close is on the way.
 */
import type { ConnRow, MeshState, PeerRow } from "./mesh-state.ts";
import type { CloseReason, ConnId, RouteInfo, RouteSlot } from "./mesh-types.ts";
import { connInSlot } from "./peers.ts";

export type Placement =
  | { readonly kind: "place"; readonly slot: RouteSlot; readonly replaces: ConnRow | undefined }
  | { readonly kind: "refuse"; readonly reason: CloseReason; readonly detail: string };

/** The slot for a connection whose INFO has come, or why it has none. `peer`: undefined if it has no route here yet. */
export function placeConn(
  state: MeshState,
  peer: PeerRow | undefined,
  conn: ConnRow,
  info: RouteInfo,
): Placement {
  if (peer === undefined) return firstPlace(state, conn, info);
  growSlots(state, peer, info);
  return nextPlace(state, peer, conn, info);
}

function firstPlace(state: MeshState, conn: ConnRow, info: RouteInfo): Placement {
  const noPool = state.options.poolSize <= 0 || info.routePoolSize <= 0;
  const account = conn.purpose?.account ?? info.routeAccount;
  if (account !== "") return accountPlace(state, account, noPool, undefined);
  if (noPool || conn.purpose !== undefined) return place({ kind: "pool", index: 0 });
  const size = Math.max(state.options.poolSize, info.routePoolSize);
  if (info.routePoolIdx < 0 || info.routePoolIdx >= size) return invalidIndex(info, size);
  return place({ kind: "pool", index: info.routePoolIdx });
}

function nextPlace(state: MeshState, peer: PeerRow, conn: ConnRow, info: RouteInfo): Placement {
  const account = conn.purpose?.account ?? info.routeAccount;
  if (account !== "") {
    const holder = connRow(state, peer.accounts.get(account));
    const placement = accountPlace(state, account, peer.noPool, holder);
    if (placement.kind === "refuse" || holder === undefined) return placement;
    if (conn.purpose !== undefined || !newcomerWins(state, peer, holder, conn, info)) return duplicate();
    return placement;
  }
  if (conn.purpose !== undefined) {
    const index = peer.slots.indexOf(undefined);
    return index === -1 ? duplicate() : place({ kind: "pool", index });
  }
  const index = peer.noPool ? 0 : info.routePoolIdx;
  if (index < 0 || index >= peer.slots.length) return invalidIndex(info, peer.slots.length);
  const slot: RouteSlot = { kind: "pool", index };
  const holder = connRow(state, connInSlot(peer, slot));
  if (holder === undefined) return place(slot);
  return newcomerWins(state, peer, holder, conn, info) ? place(slot, holder) : duplicate();
}

function accountPlace(
  state: MeshState,
  account: string,
  noPool: boolean,
  replaces: ConnRow | undefined,
): Placement {
  if (noPool || !state.options.pinnedAccounts.includes(account)) {
    const detail = noPool
      ? `Not possible to have a dedicated route for account "${account}" between those servers`
      : `No route for account "${account}"`;
    return { kind: "refuse", reason: "noRouteForAccount", detail };
  }
  return place({ kind: "account", account }, replaces);
}

function place(slot: RouteSlot, replaces?: ConnRow): Placement {
  return { kind: "place", slot, replaces };
}

function duplicate(): Placement {
  return { kind: "refuse", reason: "duplicateRoute", detail: "already connected" };
}

function invalidIndex(info: RouteInfo, size: number): Placement {
  return {
    kind: "refuse",
    reason: "invalidPoolIndex",
    detail: `Invalid route pool index: ${info.routePoolIdx} - pool size is ${size}`,
  };
}

/** Of two connections for one slot: does the accepted newcomer take over from the holder? */
function newcomerWins(
  state: MeshState,
  peer: PeerRow,
  holder: ConnRow,
  newcomer: ConnRow,
  info: RouteInfo,
): boolean {
  const namesSlot = info.routePoolSize > 0 || info.shoal;
  if (!namesSlot) return false;
  if (holder.purpose === undefined) return true;
  if (holder.confirmed) return newcomer.begunOrder > holder.confirmedOrder;
  return !(info.shoal && state.options.id < peer.id);
}

/** A peer that grew its pool keeps its row: more slots, never fewer. */
function growSlots(state: MeshState, peer: PeerRow, info: RouteInfo): void {
  if (peer.noPool) return;
  const size = Math.max(state.options.poolSize, info.routePoolSize);
  while (peer.slots.length < size) peer.slots.push(undefined);
}

function connRow(state: MeshState, connId: ConnId | undefined): ConnRow | undefined {
  return connId === undefined ? undefined : state.conns.get(connId);
}
