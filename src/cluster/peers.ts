/**
 * Connected peers: their slots, and the dials that fill what is empty. Which connection gets which slot: placement.ts.
 * A peer's row lives while at least one of its routes is registered.
 */
import { assert } from "../base/assert.ts";
import { backoffDelayMs, type BackoffOptions } from "../base/backoff.ts";
import { addressKey, advertisedAddress } from "./address.ts";
import { addressLeft, addressLostPeer, REDIAL_JITTER_MS, vouchAddress } from "./addresses.ts";
import { newAlarm } from "./agenda.ts";
import { startDial } from "./dials.ts";
import {
  jitterMs,
  tell,
  type AddressRow,
  type ConnRow,
  type Lane,
  type MeshState,
  type PeerRow,
} from "./mesh-state.ts";
import type { ConnId, MeshSize, PeerAddress, RouteInfo, RouteSlot, ServerId } from "./mesh-types.ts";

/** The side that dialled a peer fills the pool; the other side helps only if the pool is not full after this time. */
const FILL_PATIENCE_MS = 1000;
/** For a further route to a connected peer; a pinned account may be unknown there, which only a reload changes. */
const LANE_BACKOFF: BackoffOptions = { baseMs: 100, maxMs: 10_000, factor: 2, jitter: 0.5 };

export function addPeer(state: MeshState, info: RouteInfo, conn: ConnRow): PeerRow {
  const noPool = state.options.poolSize <= 0 || info.routePoolSize <= 0;
  const peer: PeerRow = {
    id: info.id,
    alarm: newAlarm({ kind: "peer", id: info.id }),
    name: info.name,
    info,
    advertised: undefined,
    rival: undefined,
    successor: undefined,
    isLeaving: false,
    isStranger: true,
    noPool,
    slots: noPool ? [undefined] : emptySlots(Math.max(state.options.poolSize, info.routePoolSize)),
    accounts: new Map(),
    lanes: new Map(),
    unconfirmed: 0,
    solicited: false,
    routeType: "implicit",
    joined: false,
    joinedMs: state.nowMs,
  };
  for (const account of noPool ? [""] : ["", ...state.options.pinnedAccounts]) {
    peer.lanes.set(account, {
      account,
      busy: false,
      attempts: 0,
      nextDialMs: state.nowMs + FILL_PATIENCE_MS,
      restsUntilMs: state.nowMs,
    });
  }
  assert(!state.peers.has(peer.id), "a peer is added once");
  state.peers.set(peer.id, peer);
  if (peer.name !== "") state.peerByName.set(peer.name, peer.id);
  for (const key of state.leading.get(peer.id) ?? []) state.open.delete(key);
  learnAddress(state, peer, conn, info);
  return peer;
}

/**
 * Where the peer can be dialled, and with the cluster's own credentials: where it says, unless it is a stranger, who might name
 * anybody's address. Then it is the address at which it was dialled.
 */
export function learnAddress(state: MeshState, peer: PeerRow, conn: ConnRow, info: RouteInfo): void {
  if (!peer.isStranger) return;
  peer.isStranger = conn.isStranger;
  peer.advertised = conn.isStranger ? conn.purpose?.address : advertisedAddress(info, conn.remoteIp);
  if (peer.advertised !== undefined && !conn.isStranger) adoptAdvertised(state, peer, peer.advertised);
}

/** The advertised address leads to the peer, unless another connected peer is known to be there. */
function adoptAdvertised(state: MeshState, peer: PeerRow, address: PeerAddress): void {
  const leadsTo = state.addresses.get(addressKey(address.host, address.port))?.leadsTo;
  if (leadsTo !== undefined && leadsTo !== peer.id && state.peers.has(leadsTo)) return;
  // A nats-server that was lost and joins again is unknown to servers that joined meanwhile. Shoals learn of it by rounds of gossip.
  vouchAddress(state, address, peer.id, { delayMs: 0, gossipMode: peer.info.shoal ? 0 : 2 });
}

export function removePeer(state: MeshState, peer: PeerRow, reason: string): void {
  assert(!hasRoutes(peer), "a peer is removed once its last route is gone");
  state.peers.delete(peer.id);
  state.agenda.clear(peer.alarm);
  state.lines.leave(peer.alarm.due);
  state.partial.delete(peer.id);
  if (state.peerByName.get(peer.name) === peer.id) state.peerByName.delete(peer.name);
  if (peer.joined) {
    state.joined--;
    assert(state.joined >= 0, "a peer that joined leaves once");
    state.probeDelayMs = state.options.probeMinMs;
    if (peer.isLeaving) supersede(state, peer.id);
    // Nobody leaves because this server does.
    if (!state.stopped)
      tell(state, { kind: "peerLeft", id: peer.id, name: peer.name, reason, size: meshSize(state) });
  }
  for (const key of [...(state.leading.get(peer.id) ?? [])]) {
    const row = state.addresses.get(key);
    if (row !== undefined && peer.isLeaving && peer.joined) addressLeft(state, row);
    else if (row !== undefined) addressLostPeer(state, row, peer.joined ? "joined" : "not joined");
  }
}

/** The peer is about to go: what it lacks is not dialled any more, and nobody waits for it. */
export function peerLeaves(state: MeshState, peer: PeerRow): void {
  peer.isLeaving = true;
  state.agenda.clear(peer.alarm);
  state.lines.leave(peer.alarm.due);
  markPartial(state, peer);
}

/** What members that have not noticed yet tell of a server that is gone is not believed. */
export function supersede(state: MeshState, id: ServerId): void {
  state.superseded.delete(id);
  if (state.superseded.size >= state.options.limits.peersMax) {
    const oldest = state.superseded.keys().next();
    if (!oldest.done) state.superseded.delete(oldest.value);
  }
  state.superseded.set(id, state.nowMs + state.options.giveUpAfterMs);
  assert(state.superseded.size <= state.options.limits.peersMax, "superseded ids stay within their bound");
}

