/**
 * Gossip: which servers are announced to which, and how received announcements are used.
 *
 * A join is told in nats-server's way (2.15): the others learn of the newcomer, with a gossip mode that says whether the
 * dial it causes shall be told on (2), shall not (1), or as usual (0). Beyond that a newcomer that is a shoal learns of the
 * others, and every now and then one random shoal is told some of the members, so that no lost announcement and no long
 * cut between two members keeps them apart indefinitely. A nats-server is never told more than its own kind would tell it,
 * because both sides dialling at once costs nats-servers both connections.
 *
 * Bounds: `gossipPerSecondMax` received (more is dropped and counted), GOSSIP_BATCH told per round.
 */
import { randomInt } from "../base/random.ts";
import { advertisedAddress, routeUrl } from "./address.ts";
import { hasRoomForGossip, implicitDelayMs, vouchAddress } from "./addresses.ts";
import { tellLimit, type ConnRow, type DialPurpose, type MeshState, type PeerRow } from "./mesh-state.ts";
import type { ConnId, GossipMode, RouteInfo } from "./mesh-types.ts";
import { nameSuccessor } from "./rivals.ts";

const GOSSIP_BATCH = 16;
/** How many times as often rounds come right after a join, slowing down to the usual from there. */
const GOSSIP_HASTE = 4;

/** At the first confirmed route of `peer`: announces it to the others, and the others to it. */
export function announceJoin(state: MeshState, peer: PeerRow, conn: ConnRow, info: RouteInfo): void {
  if (!mayTellOn(conn, info)) return;
  const address = peer.advertised;
  const newcomerConn = anyRoute(peer);
  const told: Record<GossipMode, ConnId[]> = { 0: [], 1: [], 2: [] };
  for (const other of state.peers.values()) {
    const otherConn = anyRoute(other);
    if (other === peer || !other.joined || otherConn === undefined) continue;
    const mode = modeFor(conn, other);
    told[mode].push(otherConn);
    if (peer.info.shoal && newcomerConn !== undefined) announce(state, other, [newcomerConn], mode);
  }
  if (address === undefined) return;
  for (const mode of [0, 1, 2] as const) {
    if (told[mode].length > 0) announce(state, peer, told[mode], mode);
  }
}

/** A connected server announces another one. */
export function hearOf(state: MeshState, info: RouteInfo): void {
  if (!withinRate(state)) return;
  if (info.id === state.options.id || (state.superseded.get(info.id) ?? 0) > state.nowMs) return;
  if (info.id === "" || state.peers.has(info.id)) return;
  nameSuccessor(state, info);
  const address = advertisedAddress(info, undefined);
  if (address === undefined || !hasRoomForGossip(state, address)) return;
  const delayMs = state.options.id < info.id ? 0 : implicitDelayMs(state);
  vouchAddress(state, address, info.id, { delayMs, gossipMode: info.gossipMode });
}

/** Announces some of the members to one random shoal, and schedules the next round. */
export function gossipRound(state: MeshState): void {
  const joined = [...state.peers.values()].filter((peer) => peer.joined);
  const listeners = joined.filter((peer) => peer.info.shoal);
  const listener = listeners[randomInt(state.random, listeners.length)];
  const conn = listener === undefined ? undefined : anyRoute(listener);
  if (listener !== undefined && conn !== undefined) {
    const start = randomInt(state.random, joined.length);
    for (let i = 0; i < Math.min(GOSSIP_BATCH, joined.length); i++) {
      const subject = joined[(start + i) % joined.length] as PeerRow;
      if (subject !== listener) announce(state, subject, [conn], 0);
    }
  }
  state.gossipDelayMs = Math.min(state.gossipDelayMs * 1.5, state.options.gossipIntervalMs);
  scheduleGossip(state);
}

/** A member came: what has been missed by someone is most likely missed now. */
export function hastenGossip(state: MeshState): void {
  state.gossipDelayMs = state.options.gossipIntervalMs / GOSSIP_HASTE;
  if (state.gossipAlarm.atMs > state.nowMs + state.gossipDelayMs) scheduleGossip(state);
}

export function scheduleGossip(state: MeshState): void {
  if (state.options.gossipIntervalMs <= 0) return;
  state.agenda.set(state.gossipAlarm, state.nowMs + state.gossipDelayMs * (0.5 + state.random.next()));
}

function announce(
  state: MeshState,
  about: PeerRow,
  connIds: readonly ConnId[],
  gossipMode: GossipMode,
): void {
  if (about.advertised === undefined) return;
  state.actions.push({
    kind: "announce",
    connIds,
    info: about.info,
    ip: routeUrl(about.advertised),
    gossipMode,
  });
}

/**
 * The gossip mode to dial with, once the acceptor's INFO is there. Where everybody discovers everybody, telling each other
 * as well would cost n^3 announcements, so shoals that discovered each other do not; the rounds make up for a discovery
 * that does not show all.
 */
export function ownGossipMode(purpose: DialPurpose, info: RouteInfo): GossipMode {
  return purpose.origin === "discovered" && info.shoal ? 1 : purpose.gossipMode;
}

/** nats-server: what came of gossip is not told on unless told to, nor is a newcomer that says so. */
function mayTellOn(conn: ConnRow, info: RouteInfo): boolean {
  const { purpose } = conn;
  if (purpose === undefined) return info.gossipMode !== 1;
  if (purpose.origin === "gossiped") return purpose.gossipMode === 2;
  return ownGossipMode(purpose, info) !== 1;
}

function modeFor(newcomer: ConnRow, other: PeerRow): GossipMode {
  const { purpose } = newcomer;
  if (purpose !== undefined) return purpose.origin === "explicit" ? 2 : 0;
  return other.routeType === "explicit" ? 2 : 1;
}

function anyRoute(peer: PeerRow): ConnId | undefined {
  return peer.slots.find((connId) => connId !== undefined) ?? peer.accounts.values().next().value;
}

function withinRate(state: MeshState): boolean {
  const second = Math.floor(state.nowMs / 1000);
  if (second !== state.gossipSecond) {
    state.gossipSecond = second;
    state.gossipInSecond = 0;
  }
  if (++state.gossipInSecond <= state.options.limits.gossipPerSecondMax) return true;
  dropGossip(state);
  return false;
}

export function dropGossip(state: MeshState): void {
  state.gossipDropped++;
  tellLimit(state, "gossipPerSecondMax");
}
