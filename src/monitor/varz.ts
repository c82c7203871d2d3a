/** `/varz`: the server at a glance. Durations are in nanoseconds, time-outs of authentication in seconds. */
import { FEATURE_FLAGS } from "./feature-flags.ts";
import { goTime, goUptime, nanoseconds, orOmit } from "./go-format.ts";
import { jetStreamFields } from "./jsz.ts";
import { registeredRoutes } from "./routez.ts";
import { claimsIn } from "./signed-account.ts";
import type {
  ClusterFacts,
  LeafBlockFacts,
  MonitorSource,
  ServerFacts,
  TlsFacts,
  WebSocketFacts,
} from "./source.ts";
import type { ProcessUsage } from "./usage.ts";
import type { Traffic } from "../links/trunk/traffic.ts";

/** Version of the client protocol, as in INFO. */
const CLIENT_PROTOCOL = 1;
/** nats-server shows its default, TLS or not. */
const TLS_TIMEOUT_SECONDS = 2;
const NO_TRAFFIC: Traffic = { inMessages: 0, inBytes: 0, outMessages: 0, outBytes: 0 };

export function varz(
  source: MonitorSource,
  usage: ProcessUsage,
  requests: ReadonlyMap<string, number>,
): object {
  const facts = source.facts();
  const cluster = source.clusterFacts();
  const jetStream = source.jetStream();
  const webSocket = source.webSocketFacts();
  const leaf = source.leafFacts();
  return {
    ...identity(facts, source),
    ...limits(facts),
    cluster: cluster === null ? {} : clusterFields(cluster),
    gateway: {},
    leaf: leaf === null ? {} : leafFields(leaf),
    mqtt: {},
    websocket: webSocket === null ? {} : webSocketFields(webSocket),
    jetstream: jetStream === null ? {} : jetStreamFields(jetStream, "folder"),
    tls_timeout: tlsSeconds(facts.tls),
    write_deadline: nanoseconds(facts.writeDeadlineMs),
    ...processFields(facts.startedMs, source.nowMs(), usage),
    ...load(source),
    http_req_stats: Object.fromEntries([...requests].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ...configuration(facts, source),
    ...troubles(source),
    proxies: facts.proxies.length === 0 ? undefined : { trusted: facts.proxies.map((key) => ({ key })) },
    tls_cert_not_after: notAfter(facts.tls),
  };
}

function identity(facts: ServerFacts, source: MonitorSource): object {
  const urls = source.connectUrls();
  const webSocketUrls = source.webSocketUrls();
  return {
    server_id: facts.id,
    server_name: facts.name,
    version: facts.version,
    proto: CLIENT_PROTOCOL,
    go: facts.runtime,
    host: facts.host,
    port: facts.port,
    auth_required: orOmit(facts.isAuthRequired),
    ...tlsFields(facts.tls),
    connect_urls: urls.length === 0 ? undefined : urls,
    ws_connect_urls: webSocketUrls.length === 0 ? undefined : webSocketUrls,
  };
}

function limits(facts: ServerFacts): object {
  return {
    // nats-server shows -1 if no client is admitted.
    max_connections: facts.maxConnections === 0 ? -1 : (facts.maxConnections ?? 0),
    max_subscriptions: facts.maxSubscriptions ?? undefined,
    ping_interval: nanoseconds(facts.pingIntervalMs),
    ping_max: facts.pingMax,
    http_host: facts.monitorHost,
    http_port: facts.isMonitorSecure ? 0 : facts.monitorPort,
    http_base_path: facts.basePath === "/" ? "" : facts.basePath,
    https_port: facts.isMonitorSecure ? facts.monitorPort : 0,
    auth_timeout: facts.authTimeoutMs / 1000,
    max_control_line: facts.maxControlLineBytes,
    max_payload: facts.maxPayloadBytes,
    max_pending: facts.maxPendingBytes,
  };
}

function clusterFields(facts: ClusterFacts): object {
  const { writeDeadlineMs } = facts;
  return {
    name: facts.name,
    addr: orOmit(facts.host),
    cluster_port: facts.port,
    auth_timeout: facts.authTimeoutMs / 1000,
    urls: facts.urls.length === 0 ? undefined : facts.urls,
    tls_timeout: tlsSeconds(facts.tls),
    ...tlsFields(facts.tls),
    pool_size: orOmit(facts.poolSize),
    write_deadline: writeDeadlineMs === null ? undefined : nanoseconds(writeDeadlineMs),
    tls_cert_not_after: notAfter(facts.tls),
  };
}

function leafFields(facts: LeafBlockFacts): object {
  const remotes = facts.remotes.map(({ account, urls, denyImports, denyExports, tlsTimeoutMs }) => ({
    local_account: account,
    tls_timeout: (tlsTimeoutMs ?? TLS_TIMEOUT_SECONDS * 1000) / 1000,
    urls,
    deny:
      denyImports.length + denyExports.length === 0
        ? undefined
        : { exports: orOmitList(denyExports), imports: orOmitList(denyImports) },
  }));
  const { port, writeDeadlineMs } = facts;
  return {
    host: orOmit(facts.host),
    port: orOmit(port),
    auth_timeout: port === 0 ? undefined : facts.authTimeoutMs / 1000,
    tls_timeout: port === 0 ? undefined : tlsSeconds(facts.tls),
    ...tlsFields(facts.tls),
    remotes: orOmitList(remotes),
    write_deadline: nanoseconds(writeDeadlineMs),
    tls_cert_not_after: notAfter(facts.tls),
  };
}

function orOmitList<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function webSocketFields(facts: WebSocketFacts): object {
  const { pinnedKeys, allowedOrigins, notAfterMs } = facts;
  return {
    host: orOmit(facts.host),
    port: facts.port,
    advertise: orOmit(facts.advertise),
    no_auth_user: orOmit(facts.noAuthUser),
    handshake_timeout: orOmit(nanoseconds(facts.handshakeTimeoutMs)),
    auth_timeout: orOmit(facts.authTimeoutMs / 1000),
    no_tls: orOmit(facts.noTls),
    tls_map: orOmit(facts.mapsCertificates),
    tls_pinned_certs: pinnedKeys.length === 0 ? undefined : pinnedKeys,
    same_origin: orOmit(facts.sameOrigin),
    allowed_origins: allowedOrigins.length === 0 ? undefined : allowedOrigins,
    compression: orOmit(facts.compression),
    tls_cert_not_after: notAfterMs === null ? undefined : goTime(notAfterMs),
  };
}

function tlsFields(tls: TlsFacts): object {
  return { tls_required: orOmit(tls?.isRequired ?? false), tls_verify: orOmit(tls?.verifies ?? false) };
}

function tlsSeconds(tls: TlsFacts): number {
  return tls === null ? TLS_TIMEOUT_SECONDS : tls.timeoutMs / 1000;
}

function notAfter(tls: TlsFacts): string | undefined {
  const ms = tls?.notAfterMs ?? null;
  return ms === null ? undefined : goTime(ms);
}

function processFields(startedMs: number, nowMs: number, usage: ProcessUsage): object {
  return {
    start: goTime(startedMs),
    now: goTime(nowMs),
    uptime: goUptime(nowMs - startedMs),
    mem: usage.residentBytes(),
    cores: usage.cores,
    gomaxprocs: 1,
    cpu: usage.cpuPercent(),
  };
}

function load({
  clients: { count, counters, totalConnections, traffic },
  cluster,
  accounts,
  leafNodes,
}: MonitorSource): object {
  const clients = traffic.total();
  const leafs = leafNodes.traffic.total();
  const routes = cluster?.traffic.total() ?? NO_TRAFFIC;
  let subscriptions = 0;
  for (const account of accounts) subscriptions += account.interest.size;
  return {
    connections: count,
    total_connections: totalConnections,
    routes: cluster === null ? 0 : registeredRoutes(cluster).length,
    remotes: cluster?.snapshot()?.peers.length ?? 0,
    leafnodes: leafNodes.count,
    in_msgs: clients.inMessages + routes.inMessages + leafs.inMessages,
    in_bytes: clients.inBytes + routes.inBytes + leafs.inBytes,
    in_client_msgs: clients.inMessages,
    in_client_bytes: clients.inBytes,
    out_msgs: clients.outMessages + routes.outMessages + leafs.outMessages,
    out_bytes: clients.outBytes + routes.outBytes + leafs.outBytes,
    out_client_msgs: clients.outMessages,
    out_client_bytes: clients.outBytes,
    slow_consumers:
      counters.slowConsumers + (cluster?.counters.slowConsumers ?? 0) + leafNodes.counters.slowConsumers,
    stale_connections:
      counters.staleConnections +
      (cluster?.counters.staleConnections ?? 0) +
      leafNodes.counters.staleConnections,
    stalled_clients: counters.stalls,
    subscriptions,
  };
}

function configuration(facts: ServerFacts, { accounts }: MonitorSource): object {
  return {
    config_load_time: goTime(facts.configLoadedMs),
    config_digest: facts.configDigest,
    tags: facts.tags.length === 0 ? undefined : facts.tags,
    metadata: facts.metadata,
    feature_flags: FEATURE_FLAGS,
    system_account: accounts.system?.name,
    trusted_operators_jwt: facts.operators.length === 0 ? undefined : facts.operators,
    trusted_operators_claim: facts.operators.length === 0 ? undefined : facts.operators.map(claimsIn),
  };
}

function troubles({ clients: { counters }, cluster, leafNodes }: MonitorSource): object {
  const leafs = leafNodes.counters;
  const routes = cluster?.counters ?? { slowConsumers: 0, staleConnections: 0 };
  return {
    slow_consumer_stats: {
      clients: counters.slowConsumers,
      routes: routes.slowConsumers,
      gateways: 0,
      leafs: leafs.slowConsumers,
    },
    stale_connection_stats: {
      clients: counters.staleConnections,
      routes: routes.staleConnections,
      gateways: 0,
      leafs: leafs.staleConnections,
    },
    disk_io_wait_stats: { waiters: 0, waits: 0, wait_time: 0, max_wait_time: 0 },
  };
}
