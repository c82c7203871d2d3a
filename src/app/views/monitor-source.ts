/** Shows the server to the room monitor, for its HTTP port and for the system account. */
import { systemClock } from "../../base/clock.ts";
import type { ClosedConnection } from "../../monitor/closed-connections.ts";
import type {
  ClusterFacts,
  ClusterView,
  LeafBlockFacts,
  MonitorSource,
  ServerFacts,
  TlsFacts,
  WebSocketFacts,
} from "../../monitor/source.ts";
import { NATS_LEVEL } from "../../protocol/info.ts";
import type { TlsTerms } from "../../transport/tls.ts";
import type { Rooms } from "../rooms.ts";
import { VERSION } from "../process/version.ts";
import { hostPort } from "../../base/host-port.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";
import { withVersion } from "../../protocol/json/metadata.ts";

/** The rooms that monitoring reads on request. */
export type MonitoredRooms = Pick<
  Rooms,
  | "accounts"
  | "clients"
  | "cluster"
  | "events"
  | "identity"
  | "inForce"
  | "jetStream"
  | "leafNodes"
  | "life"
  | "listening"
  | "monitor"
  | "operator"
  | "readiness"
  | "self"
  | "startedMs"
  | "tls"
  | "users"
>;

export function monitorSource(
  rooms: MonitoredRooms,
  closed: Iterable<ClosedConnection>,
  view: ClusterView,
): MonitorSource {
  return {
    nowMs: () => systemClock.nowMs(),
    whyNotReady: () => whyNotReady(rooms),
    readiness: (expect, streamsRule) => rooms.readiness.judge(expect, streamsRule),
    facts: () => serverFacts(rooms),
    connectUrls: () => rooms.self.connectUrls(),
    webSocketUrls: () => rooms.self.connectUrls("websocket"),
    webSocketFacts: () => webSocketFacts(rooms),
    accounts: rooms.accounts,
    signed: (account) => rooms.operator?.book.current(account) ?? null,
    tokens: rooms.operator?.resolver ?? null,
    clients: rooms.clients,
    closed,
    cluster: rooms.cluster,
    leafNodes: rooms.leafNodes,
    leafFacts: () => leafFacts(rooms),
    unconnectedRemotes: () => unconnectedRemotes(rooms),
    jetStream: () => rooms.jetStream.current?.source ?? null,
    showsMessages: () => rooms.inForce.current.config.monitor.showsMessages,
    clusterFacts: () => clusterFacts(rooms),
    zone: () => rooms.cluster?.zones.own ?? "",
    recentEvents: () => rooms.events.list(),
    view,
  };
}

function leafFacts({ inForce, listening, tls }: MonitoredRooms): LeafBlockFacts | null {
  const { leafNodes } = inForce.current.config;
  if (leafNodes.port === null && leafNodes.remotes.length === 0) return null;
  return {
    host: leafNodes.port === null ? "" : leafNodes.host,
    port: listening.current.leafNodes?.port ?? leafNodes.port ?? 0,
    authTimeoutMs: leafNodes.authTimeoutMs,
    tls: tlsFacts(tls.leafnodes, tls.notAfterMs("leafnodes"), false),
    writeDeadlineMs: leafNodes.writeDeadlineMs,
    remotes: leafNodes.remotes.map((remote) => ({
      account: remote.account ?? GLOBAL_ACCOUNT,
      urls: remote.urls.map(({ scheme, host, port }) => `${scheme}://${hostPort(host, port)}`),
      denyImports: remote.denyImports,
      denyExports: remote.denyExports,
      tlsTimeoutMs: remote.tls?.timeoutMs ?? null,
    })),
  };
}

function unconnectedRemotes({
  inForce,
  leafNodes,
}: MonitoredRooms): ReturnType<MonitorSource["unconnectedRemotes"]> {
  const { remotes } = inForce.current.config.leafNodes;
  return [...leafNodes.unconnectedRemotes()].flatMap((place) => {
    const remote = remotes[place];
    if (remote === undefined) return []; // a reload is under way
    const urls = remote.urls.map(({ scheme, user, password, host, port }) => {
      const login = user === null ? "" : `${user}${password === null ? "" : ":xxxxx"}@`;
      return `${scheme}://${login}${hostPort(host, port)}`;
    });
    return [{ account: remote.account ?? GLOBAL_ACCOUNT, urls }];
  });
}

