/**
 * The mesh: continuously reconciles the wanted connections with the actual ones. Every member keeps its full set of routes to
 * every other; addresses come from sources (configured, discovered) and from gossip.
 *
 * Pure: `step` takes what happened and the time, returns what to do. No I/O, no timers; randomness is handed in. This file
 * only hands events to the files that decide: addresses.ts (where to dial), handshake.ts (what becomes of a connection), peers.ts
 * (slots and duplicates), gossip.ts (who is told), probe.ts (who else may be there). docs/clustering.md has the picture.
 */
import type { Random } from "../base/random.ts";
import { changeSource, lookAtAddress } from "./addresses.ts";
import type { Due } from "./agenda.ts";
import { challengeOver } from "./challenge.ts";
import { dropGossip, gossipRound, hearOf, scheduleGossip } from "./gossip.ts";
import {
  acceptConn,
  callOffDial,
  endHandshake,
  closeConn,
  confirmConn,
  dialConnected,
  dialFailed,
  dropConn,
  hearClusterName,
  receiveInfo,
} from "./handshake.ts";
import { serveLines } from "./dials.ts";
import { isComplete, meshSnapshot } from "./mesh-snapshot.ts";
import { createMeshState, tell, type ConnRow, type MeshState } from "./mesh-state.ts";
import type { Mesh, MeshEvent, MeshOptions } from "./mesh-types.ts";
import { lookAtPeer, meshSize, peerLeaves } from "./peers.ts";
import { probeRound, scheduleProbe } from "./probe.ts";

export function createMesh(options: MeshOptions, random: Random, startMs: number): Mesh {
  const state = createMeshState(options, random, startMs);
  scheduleGossip(state);
  scheduleProbe(state);
  return {
    step(event, nowMs) {
      state.actions = [];
      state.nowMs = nowMs;
      apply(state, event);
      for (let due = state.agenda.takeDue(nowMs); due !== undefined; due = state.agenda.takeDue(nowMs)) {
        doDue(state, due);
      }
      if (!state.stopped) serveLines(state, (due) => doDue(state, due));
      noticeCompletion(state);
      return state.actions;
    },
    nextWakeMs: () => (state.stopped ? undefined : state.agenda.nextMs()),
    isComplete: () => isComplete(state),
    size: () => meshSize(state),
    snapshot: (nowMs) => meshSnapshot(state, nowMs),
  };
}

function apply(state: MeshState, event: MeshEvent): void {
  switch (event.kind) {
    case "sourceChanged":
      return changeSource(state, event);
    case "dialSucceeded":
      return dialConnected(state, event);
    case "dialFailed":
      return dialFailed(state, event.dialId, event.error, event.detail);
    case "connAccepted":
      return acceptConn(state, event.connId, event.remoteIp);
    case "stopped":
      return stop(state);
    case "gossipDropped":
      return dropGossip(state);
    case "tick":
      return;
    case "clusterNameHeard":
    case "handshakeInfo":
    case "routeConfirmed":
    case "peerLeaving":
    case "challengeOver":
    case "routeClosed":
    case "gossipReceived":
      return applyToConn(state, event);
  }
}

/** Ignores events about connections that the mesh has closed already. */
function applyToConn(
  state: MeshState,
  event: Extract<
    MeshEvent,
    {
      kind:
        | "clusterNameHeard"
        | "handshakeInfo"
        | "routeConfirmed"
        | "peerLeaving"
        | "challengeOver"
        | "routeClosed"
        | "gossipReceived";
    }
  >,
): void {
  const conn = state.conns.get(event.connId);
  if (conn === undefined) return;
  switch (event.kind) {
    case "clusterNameHeard":
      return hearClusterName(state, event);
    case "handshakeInfo":
      if (conn.route === undefined) receiveInfo(state, conn, event.info);
      return;
    case "routeConfirmed":
      return confirmConn(state, conn);
    case "peerLeaving":
      return hearGoodBye(state, conn);
    case "challengeOver":
      return challengeOver(state, conn, event);
    case "routeClosed":
      return dropConn(state, conn, event.reason);
    case "gossipReceived":
      if (conn.route !== undefined && !conn.isStranger) hearOf(state, event.info);
      return;
  }
}

function hearGoodBye(state: MeshState, conn: ConnRow): void {
  const peer = conn.route === undefined ? undefined : state.peers.get(conn.route.peerId);
  if (peer !== undefined) peerLeaves(state, peer);
}

function doDue(state: MeshState, due: Due): void {
  if (state.stopped) return;
  switch (due.kind) {
    case "address": {
      const row = state.addresses.get(due.key);
      if (row !== undefined) lookAtAddress(state, row);
      return;
    }
    case "peer": {
      const peer = state.peers.get(due.id);
      if (peer !== undefined) lookAtPeer(state, peer);
      return;
    }
    case "conn": {
      const conn = state.conns.get(due.id);
      if (conn !== undefined) endHandshake(state, conn);
      return;
    }
    case "dial":
      return callOffDial(state, due.id);
    case "gossip":
      return gossipRound(state);
    case "probe":
      return probeRound(state);
    case "dialPace":
      return; // the lines are served after each step
  }
}

function stop(state: MeshState): void {
  state.stopped = true;
  for (const dialId of state.dials.keys()) state.actions.push({ kind: "cancelDial", dialId });
  state.dials.clear();
  for (const conn of [...state.conns.values()]) closeConn(state, conn, "serverShutdown", "");
}

function noticeCompletion(state: MeshState): void {
  const complete = isComplete(state);
  if (complete && !state.complete && state.joined > 0)
    tell(state, { kind: "meshComplete", size: meshSize(state) });
  state.complete = complete;
}
