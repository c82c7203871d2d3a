/** Shows the server to the room monitor, for its HTTP port and for the system account. */
import { systemClock } from "../../base/clock.ts";
import type { ClosedConnection } from "../../monitor/closed-connections.ts";
import type {
  ClusterFacts,
  ClusterView,
  MonitorSource,
  ServerFacts,
  TlsFacts,
} from "../../monitor/source.ts";
import { NATS_LEVEL } from "../../protocol/info.ts";
import type { TlsTerms } from "../../transport/tls.ts";
import type { Server } from "../server.ts";
import { VERSION } from "../process/version.ts";
import { hostPort } from "../../base/host-port.ts";

export function monitorSource(
  server: Server,
  closed: Iterable<ClosedConnection>,
  view: ClusterView,
): MonitorSource {
  return {
    nowMs: () => systemClock.nowMs(),
    whyNotReady: () => whyNotReady(server),
    readiness: (expect) => server.readiness(expect),
    facts: () => serverFacts(server),
    connectUrls: () => server.self.connectUrls(),
    accounts: server.accounts,
    clients: server.clients,
    closed,
    cluster: server.cluster,
    jetStream: () => server.jetStream?.source ?? null,
    clusterFacts: () => clusterFacts(server),
    zone: () => server.cluster?.zones.own ?? "",
    recentEvents: () => server.events.list(),
    view,
  };
}

/** A server that sends its clients away is not for new ones. */
function whyNotReady({ state }: Server): string | null {
  return state === "ready" ? null : `the server takes no clients: it is ${state}`;
}

function serverFacts(server: Server): ServerFacts {
  const { config, digest, loadedMs } = server.reloads.inForce;
  const { client, authorization, monitor } = config;
  return {
    id: server.identity.id,
    name: server.identity.name,
    version: NATS_LEVEL,
    runtime: `node ${process.version}`,
    startedMs: server.startedMs,
    ...server.self.shownEndpoint("inside"),
    isAuthRequired: server.isAuthRequired,
    tls: tlsFacts(server.tls.client, server.tls.notAfterMs("client"), client.allowNonTls),
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
    monitorPort: server.monitorPort ?? monitor.httpsPort ?? monitor.port ?? 0,
    isMonitorSecure: monitor.httpsPort !== null,
    basePath: monitor.basePath,
    configDigest: digest,
    configLoadedMs: loadedMs,
    tags: config.server.tags,
    proxies: authorization.proxies,
    metadata: { ...config.server.metadata, shoal_version: VERSION },
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

function clusterFacts(server: Server): ClusterFacts | null {
  const { cluster, clusterEndpoint, tls, config } = server;
  if (cluster === null) return null;
  const { host, port, authTimeoutMs, routes, poolSize, writeDeadlineMs, permissions } = config.cluster;
  return {
    name: cluster.clusterName,
    host,
    port: clusterEndpoint?.port ?? port ?? 0,
    authTimeoutMs,
    tls: tlsFacts(tls.cluster, tls.notAfterMs("cluster"), false),
    urls: routes.map(({ host: at, port: on }) => (on === null ? at : hostPort(at, on))),
    poolSize,
    writeDeadlineMs: writeDeadlineMs === config.client.writeDeadlineMs ? null : writeDeadlineMs,
    permissions: permissions ?? { import: null, export: null },
  };
}
