/** What each room gets of the configuration, in its own words. */
import { randomBytes } from "node:crypto";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config/config.ts";
import type { AccountJetStream } from "../../config/values/account-features.ts";
import type { SubjectRules } from "../../config/values/permissions.ts";
import { GLOBAL_ACCOUNT, SYSTEM_ACCOUNT } from "../../core/account.ts";
import { NO_LIMITS as NO_JETSTREAM_LIMITS, type AccountLimits } from "../../jetstream/assets.ts";
import type { AccountsDefinition } from "../../core/definitions.ts";
import type { LogOptions } from "../../log/log.ts";
import type { SyslogTarget } from "../../log/syslog-link.ts";
import { toByteString } from "../../protocol/info.ts";
import type { ClientLimits } from "../../links/client/host.ts";
import type {
  CertificateRule,
  ClusterPortOptions,
  ClusterSettings,
} from "../../ports/cluster/cluster-port-options.ts";
import type { JetStreamSettings } from "../jetstream.ts";
import type { PortTlsOptions } from "../../ports/port-tls.ts";
import type { RebalancerOptions } from "../rebalancer.ts";

/** What streams in memory may take of it. */
const JETSTREAM_MEMORY = 0.75;

export function logOptions({ log }: Config): LogOptions {
  return {
    format: log.format,
    file: log.file ?? undefined,
    time: !log.time ? "none" : log.timeUtc ? "utc" : "local",
    debug: log.debug,
    trace: log.trace,
    syslog: syslogTarget(log),
    rotation:
      log.fileSizeMaxBytes === null
        ? undefined
        : { sizeMaxBytes: log.fileSizeMaxBytes, filesMax: log.filesMax ?? undefined },
  };
}

function syslogTarget({ syslog, remoteSyslog }: Config["log"]): SyslogTarget | undefined {
  if (!syslog && remoteSyslog === null) return undefined;
  const { protocol, hostname, port } = new URL(remoteSyslog ?? "udp://127.0.0.1:514");
  return {
    protocol: protocol === "tcp:" ? "tcp" : "udp",
    host: hostname.replaceAll(/^\[|\]$/g, ""),
    port: Number(port),
  };
}

export function clientLimits(config: Config): ClientLimits {
  const { client } = config;
  return {
    maxPayloadBytes: client.maxPayloadBytes,
    maxControlLineBytes: client.maxControlLineBytes,
    maxPendingBytes: client.maxPendingBytes,
    writeDeadlineMs: client.writeDeadlineMs,
    maxSubscriptions: client.maxSubscriptions,
    maxSubscriptionTokens: client.maxSubscriptionTokens,
    pingIntervalMs: client.pingIntervalMs,
    pingMax: client.pingMax,
    authTimeoutMs: config.authorization.timeoutMs,
    noHeaders: client.noHeaders,
    dropsForSlow: client.noProducerStall,
  };
}

/** null: the server keeps no streams. */
export function jetStreamSettings({ jetStream, accounts }: Config): JetStreamSettings | null {
  if (!jetStream.isEnabled) return null;
  const system = systemAccountOf(accounts);
  const users = accounts.list.filter(({ name }) => name !== system);
  const limits = users.flatMap(({ name, jetStream: own }): [string, AccountLimits][] =>
    own === null ? [] : [[name, { ...own, ...jetStreamNames(own) }]],
  );
  return {
    storeFolder: jetStream.storeDir ?? join(tmpdir(), "nats"),
    maxMemoryBytes: jetStream.maxMemoryBytes ?? Math.floor(totalmem() * JETSTREAM_MEMORY),
    maxFileBytes: jetStream.maxFileBytes,
    domain: jetStream.domain,
    isStrict: jetStream.isStrict,
    syncIntervalMs: jetStream.syncIntervalMs,
    accounts: new Map(users.length === 0 ? [[GLOBAL_ACCOUNT, NO_JETSTREAM_LIMITS]] : limits),
  };
}

function jetStreamNames(
  own: AccountJetStream,
): Pick<AccountLimits, "maxFileBytes" | "maxMemoryStreamBytes" | "maxFileStreamBytes"> {
  return {
    maxFileBytes: own.maxStoreBytes,
    maxMemoryStreamBytes: own.memoryMaxStreamBytes,
    maxFileStreamBytes: own.storeMaxStreamBytes,
  };
}

export function accountsDefinition({ accounts, cluster }: Config): AccountsDefinition {
  const systemAccount = systemAccountOf(accounts);
  // As a nats-server without JetStream decides which requests it passes on to others.
  const isGlobalAlone = accounts.list.every(({ name }) => name === systemAccount);
  return {
    accounts: accounts.list.map(({ name, limits, exports, imports, jetStream, trace }) => ({
      name,
      limits,
      usesJetStream: jetStream !== null,
      trace: trace === null ? null : { ...trace, destination: toByteString(trace.destination) },
      streamExports: exports.filter((one) => one.kind === "stream").map(inBytes),
      serviceExports: exports
        .filter((one) => one.kind === "service")
        .map((one) => ({
          ...inBytes(one),
          latency: one.latency === null ? null : inBytes(one.latency),
        })),
      streamImports: imports.filter((one) => one.kind === "stream").map(importInBytes),
      serviceImports: imports.filter((one) => one.kind === "service").map(importInBytes),
    })),
    systemAccount,
    globalUsesJetStream: isGlobalAlone && cluster.port !== null,
  };
}

