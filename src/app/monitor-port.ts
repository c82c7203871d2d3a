/**
 * The monitoring port of a server: shows it to the monitor room and listens. Loaded when the port is configured, so that a
 * server without it starts as fast as ever.
 */
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import { ClosedConnections } from "../monitor/closed-connections.ts";
import { Guard } from "../monitor/guard.ts";
import { serveMonitoring, type MonitorHttp } from "../monitor/http.ts";
import type { ClusterFacts, MonitorSource, ServerFacts } from "../monitor/source.ts";
import { NATS_LEVEL } from "../protocol/info.ts";
import type { Server } from "./server.ts";
import { VERSION } from "./version.ts";

export interface MonitorParts {
  readonly config: Config;
  readonly configDigest: string;
  readonly logger: Logger;
}

/** Rejects with the operating system's error. */
export async function openMonitorPort(server: Server, parts: MonitorParts): Promise<MonitorHttp> {
  const { config, logger } = parts;
  const { host, httpsPort, user, password, token } = config.monitor;
  const nowMs = (): number => systemClock.nowMs();
  const closed = new ClosedConnections(config.server.maxClosedClients, nowMs);
  server.clients.onSessionClosed = (session) => closed.add(session);
  const isSecure = httpsPort !== null;
  let port = httpsPort ?? config.monitor.port ?? 0;
  const source: MonitorSource = {
    nowMs,
    whyNotReady: () => whyNotReady(server),
    readiness: (expect) => server.readiness(expect),
    facts: () => serverFacts(server, parts, port),
    connectUrls: () => server.connectUrls(),
    accounts: server.accounts,
    clients: server.clients,
    closed,
    cluster: server.cluster,
    clusterFacts: () => clusterFacts(server, config),
  };
  const guard = new Guard({ user, password, token });
  const certificate = isSecure ? server.tls.client?.context.options : undefined;
  const http = await serveMonitoring(source, { host, port, certificate, guard }, logger);
  port = http.port;
  logger.info(
    `Starting ${isSecure ? "https" : "http"} monitor on ${host.includes(":") ? `[${host}]` : host}:${port}`,
  );
  return http;
}

/** A server that sends its clients away is not for new ones. */
function whyNotReady({ state }: Server): string | null {
  return state === "ready" ? null : `the server takes no clients: it is ${state}`;
}

function serverFacts(
  server: Server,
  { config, configDigest }: MonitorParts,
  monitorPort: number,
): ServerFacts {
  const { client, authorization, monitor } = config;
  return {
    id: server.identity.id,
    name: server.identity.name,
    version: NATS_LEVEL,
    runtime: `node ${process.version}`,
    startedMs: server.startedMs,
    host: client.host,
    port: server.clientEndpoint?.port ?? client.port,
    isAuthRequired: server.isAuthRequired,
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
    monitorPort,
    basePath: monitor.basePath,
    configDigest,
    configLoadedMs: server.startedMs,
    tags: config.server.tags,
    metadata: { ...config.server.metadata, shoal_version: VERSION },
  };
}

function clusterFacts({ cluster, clusterEndpoint }: Server, config: Config): ClusterFacts | null {
  if (cluster === null) return null;
  const { host, port, authTimeoutMs, routes, poolSize, writeDeadlineMs, permissions } = config.cluster;
  return {
    name: cluster.clusterName,
    host,
    port: clusterEndpoint?.port ?? port ?? 0,
    authTimeoutMs,
    urls: routes.map((route) => `${route.host.includes(":") ? `[${route.host}]` : route.host}:${route.port}`),
    poolSize,
    writeDeadlineMs: writeDeadlineMs === config.client.writeDeadlineMs ? null : writeDeadlineMs,
    permissions: permissions ?? { import: null, export: null },
  };
}