/** A server that sends its clients away is not for new ones. */
function whyNotReady({ life: { state } }: Pick<Rooms, "life">): string | null {
  return state === "ready" ? null : `the server takes no clients: it is ${state}`;
}

function serverFacts(rooms: MonitoredRooms): ServerFacts {
  const { config, digest, loadedMs } = rooms.inForce.current;
  const { client, authorization, monitor } = config;
  return {
    id: rooms.identity.id,
    name: rooms.identity.name,
    version: NATS_LEVEL,
    runtime: `node ${process.version}`,
    startedMs: rooms.startedMs,
    ...rooms.self.shownEndpoint("inside"),
    isAuthRequired: rooms.users.authenticator.hasSecrets,
    tls: tlsFacts(rooms.tls.client, rooms.tls.notAfterMs("client"), client.allowNonTls),
    authTimeoutMs: authorization.timeoutMs,
    maxConnections: client.maxConnections,
    maxSubscriptions: client.maxSubscriptions,
    maxPayloadBytes: client.maxPayloadBytes,
    maxPendingBytes: client.maxPendingBytes,
    maxControlLineBytes: client.maxControlLineBytes,
    writeDeadlineMs: client.writeDeadlineMs,
    pingIntervalMs: client.pingIntervalMs,
    pingMax: client.pingMax,
    monitorHost: monitor.host,
    monitorPort: rooms.monitor.current?.monitorPort ?? monitor.httpsPort ?? monitor.port ?? 0,
    isMonitorSecure: monitor.httpsPort !== null,
    basePath: monitor.basePath,
    configDigest: digest,
    configLoadedMs: loadedMs,
    tags: config.server.tags,
    proxies: authorization.proxies,
    operators: config.operator.operators.map(({ jwt }) => jwt),
    metadata: withVersion(config.server.metadata, VERSION),
  };
}

function tlsFacts(terms: TlsTerms | null, notAfterMs: number | null, isOptional: boolean): TlsFacts {
  if (terms === null) return null;
  return {
    isRequired: !isOptional,
    verifies: terms.verify === "required",
    timeoutMs: terms.timeoutMs,
    notAfterMs,
  };
}

/** As configured. */
function webSocketFacts({ inForce, listening, tls }: MonitoredRooms): WebSocketFacts | null {
  const { websocket: ws } = inForce.current.config;
  if (ws.port === null) return null;
  const { advertise, handshakeTimeoutMs, noTls, sameOrigin, allowedOrigins, compression } = ws;
  return {
    host: ws.host,
    port: listening.current.webSocket?.port ?? ws.port,
    advertise: advertise === null ? "" : shownAddress(advertise),
    noAuthUser: ws.noAuthUser ?? "",
    handshakeTimeoutMs,
    authTimeoutMs: ws.authTimeoutMs ?? 0,
    noTls,
    mapsCertificates: ws.tls?.map ?? false,
    pinnedKeys: ws.tls?.pinnedKeys ?? [],
    sameOrigin,
    allowedOrigins,
    compression,
    notAfterMs: tls.notAfterMs("websocket"),
  };
}

function shownAddress({ host, port }: { readonly host: string; readonly port: number | null }): string {
  return port === null ? host : hostPort(host, port);
}

function clusterFacts(rooms: MonitoredRooms): ClusterFacts | null {
  const { cluster, listening, tls, inForce } = rooms;
  const { config } = inForce.current;
  if (cluster === null) return null;
  const { host, port, authTimeoutMs, routes, poolSize, writeDeadlineMs, permissions } = config.cluster;
  return {
    name: cluster.clusterName,
    host,
    port: listening.current.cluster?.port ?? port ?? 0,
    authTimeoutMs,
    tls: tlsFacts(tls.cluster, tls.notAfterMs("cluster"), false),
    urls: routes.map(({ host: at, port: on }) => (on === null ? at : hostPort(at, on))),
    poolSize,
    writeDeadlineMs: writeDeadlineMs === config.client.writeDeadlineMs ? null : writeDeadlineMs,
    permissions: permissions ?? { import: null, export: null },
  };
}
