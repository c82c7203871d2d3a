/** What a server says of itself to clients: INFO, the addresses where they can connect, and whether over TLS. */
import type { CalloutHost } from "../../auth/callout/callout.ts";
import { systemClock } from "../../base/clock.ts";
import type { InfoContext } from "../../links/client/host.ts";
import { clientInfoLine, NATS_LEVEL, type ClientInfo } from "../../protocol/info.ts";
import { ownConnectUrls, ownExternalUrls } from "../../ports/client/connect-urls.ts";
import { serverHash } from "../process/identity.ts";
import type { Server } from "../server.ts";

/** By which listener a client comes. */
type Side = "inside" | "outside";

export class SelfDescription {
  private readonly server: Server;

  constructor(server: Server) {
    this.server = server;
  }

  /** The INFO line for one client, with CRLF. */
  clientInfo(context: InfoContext): string {
    const { identity, keys, accounts, config, cluster, state, isAuthRequired } = this.server;
    const side = context.isOutside === true ? "outside" : "inside";
    return clientInfoLine({
      identity,
      ...this.shownEndpoint(side),
      // As nats-server, which greets without it where there is a no_auth_user, and says it after CONNECT.
      authRequired:
        isAuthRequired && (context.nonce === undefined || config.authorization.noAuthUser === null),
      tls: this.shownTls(context.isTlsFirst),
      headers: !config.client.noHeaders,
      maxPayloadBytes: context.maxPayloadBytes,
      cid: context.cid,
      clientAddress: context.clientAddress,
      nonce: context.nonce ?? "",
      cluster: cluster?.clusterName ?? "",
      connectUrls: context.moveTo?.[side] ?? this.connectUrls(side),
      jetStream: this.server.jetStream?.announced ?? null,
      isLameDuck: state === "lame duck" || context.moveTo !== undefined,
      account: context.account,
      isSystemAccount: context.account !== undefined && context.account === accounts.system?.name,
      xkey: keys.curve.publicKey,
    });
  }

  /** The server as the service of a callout is told of it, and what else asking that takes. */
  forCallouts(): CalloutHost {
    const { identity, keys, accounts } = this.server;
    return {
      ...keys,
      accounts,
      clock: systemClock,
      serverHash: serverHash(identity.name),
      timeoutMs: () => this.server.config.authorization.timeoutMs,
      server: () => ({
        ...identity,
        host: this.shownEndpoint("inside").host,
        version: NATS_LEVEL,
        cluster: this.server.cluster?.clusterName ?? "",
        tags: this.server.config.server.tags,
      }),
    };
  }

  /** The server and its cluster, as other accounts are told of them. */
  forAccounts(): Record<string, string> {
    const { identity, cluster } = this.server;
    return { server: identity.name, ...(cluster === null ? {} : { cluster: cluster.clusterName }) };
  }

  /** Where clients can connect in this cluster, this server included; empty where it is not to be told. */
  connectUrls(side: Side = "inside"): string[] {
    const { cluster, config } = this.server;
    // A server that never met another one has nothing to tell, as with nats-server.
    if (cluster === null || !cluster.members.hasMet || config.cluster.noAdvertise) return [];
    return [...this.ownConnectUrls(side), ...cluster.otherConnectUrls(side)];
  }

  /** Of this server alone, as it tells the others. */
  ownConnectUrls(side: Side): string[] {
    const { clientEndpoint, externalEndpoint, state, config } = this.server;
    if (clientEndpoint === null || state === "lame duck") return [];
    const { host, advertise, externalAdvertise } = config.client;
    const endpoint = { host, advertise, port: clientEndpoint.port };
    if (side === "inside") return ownConnectUrls(endpoint);
    const port = externalEndpoint?.port;
    return ownExternalUrls(endpoint, port === undefined ? null : { port, advertise: externalAdvertise });
  }

  /** Where INFO says that the server is. */
  shownEndpoint(side: Side): { readonly host: string; readonly port: number } {
    const { clientEndpoint, externalEndpoint, config } = this.server;
    const { host, port, advertise, externalHost, externalAdvertise } = config.client;
    const isOutside = side === "outside";
    const said = isOutside ? externalAdvertise : advertise;
    const endpoint = isOutside ? externalEndpoint : clientEndpoint;
    return {
      host: said?.host ?? (isOutside ? externalHost : null) ?? host,
      port: said?.port ?? endpoint?.port ?? port,
    };
  }

  /** What INFO says of TLS. */
  private shownTls(isTlsFirst: boolean): ClientInfo["tls"] {
    const { tls, config } = this.server;
    const { client } = tls;
    if (client === null) return null;
    const isAvailable = config.client.allowNonTls;
    return { isRequired: !isAvailable || isTlsFirst, isAvailable, verifies: client.verify === "required" };
  }
}
