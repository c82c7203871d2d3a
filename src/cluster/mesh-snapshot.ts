/** The state of the mesh at one moment, for monitoring, readiness and tests. */
import type { AddressRow, MeshState, PeerRow } from "./mesh-state.ts";
import type { AddressSnapshot, AddressState, MeshSnapshot, PeerSnapshot } from "./mesh-types.ts";
import { addressKey } from "./address.ts";
import { leadsSomewhere } from "./addresses.ts";
import { meshSize } from "./peers.ts";

export function meshSnapshot(state: MeshState, nowMs: number): MeshSnapshot {
  const dialling = new Set([...state.dials.values()].map((dial) => dial.purpose.key));
  return {
    size: meshSize(state),
    complete: isComplete(state),
    peers: [...state.peers.values()].filter((peer) => peer.joined).map(peerSnapshot),
    addresses: [...state.addresses.values()].map((row) => addressSnapshot(state, row, dialling, nowMs)),
    dialsInFlight: state.dials.size,
    dialsWaiting: state.lines.size,
    alarms: state.agenda.size,
    handshakesOpen: state.handshakes,
    handshakesCrowdedOut: state.crowdedOut,
    gossipDropped: state.gossipDropped,
  };
}

export function isComplete(state: MeshState): boolean {
  return state.open.size === 0 && state.partial.size === 0 && state.joined === state.peers.size;
}

function peerSnapshot(peer: PeerRow): PeerSnapshot {
  const { id, name, noPool, solicited, routeType, joinedMs, advertised } = peer;
  return {
    id,
    name,
    address: advertised === undefined ? "" : addressKey(advertised.host, advertised.port),
    noPool,
    shoal: peer.info.shoal,
    solicited,
    routeType,
    joinedMs,
    slots: [...peer.slots],
    accounts: [...peer.lanes.keys()]
      .filter((account) => account !== "")
      .map((account) => ({ account, connId: peer.accounts.get(account) })),
  };
}

function addressSnapshot(
  state: MeshState,
  row: AddressRow,
  dialling: ReadonlySet<string | undefined>,
  nowMs: number,
): AddressSnapshot {
  const at = addressState(state, row, dialling, nowMs);
  return {
    address: row.key,
    state: at,
    wantedBy: row.sources.size > 0 ? [...row.sources.keys()] : ["gossip"],
    attempts: row.attempts,
    ...(row.leadsTo !== undefined && { leadsTo: row.leadsTo }),
    ...(row.lastError !== undefined && { lastError: row.lastError }),
    ...((at === "waiting" || at === "absent") && { nextDialMs: Math.max(nowMs, row.nextDialMs) }),
  };
}

function addressState(
  state: MeshState,
  row: AddressRow,
  dialling: ReadonlySet<string | undefined>,
  nowMs: number,
): AddressState {
  if (row.isSelf) return "self";
  if (leadsSomewhere(state, row)) return "connected";
  if (nowMs < row.absentUntilMs) return "absent";
  if (row.busy) return dialling.has(row.key) ? "dialing" : "handshaking";
  return "waiting";
}
