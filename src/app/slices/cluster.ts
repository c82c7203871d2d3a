/** The port for routes and rebalancing, as configured. */
import { randomBytes } from "node:crypto";
import type { Config } from "../../config/config.ts";
import type {
  CertificateRule,
  ClusterPortOptions,
  ClusterSettings,
} from "../../ports/cluster/cluster-port-options.ts";
import type { RebalancerOptions } from "../rebalancer.ts";
import { rulesInBytes } from "./accounts.ts";

type FromConfig =
  | "settings"
  | "advertise"
  | "name"
  | "isNameDynamic"
  | "host"
  | "port"
  | "keepsStreams"
  | "poolSize"
  | "pinnedAccounts"
  | "connectRetries"
  | "connectBackoff"
  | "authTimeoutMs"
  | "noHeaders"
  | "kubernetes"
  | "zone"
  | "queuePreference";

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
    compression: cluster.compression,
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
    keepsStreams: config.jetStream.isEnabled,
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

function certificateRule({ cluster: { tls } }: Config): CertificateRule | null {
  if (tls === null || !(tls.map || tls.checksKnownUrls)) return null;
  return { mapsToUser: tls.map, checksKnownUrls: tls.checksKnownUrls };
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
