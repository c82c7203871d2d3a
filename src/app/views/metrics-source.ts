/** Looks at the server for metrics: all of it at once, in one pass over the connections. */
import { systemClock } from "../../base/clock.ts";
import type { AccountLook, ClusterLook, Look, TrafficLook } from "../../metrics/metrics.ts";
import type { Endpoints } from "../../monitor/endpoints.ts";
import { registeredRoutes } from "../../monitor/routez.ts";
import { interestFigures } from "../../monitor/subsz.ts";
import { NATS_LEVEL } from "../../protocol/info.ts";
import type { ClusterPort } from "../../ports/cluster/cluster-port.ts";
import { jetStreamLook } from "./jetstream-look.ts";
import { openFiles } from "../process/open-files.ts";
import type { Rooms } from "../rooms.ts";
import { add, noLoss, nothing } from "../../links/trunk/traffic.ts";
import { VERSION } from "../process/version.ts";

/** The rooms that metrics read. */
export type MeasuredRooms = Pick<
  Rooms,
  | "accounts"
  | "clients"
  | "cluster"
  | "faults"
  | "identity"
  | "inForce"
  | "jetStream"
  | "life"
  | "logLinesLost"
  | "monitor"
  | "readiness"
  | "reloadRecord"
  | "startedMs"
  | "system"
  | "tls"
  | "leafNodes"
  | "webSocket"
>;

export function lookAt(rooms: MeasuredRooms, endpoints: Endpoints): Look {
  const nowMs = systemClock.nowMs();
  const { cluster, clients } = rooms;
  const jetStream = rooms.jetStream.current;
  const { isReady, causes } = rooms.readiness.judge();
  return {
    nowMs,
    serverId: rooms.identity.id,
    serverName: rooms.identity.name,
    clusterName: cluster?.clusterName ?? "",
    natsVersion: NATS_LEVEL,
    version: VERSION,
    startedMs: rooms.startedMs,
    varz: endpoints.varz(),
    subsz: interestFigures(Array.from(rooms.accounts, (account) => account.interest.snapshot())),
    health: rooms.life.state === "ready" ? "ok" : "error",
    readiness: { isReady, reasons: causes.map((cause) => cause.replaceAll(" ", "_")) },
    config: { ...rooms.inForce.current, ...rooms.reloadRecord.current },
    losses: {
      systemEvents: rooms.system.current?.service?.events.lost ?? 0,
      systemRequests: rooms.system.current?.service?.requestsDropped ?? 0,
      logLines: rooms.logLinesLost(),
      faults: rooms.faults.count,
    },
    webSocket:
      rooms.webSocket === null ? null : { ...rooms.webSocket.counters, open: clients.webSocketCount },
    crowdedOut: {
      client: clients.crowdedOut,
      clientTls: clients.handshakes.crowdedOut,
      route: cluster?.snapshot()?.handshakesCrowdedOut ?? 0,
      routeTls: cluster?.network.crowdedOut ?? 0,
      webSocketTls: rooms.webSocket?.handshakes.crowdedOut ?? 0,
      monitor: rooms.monitor.current?.crowdedOut() ?? 0,
    },
    clients: {
      connects: clients.totalConnections,
      authFailures: clients.counters.authFailures,
      ...openClients(rooms),
    },
    accounts: accountLooks(rooms),
    cluster: cluster === null ? null : clusterLook(cluster, nowMs),
    jetStream: jetStream === null ? null : jetStreamLook(jetStream.source),
    discovery: cluster?.discovery ?? [],
    certificates: rooms.tls.certificates,
    openFiles: openFiles(),
  };
}

function openClients({ clients: { sessions } }: MeasuredRooms): {
  open: number;
  subscriptions: number;
  traffic: TrafficLook;
  pendingBytes: number[];
} {
  const traffic = nothing();
  const pendingBytes: number[] = [];
  let subscriptions = 0;
  for (const session of sessions.values()) {
    add(traffic, session);
    pendingBytes.push(session.outbox.pendingBytes);
    subscriptions += session.subscriptions.size;
  }
  return { open: sessions.size, subscriptions, traffic, pendingBytes };
}

/** In the order of the configuration, which keeps their figures apart from those of others however many there are. */
function accountLooks({ accounts, clients, cluster, leafNodes }: MeasuredRooms): AccountLook[] {
  const ofClients = clients.traffic.byAccount();
  const ofRoutes = cluster?.traffic.byAccount();
  const ofLeafNodes = leafNodes.traffic.byAccount();
  return Array.from(accounts, ({ name, nameTag, connections, leafnodes, interest }) => {
    const own = ofClients.get(name) ?? { ...nothing(), ...noLoss() };
    const routed = ofRoutes?.get(name);
    const traffic = { ...own };
    if (routed !== undefined) add(traffic, routed);
    const ofLeaves = ofLeafNodes.get(name);
    if (ofLeaves !== undefined) add(traffic, ofLeaves);
    return {
      ...{ ...traffic, name, tag: nameTag || name, leafNodes: leafnodes },
      connections: connections - leafnodes,
      subscriptions: interest.size,
    };
  });
}

function clusterLook(cluster: ClusterPort, nowMs: number): ClusterLook {
  const { record } = cluster;
  const mesh = cluster.snapshot();
  return {
    routes: registeredRoutes(cluster).length,
    peers: cluster.peers.snapshot(),
    wanted: (mesh?.size.wanted ?? 1) - 1,
    connected: (mesh?.size.connected ?? 1) - 1,
    isComplete: mesh?.complete ?? false,
    completionMs: record.completionMs,
    incompleteMs: record.incompleteMs(nowMs),
    changes: record.changes,
    dials: record.dials,
  };
}
