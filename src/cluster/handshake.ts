/**
 * A connection's way through the mesh: under way, answered by an INFO, registered or refused, confirmed, gone.
 *
 *     dial ----> handshaking --INFO--> registered --PONG--> confirmed ----> gone
 *     accept --/            \--INFO--> closed (self, duplicate, conflict)
 *
 * An accepted connection is confirmed at once: its dialler registered it before sending its INFO.
 */
import { assert } from "../base/assert.ts";
import { addressAnswered, addressFailed, addressIsSelf, isPowerOfTwo } from "./addresses.ts";
import { addressKey } from "./address.ts";
import { newAlarm } from "./agenda.ts";
import { endDial } from "./dials.ts";
import { announceJoin, hastenGossip, ownGossipMode } from "./gossip.ts";
import {
  tell,
  tellLimit,
  type AddressRow,
  type ConnRow,
  type DialPurpose,
  type MeshState,
  type PeerRow,
} from "./mesh-state.ts";
import type {
  CloseReason,
  ConnId,
  DialErrorKind,
  DialId,
  MeshEvent,
  RouteInfo,
  RouteSlot,
  ServerId,
} from "./mesh-types.ts";
import { placeConn } from "./placement.ts";
import { isNameTaken } from "./rivals.ts";
import {
  addPeer,
  delayLane,
  freeSlot,
  hasRoutes,
  laneConfirmed,
  laneFailed,
  learnAddress,
  lookAtPeer,
  meshSize,
  removePeer,
  takeSlot,
} from "./peers.ts";

/** Servers of another kind with JetStream keep trying; they are reported no more often than this. */
const OTHER_TOLD_EVERY_MS = 30_000;

export function acceptConn(state: MeshState, connId: ConnId, remoteIp: string | undefined): void {
  addConn(state, { id: connId, purpose: undefined, remoteIp, isStranger: false });
}

export function dialConnected(state: MeshState, event: Extract<MeshEvent, { kind: "dialSucceeded" }>): void {
  const dial = state.dials.get(event.dialId);
  if (dial === undefined) {
    state.actions.push({
      kind: "close",
      connId: event.connId,
      reason: "handshakeTimeout",
      detail: "dial called off",
    });
    return;
  }
  endDial(state, event.dialId);
  const { connId: id, remoteIp, isStranger = false } = event;
  addConn(state, { id, purpose: dial.purpose, remoteIp, isStranger });
}

export function dialFailed(state: MeshState, dialId: DialId, error: DialErrorKind, detail: string): void {
  const dial = state.dials.get(dialId);
  if (dial === undefined) return;
  endDial(state, dialId);
  purposeFailed(state, dial.purpose, error, detail);
}

export function callOffDial(state: MeshState, dialId: DialId): void {
  if (!state.dials.has(dialId)) return;
  state.actions.push({ kind: "cancelDial", dialId });
  dialFailed(state, dialId, "timeout", "no answer to the dial");
}

/** The first INFO of the other side. */
export function receiveInfo(state: MeshState, conn: ConnRow, info: RouteInfo): void {
  if (info.id === state.options.id) return meetSelf(state, conn);
  if (!agreeOnClusterName(state, conn, info)) return;
  if (isNameTaken(state, conn, info)) return closeConn(state, conn, "duplicateServerName", info.name);
  if (state.options.keepsStreams && info.hasOtherJetStream === true) return refuseStreams(state, conn, info);
  if (!state.peers.has(info.id) && state.peers.size >= state.options.limits.peersMax) {
    tellLimit(state, "peersMax");
    return closeConn(state, conn, "tooManyConnections", "as many members as may be");
  }
  const known = state.peers.get(info.id);
  const placement = placeConn(state, known, conn, info);
  if (placement.kind === "refuse") {
    if (known !== undefined && placement.reason === "duplicateRoute") answered(state, conn, known);
    return closeConn(state, conn, placement.reason, placement.detail);
  }
  const peer = known ?? addPeer(state, info, conn);
  if (known !== undefined) learnAddress(state, known, conn, info);
  register(state, conn, peer, placement.slot, info);
  if (placement.replaces !== undefined) {
    closeConn(state, placement.replaces, "duplicateRoute", "its slot was taken over");
  }
  if (conn.confirmed) confirmed(state, conn, peer, info);
}