/** Subjects in the configuration are text, inside the server they are bytes. */
function inBytes<T extends { readonly subject: string }>(one: T): T {
  return { ...one, subject: toByteString(one.subject) };
}

export function rulesInBytes(rules: SubjectRules | null): SubjectRules | null {
  if (rules === null) return null;
  return { allow: rules.allow?.map(toByteString) ?? null, deny: rules.deny.map(toByteString) };
}

function importInBytes<T extends { readonly subject: string; readonly to: string }>(one: T): T {
  return { ...inBytes(one), to: toByteString(one.to) };
}

export function systemAccountOf({ system, list, noSystem }: Config["accounts"]): string | null {
  if (system !== null) return system;
  return noSystem && !list.some(({ name }) => name === SYSTEM_ACCOUNT) ? null : SYSTEM_ACCOUNT;
}

/** null: there is no second listener. */
export function externalListener({ client }: Config): { host: string; port: number } | null {
  const { host, externalHost, externalPort: port } = client;
  return port === null ? null : { host: externalHost ?? host, port };
}

type FromConfig =
  | "settings"
  | "advertise"
  | "name"
  | "isNameDynamic"
  | "host"
  | "port"
  | "poolSize"
  | "pinnedAccounts"
  | "connectRetries"
  | "connectBackoff"
  | "authTimeoutMs"
  | "noHeaders"
  | "kubernetes"
  | "zone"
  | "queuePreference";

export function tlsSlice({ client, cluster }: Config): PortTlsOptions {
  return { client: client.tls, cluster: cluster.tls, allowsPlain: client.allowNonTls };
}

function certificateRule({ cluster: { tls } }: Config): CertificateRule | null {
  if (tls === null || !(tls.map || tls.checksKnownUrls)) return null;
  return { mapsToUser: tls.map, checksKnownUrls: tls.checksKnownUrls };
}

/** What a reload can change. */
export function liveClusterOptions(config: Config): ClusterSettings {
  const { cluster, client } = config;
  return {
    noAdvertise: cluster.noAdvertise,
    credentials: cluster.user === null ? null : { user: cluster.user, pass: cluster.password ?? "" },
    routes: cluster.routes.map(({ host, port: at, records, user, password }) => ({
      host,
      port: at,
      records,
      credentials: user === null ? null : { user, pass: password ?? "" },
    })),
    discoveryIntervalMs: cluster.discoveryIntervalMs,
    permissions: {
      import: rulesInBytes(cluster.permissions?.import ?? null),
      export: rulesInBytes(cluster.permissions?.export ?? null),
    },
    maxPayloadBytes: client.maxPayloadBytes,
    certificateRule: certificateRule(config),
    limits: {
      maxControlLineBytes: client.maxControlLineBytes,
      maxPendingBytes: client.maxPendingBytes,
      writeDeadlineMs: cluster.writeDeadlineMs,
      pingIntervalMs: cluster.pingIntervalMs,
      pingMax: cluster.pingMax,
    },
  };
}

/** `ownDnsName` is what others are told to dial over TLS where nothing is configured, since certificates have names. */
export function clusterPortOptions(
  config: Config,
  port: number,
  ownDnsName: string | null,
): Pick<ClusterPortOptions, FromConfig> {
  const { cluster } = config;
  const named = cluster.tls === null || ownDnsName === null ? null : { host: ownDnsName, port: null };
  return {
    settings: liveClusterOptions(config),
    advertise: cluster.advertise ?? named,
    name: cluster.name ?? randomBytes(16).toString("base64url"),
    isNameDynamic: cluster.name === null,
    host: cluster.host,
    port,
    poolSize: cluster.poolSize,
    pinnedAccounts: cluster.accounts,
    connectRetries: cluster.connectRetries,
    connectBackoff: cluster.connectBackoff,
    authTimeoutMs: cluster.authTimeoutMs,
    noHeaders: config.client.noHeaders,
    kubernetes:
      cluster.kubernetesService === null
        ? null
        : {
            service: cluster.kubernetesService,
            namespace: cluster.kubernetesNamespace,
            portName: cluster.kubernetesPortName,
          },
    zone: cluster.zone ?? "",
    queuePreference: cluster.queuePreference,
  };
}

export function rebalanceSettings({
  cluster,
}: Config): Pick<RebalancerOptions, "tolerance" | "ratePerSecond" | "intervalMs" | "calmMs"> {
  return {
    tolerance: cluster.rebalanceTolerance / 100,
    ratePerSecond: cluster.rebalanceRate,
    intervalMs: cluster.rebalanceIntervalMs,
    calmMs: cluster.rebalanceCalmMs,
  };
}
