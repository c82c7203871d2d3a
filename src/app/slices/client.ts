/** The ports for clients and TLS of all ports, as configured. */
import type { Config } from "../../config/config.ts";
import type { ClientLimits } from "../../links/client/host.ts";
import type { PortTlsOptions } from "../../ports/port-tls.ts";

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

/** null: there is no second listener. */
export function externalListener({ client }: Config): { host: string; port: number } | null {
  const { host, externalHost, externalPort: port } = client;
  return port === null ? null : { host: externalHost ?? host, port };
}

export function tlsSlice({ client, cluster, websocket, leafNodes, operator }: Config): PortTlsOptions {
  return {
    client: client.tls,
    cluster: cluster.tls,
    websocket: websocket.port === null ? null : websocket.tls,
    leafnodes: leafNodes.port === null ? null : leafNodes.tls,
    leafRemotes: leafNodes.remotes.map(({ tls }) => tls),
    resolver: operator.resolverTls,
    allowsPlain: client.allowNonTls,
  };
}