export function confirmConn(state: MeshState, conn: ConnRow): void {
  const peer = conn.route === undefined ? undefined : state.peers.get(conn.route.peerId);
  if (peer === undefined || conn.confirmed) return;
  conn.confirmed = true;
  state.agenda.clear(conn.alarm);
  conn.confirmedOrder = ++state.order;
  peer.unconfirmed--;
  assert(peer.unconfirmed >= 0, "a route is confirmed once");
  confirmed(state, conn, peer, peer.info);
}

/** The time of a connection for its handshake is over. */
export function endHandshake(state: MeshState, conn: ConnRow): void {
  assert(!conn.confirmed, "a confirmed connection has no time to keep");
  closeConn(state, conn, "handshakeTimeout", "no answer within the handshake time");
}

export function closeConn(state: MeshState, conn: ConnRow, reason: CloseReason, detail: string): void {
  state.actions.push({ kind: "close", connId: conn.id, reason, detail });
  dropConn(state, conn, reason);
}

/** Takes a connection that is closed, or about to be, out of all tables, and sees to what it leaves open. */
export function dropConn(state: MeshState, conn: ConnRow, reason: string): void {
  state.conns.delete(conn.id);
  state.agenda.clear(conn.alarm);
  if (conn.route !== undefined) return dropRoute(state, conn, conn.route, reason);
  state.handshakes--;
  assert(state.handshakes >= 0, "a handshake ends once");
  state.arrivals.delete(conn.id);
  if (conn.purpose !== undefined && !conn.purposeMet) {
    purposeFailed(state, conn.purpose, "closed", reason);
  }
}

function dropRoute(
  state: MeshState,
  conn: ConnRow,
  route: NonNullable<ConnRow["route"]>,
  reason: string,
): void {
  const peer = state.peers.get(route.peerId);
  if (peer === undefined) return;
  const account = route.slot.kind === "account" ? route.slot.account : "";
  const gaveWay = reason === ("duplicateRoute" satisfies CloseReason);
  freeSlot(state, peer, route.slot, conn.id);
  if (!conn.confirmed) peer.unconfirmed--;
  assert(peer.unconfirmed >= 0, "a route that was not confirmed ends once");
  if (!conn.confirmed && !gaveWay) {
    const row = addressDialled(state, conn);
    if (row !== undefined) addressFailed(state, row, "closed", reason);
    laneFailed(state, peer, account);
  } else {
    delayLane(state, peer, account, conn.purpose !== undefined && !gaveWay ? "us" : "them");
  }
  if (hasRoutes(peer)) lookAtPeer(state, peer);
  else removePeer(state, peer, reason);
}

type NewConn = Pick<ConnRow, "id" | "purpose" | "remoteIp" | "isStranger">;

function addConn(state: MeshState, begun: NewConn): void {
  const { id } = begun;
  const conn: ConnRow = {
    ...begun,
    purposeMet: false,
    alarm: newAlarm({ kind: "conn", id }),
    route: undefined,
    confirmed: false,
    begunOrder: ++state.order,
    confirmedOrder: 0,
  };
  assert(!state.conns.has(id), "a connection has a number of its own");
  state.conns.set(id, conn);
  state.handshakes++;
  if (state.stopped) return closeConn(state, conn, "serverShutdown", "");
  if (conn.purpose === undefined) takeIn(state, id);
  state.agenda.set(conn.alarm, state.nowMs + state.options.handshakeTimeoutMs);
}