export function connInSlot(peer: PeerRow, slot: RouteSlot): ConnId | undefined {
  return slot.kind === "pool" ? peer.slots[slot.index] : peer.accounts.get(slot.account);
}

export function takeSlot(state: MeshState, peer: PeerRow, slot: RouteSlot, connId: ConnId): void {
  if (slot.kind === "account") peer.accounts.set(slot.account, connId);
  else {
    assert(slot.index < peer.slots.length, "a pool slot exists");
    peer.slots[slot.index] = connId;
  }
  markPartial(state, peer);
}

export function freeSlot(state: MeshState, peer: PeerRow, slot: RouteSlot, connId: ConnId): void {
  if (connInSlot(peer, slot) !== connId) return;
  if (slot.kind === "account") peer.accounts.delete(slot.account);
  else peer.slots[slot.index] = undefined;
  markPartial(state, peer);
}

export function hasRoutes(peer: PeerRow): boolean {
  return peer.accounts.size > 0 || peer.slots.some((connId) => connId !== undefined);
}

/** Dials what the peer lacks and what is due. */
export function lookAtPeer(state: MeshState, peer: PeerRow): void {
  if (state.stopped || !peer.joined || peer.unconfirmed > 0 || peer.isLeaving) return;
  let wakeMs = Number.POSITIVE_INFINITY;
  for (const lane of peer.lanes.values()) {
    if (lane.busy || !lacks(peer, lane)) continue;
    if (lane.nextDialMs > state.nowMs) wakeMs = Math.min(wakeMs, lane.nextDialMs);
    else if (!hasAddress(state, peer)) wakeMs = Math.min(wakeMs, state.nowMs + LANE_BACKOFF.maxMs);
    else if (!dialLane(state, peer, lane)) state.lines.enter(peer.alarm.due, "lanes");
  }
  state.agenda.set(peer.alarm, wakeMs);
}

/** A route of this peer was lost or accepted, others remain: who dialled it sees to it, else the other side goes first. */
export function delayLane(state: MeshState, peer: PeerRow, account: string, dialledBy: "us" | "them"): void {
  const lane = peer.lanes.get(account);
  if (lane === undefined || lane.attempts > 0) return;
  const delayMs =
    dialledBy === "us"
      ? jitterMs(state, REDIAL_JITTER_MS)
      : FILL_PATIENCE_MS + jitterMs(state, FILL_PATIENCE_MS);
  lane.nextDialMs = state.nowMs + delayMs;
  if (dialledBy === "us") lane.restsUntilMs = lane.nextDialMs;
}

/** A dialled route stands: the next one may follow at once, and so may those that have not been tried yet. */
export function laneConfirmed(state: MeshState, peer: PeerRow, account: string): void {
  for (const lane of peer.lanes.values()) {
    if (lane.account === account) lane.attempts = 0;
    if (lane.attempts === 0) lane.nextDialMs = Math.max(state.nowMs, lane.restsUntilMs);
  }
}

export function laneFailed(state: MeshState, peer: PeerRow, account: string): void {
  const lane = peer.lanes.get(account);
  if (lane === undefined) return;
  lane.busy = false;
  lane.attempts++;
  lane.nextDialMs = state.nowMs + backoffDelayMs(LANE_BACKOFF, lane.attempts, state.random);
  lookAtPeer(state, peer);
}

export function meshSize(state: MeshState): MeshSize {
  return { connected: 1 + state.joined, wanted: 1 + state.peers.size + state.open.servers };
}

function markPartial(state: MeshState, peer: PeerRow): void {
  if (peer.slots.includes(undefined) && !peer.isLeaving) state.partial.add(peer.id);
  else state.partial.delete(peer.id);
}

function lacks(peer: PeerRow, lane: Lane): boolean {
  return lane.account === "" ? peer.slots.includes(undefined) : !peer.accounts.has(lane.account);
}

function hasAddress(state: MeshState, peer: PeerRow): boolean {
  return peer.advertised !== undefined || state.leading.has(peer.id);
}

/** False: there is no room for a dial now. */
function dialLane(state: MeshState, peer: PeerRow, lane: Lane): boolean {
  const row = addressToFill(state, peer, lane.attempts);
  const address = row?.address ?? peer.advertised;
  assert(address !== undefined, "a peer without an address is not dialled");
  const origin = row?.origin ?? "gossiped";
  const purpose = {
    address,
    origin,
    account: lane.account,
    gossipMode: 1,
    key: undefined,
    peerId: peer.id,
  } as const;
  assert(!lane.busy, "a lane has one dial at a time");
  if (!startDial(state, purpose)) return false;
  lane.busy = true;
  return true;
}

/** The peer's own address first, listed ones before others; a failed try moves on to the next. */
function addressToFill(state: MeshState, peer: PeerRow, attempts: number): AddressRow | undefined {
  const own = peer.advertised === undefined ? "" : addressKey(peer.advertised.host, peer.advertised.port);
  const rank = (row: AddressRow): number => (row.key === own ? 0 : 2) + (row.sources.size > 0 ? 0 : 1);
  const keys = [...(state.leading.get(peer.id) ?? [])];
  const rows = keys.map((key) => state.addresses.get(key)).filter((row) => row !== undefined);
  rows.sort((a, b) => rank(a) - rank(b));
  return rows[attempts % Math.max(1, rows.length)];
}

function emptySlots(size: number): undefined[] {
  return new Array<undefined>(size).fill(undefined);
}
