/**
 * The monitoring port of a server, and the port of its metrics: shows the server to the rooms monitor and metrics and listens.
 * Loaded when one of the ports is configured, so that a server without them starts as fast as ever.
 */
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { ClosedConnections } from "../monitor/closed-connections.ts";
import { Guard } from "../monitor/guard.ts";
import { METRICS_TYPE, Metrics } from "../metrics/metrics.ts";
import { text } from "../monitor/answer.ts";
import { Endpoints, type FurtherEndpoint } from "../monitor/endpoints.ts";
import { serveHttp, type MonitorHttp, type Site } from "../monitor/http.ts";
import type { ClusterFacts, MonitorSource, ServerFacts, TlsFacts } from "../monitor/source.ts";
import { Turns } from "../monitor/turns.ts";
import { NATS_LEVEL } from "../protocol/info.ts";
import type { TlsTerms } from "../transport/tls.ts";
import { lookAt } from "./metrics-source.ts";
import type { Server } from "./server.ts";
import { VERSION } from "./version.ts";

/** null for a port that is not configured. */
export interface MonitorPorts extends Pick<MonitorHttp, "close" | "useCertificate"> {
  readonly monitorPort: number | null;
  readonly metricsPort: number | null;
  readonly guard: Guard;
}

/** Rejects with the operating system's error; nothing is left open then. */
export async function openMonitorPorts(server: Server, logger: Logger): Promise<MonitorPorts> {
  const { config } = server;
  const open: { monitor?: MonitorHttp; metrics?: MonitorHttp } = {};
  const { host, httpsPort, user, password, token } = config.monitor;
  const isSecure = httpsPort !== null;
  const port = httpsPort ?? config.monitor.port;
  const source = monitorSource(server, () => open.monitor?.port ?? port ?? 0);
  const metrics = new Metrics({ look: () => lookAt(server, endpoints) }, config.metrics.prefix);
  const scrapes: FurtherEndpoint = {
    path: config.metrics.path,
    async answer(turns) {
      const body = await metrics.scrape(() => turns.next());
      return { status: 200, contentType: METRICS_TYPE, body };
    },
  };
  const endpoints = new Endpoints(source, [scrapes]);
  const close = async (): Promise<void> => {
    metrics[Symbol.dispose]();
    await Promise.all([open.monitor?.close(), open.metrics?.close()]);
  };
  const guard = new Guard({ user, password, token });
  const certificate = isSecure ? server.tls.client?.context.options : undefined;
  try {
    if (port !== null) {
      open.monitor = await serveHttp(endpoints, { host, port, certificate, guard }, logger);
      logger.info(`Starting ${isSecure ? "https" : "http"} monitor on ${shown(host, open.monitor.port)}`);
    }
    const own = config.metrics;
    if (own.port !== null) {
      const listen = { host: own.host, port: own.port, certificate, guard };
      open.metrics = await serveHttp(siteOf(scrapes), listen, logger);
      logger.info(`Listening for scrapes of metrics on ${shown(own.host, open.metrics.port)}`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    monitorPort: open.monitor?.port ?? null,
    metricsPort: open.metrics?.port ?? null,
    guard,
    close,
    useCertificate(next) {
      open.monitor?.useCertificate(next);
      open.metrics?.useCertificate(next);
    },
  };
}

/** Answers with the one thing alone. */
function siteOf({ path, answer }: FurtherEndpoint): Site {
  const turns = new Turns();
  return {
    turns,
    withoutBase: (asked) => asked,
    answer: async (asked) => (asked === path ? answer(turns) : text(404, "404 page not found\n")),
  };
}

function shown(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function monitorSource(server: Server, port: () => number): MonitorSource {
  const nowMs = (): number => systemClock.nowMs();
  const closed = new ClosedConnections(server.config.server.maxClosedClients, nowMs);
  server.clients.onSessionClosed = (session) => closed.add(session);
  return {
    nowMs,
    whyNotReady: () => whyNotReady(server),
    readiness: (expect) => server.readiness(expect),
    facts: () => serverFacts(server, port()),
    connectUrls: () => server.connectUrls(),
    accounts: server.accounts,
    clients: server.clients,
    closed,
    cluster: server.cluster,
    clusterFacts: () => clusterFacts(server),
  };
}

/** A server that sends its clients away is not for new ones. */
function whyNotReady({ state }: Server): string | null {
  return state === "ready" ? null : `the server takes no clients: it is ${state}`;
}

function serverFacts(server: Server, monitorPort: number): ServerFacts {
  const { config, digest, loadedMs } = server.reloads.inForce;
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
    monitorPort,
    isMonitorSecure: monitor.httpsPort !== null,
    basePath: monitor.basePath,
    configDigest: digest,
    configLoadedMs: loadedMs,
    tags: config.server.tags,
    metadata: { ...config.server.metadata, shoal_version: VERSION },
  };
}

function tlsFacts(terms: TlsTerms | null, notAfterMs: number | null, isOptional: boolean): TlsFacts {
  if (terms === null) return null;
  return { isRequired: !isOptional, verifies: terms.verifies, timeoutMs: terms.timeoutMs, notAfterMs };
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
    urls: routes.map((route) => `${route.host.includes(":") ? `[${route.host}]` : route.host}:${route.port}`),
    poolSize,
    writeDeadlineMs: writeDeadlineMs === config.client.writeDeadlineMs ? null : writeDeadlineMs,
    permissions: permissions ?? { import: null, export: null },
  };
}