/** The oldest silent connection makes room, so that silent connections cannot lock members out. */
function takeIn(state: MeshState, id: ConnId): void {
  if (state.arrivals.size >= state.options.limits.handshakesMax) {
    const [oldest = id] = state.arrivals;
    const conn = state.conns.get(oldest);
    assert(conn !== undefined, "a handshake belongs to a connection");
    state.crowdedOut++;
    tellLimit(state, "handshakesMax");
    closeConn(state, conn, "tooManyConnections", "made room for a newer connection");
  }
  state.arrivals.add(id);
  assert(state.arrivals.size <= state.options.limits.handshakesMax, "arrivals stay within their bound");
}

function meetSelf(state: MeshState, conn: ConnRow): void {
  const row = addressDialled(state, conn);
  if (row !== undefined) addressIsSelf(state, row);
  settled(state, conn, state.options.id);
  closeConn(state, conn, "routeToSelf", "");
}

/** The dialler's CONNECT names another cluster. */
export function hearClusterName(
  state: MeshState,
  theirs: Extract<MeshEvent, { kind: "clusterNameHeard" }>,
): void {
  if (givesWay(state, theirs)) adoptClusterName(state, theirs, theirs.peerId);
}

/** False: closed. */
function agreeOnClusterName(state: MeshState, conn: ConnRow, info: RouteInfo): boolean {
  const own = state.clusterName;
  if (info.cluster === "" || info.cluster === own) return true;
  if (conn.isStranger || !givesWay(state, info)) {
    tellConflict(state, conn, info.cluster);
    closeConn(state, conn, "clusterNameConflict", info.cluster);
    return false;
  }
  adoptClusterName(state, info, info.id);
  return true;
}

/** Reports a conflict at an address that is dialled repeatedly, at growing intervals. */
function tellConflict(state: MeshState, conn: ConnRow, theirs: string): void {
  const row = addressDialled(state, conn);
  if (row !== undefined && !isPowerOfTwo(row.attempts + 1)) return;
  const peer = row?.key ?? conn.remoteIp ?? "";
  tell(state, { kind: "clusterNameConflict", own: state.clusterName, theirs, peer });
}

/** Its streams and those of this cluster would be agreed on under the same subjects. It comes again each second. */
function refuseStreams(state: MeshState, conn: ConnRow, { id, name }: RouteInfo): void {
  if (state.nowMs - state.otherToldMs >= OTHER_TOLD_EVERY_MS) {
    state.otherToldMs = state.nowMs;
    const address = addressDialled(state, conn)?.key ?? conn.remoteIp ?? "";
    tell(state, { kind: "otherJetStream", name, id, address });
  }
  closeConn(state, conn, "otherJetStream", name);
}

type ClusterNaming = Pick<RouteInfo, "cluster" | "clusterDynamic">;

/** As in nats-server, a dynamic name yields to a configured one, and to a greater dynamic one. */
function givesWay(state: MeshState, theirs: ClusterNaming): boolean {
  if (theirs.cluster === "" || theirs.cluster === state.clusterName) return false;
  return state.clusterNameDynamic && (!theirs.clusterDynamic || state.clusterName < theirs.cluster);
}

/** Every other route ends: the other members adopt the name when the routes are dialled again. */
function adoptClusterName(state: MeshState, theirs: ClusterNaming, from: ServerId): void {
  const { cluster: name, clusterDynamic: isDynamic } = theirs;
  state.clusterName = name;
  state.clusterNameDynamic = isDynamic;
  state.actions.push({ kind: "adoptClusterName", name, isDynamic });
  for (const other of [...state.conns.values()]) {
    if (other.route === undefined || other.route.peerId === from) continue;
    closeConn(state, other, "clusterNameConflict", name);
  }
}

function register(state: MeshState, conn: ConnRow, peer: PeerRow, slot: RouteSlot, info: RouteInfo): void {
  const { purpose } = conn;
  state.handshakes--;
  state.arrivals.delete(conn.id);
  conn.route = { peerId: peer.id, slot };
  conn.confirmed = purpose === undefined;
  takeSlot(state, peer, slot, conn.id);
  answered(state, conn, peer);
  state.actions.push({
    kind: "register",
    connId: conn.id,
    peerId: peer.id,
    peerName: peer.name,
    slot,
    noPool: peer.noPool,
    poolSize: peer.slots.length,
    solicited: peer.solicited,
    routeType: peer.routeType,
    ...(purpose !== undefined && {
      sendInfo: {
        routePoolIdx: slot.kind === "pool" ? slot.index : 0,
        routeAccount: slot.kind === "account" ? slot.account : "",
        gossipMode: ownGossipMode(purpose, info),
      },
    }),
  });
  if (purpose === undefined) {
    state.agenda.clear(conn.alarm);
    delayLane(state, peer, info.routeAccount, "them");
    return;
  }
  peer.unconfirmed++;
  state.agenda.set(conn.alarm, state.nowMs + state.options.handshakeTimeoutMs);
}

/** A dial has led to this peer: what it was for is settled, and the peer's routes count as solicited from now on. */
function answered(state: MeshState, conn: ConnRow, peer: PeerRow): void {
  const { purpose } = conn;
  if (purpose === undefined) return;
  settled(state, conn, peer.id);
  const row = addressDialled(state, conn);
  if (row !== undefined) addressAnswered(state, row, peer.id);
  const explicit = purpose.origin === "explicit";
  if (peer.solicited && (!explicit || peer.routeType === "explicit")) return;
  peer.solicited = true;
  if (explicit) peer.routeType = "explicit";
  for (const connId of [...peer.slots, ...peer.accounts.values()]) {
    if (connId === undefined || connId === conn.id) continue;
    state.actions.push({ kind: "upgrade", connId, address: purpose.address, routeType: peer.routeType });
  }
}

/** The other side has registered the route as well. */
function confirmed(state: MeshState, conn: ConnRow, peer: PeerRow, info: RouteInfo): void {
  const { purpose, route } = conn;
  if (purpose !== undefined) {
    const row = addressDialled(state, conn);
    if (row !== undefined) row.attempts = 0;
    laneConfirmed(state, peer, route?.slot.kind === "account" ? route.slot.account : "");
  }
  if (!peer.joined) {
    peer.joined = true;
    peer.joinedMs = state.nowMs;
    state.joined++;
    const address =
      peer.advertised === undefined ? "" : addressKey(peer.advertised.host, peer.advertised.port);
    tell(state, { kind: "peerJoined", id: peer.id, name: peer.name, address, size: meshSize(state) });
    announceJoin(state, peer, conn, info);
    hastenGossip(state);
  }
  lookAtPeer(state, peer);
}

/**
 * It is known who answered: what becomes of the connection no longer counts as a failure of the dial, except that a dial
 * for a further route to a peer has failed if somebody else answered.
 */
function settled(state: MeshState, conn: ConnRow, answeredBy: ServerId): void {
  const { purpose } = conn;
  conn.purposeMet = true;
  const peer = purpose?.peerId === undefined ? undefined : state.peers.get(purpose.peerId);
  if (purpose === undefined || peer === undefined) return;
  if (peer.id !== answeredBy) return laneFailed(state, peer, purpose.account);
  const lane = peer.lanes.get(purpose.account);
  if (lane !== undefined) lane.busy = false;
}

function purposeFailed(
  state: MeshState,
  purpose: DialPurpose,
  error: DialErrorKind | "closed",
  detail: string,
): void {
  if (purpose.key !== undefined) {
    const row = state.addresses.get(purpose.key);
    if (row !== undefined) addressFailed(state, row, error, detail);
  }
  if (purpose.peerId !== undefined) {
    const peer = state.peers.get(purpose.peerId);
    if (peer !== undefined) laneFailed(state, peer, purpose.account);
  }
}

function addressDialled(state: MeshState, conn: ConnRow): AddressRow | undefined {
  return conn.purpose?.key === undefined ? undefined : state.addresses.get(conn.purpose.key);
}
