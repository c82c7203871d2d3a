/** What a server says of itself to clients: INFO, the addresses where they can connect, and whether over TLS. */
import type { CalloutHost } from "../../auth/callout/callout.ts";
import { systemClock } from "../../base/clock.ts";
import type { Live } from "../../base/live.ts";
import type { Config } from "../../config/config.ts";
import type { Accounts } from "../../core/accounts.ts";
import type { Life } from "../../health/lifecycle.ts";
import type { Side } from "../../links/client/arrival.ts";
import type { InfoContext } from "../../links/client/host.ts";
import type { LeafFacts } from "../../links/leaf/host.ts";
import type { ClusterPort } from "../../ports/cluster/cluster-port.ts";
import type { PortTls } from "../../ports/port-tls.ts";
import { clientInfoLine, NATS_LEVEL, type ClientInfo, type ServerIdentity } from "../../protocol/info.ts";
import type { LeafPortOptions } from "../../ports/leaf/leaf-port.ts";
import { ownConnectUrls, ownExternalUrls } from "../../ports/client/connect-urls.ts";
import type { JetStreamPart } from "../jetstream.ts";
import { serverHash, type ServerKeys } from "../process/identity.ts";
import type { ConfigInForce } from "../reload.ts";
import type { ListeningAt } from "./opened.ts";

/** The rooms that the description reads. */
interface SelfHost {
  readonly identity: ServerIdentity;
  readonly keys: ServerKeys;
  readonly accounts: Accounts;
  readonly inForce: Live<ConfigInForce>;
  readonly life: Life;
  readonly tls: PortTls;
  readonly cluster: ClusterPort | null;
  readonly listening: Live<ListeningAt>;
  readonly jetStream: Live<JetStreamPart | null>;
}

export class SelfDescription {
  private readonly host: SelfHost;

  constructor(host: SelfHost) {
    this.host = host;
  }

  /** The INFO line for one client, with CRLF. */
  clientInfo(context: InfoContext): string {
    const { identity, keys, accounts, cluster, life } = this.host;
    const { config } = this;
    const { side, needsCredentials } = context;
    return clientInfoLine({
      identity,
      ...this.shownEndpoint(side),
      // As nats-server, which greets without it where there is a no_auth_user, and says it after CONNECT.
      authRequired:
        needsCredentials && (context.nonce === undefined || config.authorization.noAuthUser === null),
      tls: side === "websocket" ? this.shownWebSocketTls() : this.shownTls(context.isTlsFirst),
      headers: !config.client.noHeaders,
      maxPayloadBytes: context.maxPayloadBytes,
      cid: context.cid,
      clientAddress: context.clientAddress,
      nonce: context.nonce ?? "",
      cluster: cluster?.clusterName ?? "",
      connectUrls: context.moveTo?.[side] ?? this.connectUrls(side),
      jetStream: this.host.jetStream.current?.announced ?? null,
      isLameDuck: life.state === "lame duck" || context.moveTo !== undefined,
      account: context.account,
      isSystemAccount: context.account !== undefined && context.account === accounts.system?.name,
      xkey: keys.curve.publicKey,
    });
  }

  /** The server as the service of a callout is told of it, and what else asking that takes. */
  forCallouts(): CalloutHost {
    const { identity, keys, accounts } = this.host;
    return {
      ...keys,
      accounts,
      clock: systemClock,
      serverHash: serverHash(identity.name),
      timeoutMs: () => this.config.authorization.timeoutMs,
      server: () => ({
        ...identity,
        host: this.shownEndpoint("inside").host,
        version: NATS_LEVEL,
        cluster: this.host.cluster?.clusterName ?? "",
        tags: this.config.server.tags,
      }),
    };
  }

  /** The server and its cluster, as other accounts are told of them. */
  forAccounts(): Record<string, string> {
    const { identity, cluster } = this.host;
    return { server: identity.name, ...(cluster === null ? {} : { cluster: cluster.clusterName }) };
  }

  /** The server as other ends of leaf connections are told of it. */
  forLeafNodes(): LeafFacts {
    const { identity, cluster, jetStream } = this.host;
    const { announced } = jetStream.current ?? {};
    return {
      serverId: identity.id,
      serverName: identity.name,
      cluster: cluster?.clusterName ?? "",
      domain: announced?.domain ?? "",
      hasJetStream: announced !== undefined,
      takesHeaders: !this.config.client.noHeaders,
    };
  }

  /** INFO for leaf nodes, but for the connection. */
  leafInfo(): ReturnType<LeafPortOptions["info"]> {
    const { cluster, domain, hasJetStream, takesHeaders: headers } = this.forLeafNodes();
    const { identity, listening, tls } = this.host;
    const { host, port, advertise } = this.config.leafNodes;
    const urls = this.leafUrls();
    const shown = advertise?.host ?? (urls[0] ?? host).replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
    return {
      ...{ identity, cluster, domain, hasJetStream, headers, leafUrls: urls },
      host: shown,
      port: advertise?.port ?? listening.current.leafNodes?.port ?? port ?? 0,
      tls: { isRequired: tls.leafnodes !== null, verifies: tls.leafnodes?.verify === "required" },
      maxPayloadBytes: this.config.client.maxPayloadBytes,
      webSocketUrls: this.connectUrls("websocket"),
    };
  }

  /** Where leaf nodes can dial in this cluster, this server included; empty where it is not to be told. */
  leafUrls(): string[] {
    const { cluster } = this.host;
    return this.config.leafNodes.noAdvertise
      ? []
      : [...this.ownLeafUrls(), ...(cluster?.otherLeafUrls() ?? [])];
  }

  /** Of this server alone. */
  ownLeafUrls(): string[] {
    const { leafNodes } = this.host.listening.current;
    const { host, advertise, noAdvertise } = this.config.leafNodes;
    if (leafNodes === null || noAdvertise || this.host.life.state === "lame duck") return [];
    // One address, as nats-server tells it.
    return ownConnectUrls({ host, advertise, port: leafNodes.port }).slice(0, 1);
  }

  /** Where clients can connect in this cluster, this server included; empty where it is not to be told. */
  connectUrls(side: Side = "inside"): string[] {
    const { host, config } = this;
    const { cluster } = host;
    // A server that never met another one has nothing to tell, as with nats-server.
    if (cluster === null || !cluster.members.hasMet || config.cluster.noAdvertise) return [];
    return [...this.ownConnectUrls(side), ...cluster.otherConnectUrls(side)];
  }

  /** Of this server alone, as it tells the others. */
  ownConnectUrls(side: Side): string[] {
    const { client, external } = this.host.listening.current;
    if (client === null || this.host.life.state === "lame duck") return [];
    if (side === "websocket") return this.ownWebSocketUrls();
    const { host, advertise, externalAdvertise } = this.config.client;
    const endpoint = { host, advertise, port: client.port };
    if (side === "inside") return ownConnectUrls(endpoint);
    const port = external?.port;
    return ownExternalUrls(endpoint, port === undefined ? null : { port, advertise: externalAdvertise });
  }

  private ownWebSocketUrls(): string[] {
    const { webSocket } = this.host.listening.current;
    const { host, advertise } = this.config.websocket;
    return webSocket === null ? [] : ownConnectUrls({ host, advertise, port: webSocket.port });
  }

  /** Where INFO says that the server is. */
  shownEndpoint(side: Side): { readonly host: string; readonly port: number } {
    const { client, external, webSocket } = this.host.listening.current;
    if (side === "websocket") return { host: this.config.websocket.host, port: webSocket?.port ?? 0 };
    const { host, port, advertise, externalHost, externalAdvertise } = this.config.client;
    const isOutside = side === "outside";
    const said = isOutside ? externalAdvertise : advertise;
    const endpoint = isOutside ? external : client;
    return {
      host: said?.host ?? (isOutside ? externalHost : null) ?? host,
      port: said?.port ?? endpoint?.port ?? port,
    };
  }

  /** What INFO says of TLS. */
  private shownTls(isTlsFirst: boolean): ClientInfo["tls"] {
    const { client } = this.host.tls;
    if (client === null) return null;
    const isAvailable = this.config.client.allowNonTls;
    return { isRequired: !isAvailable || isTlsFirst, isAvailable, verifies: client.verify === "required" };
  }

  /** As nats-server says it. */
  private shownWebSocketTls(): ClientInfo["tls"] {
    if (this.host.tls.websocket === null) return null;
    return { isRequired: true, isAvailable: true, verifies: this.host.tls.client?.verify === "required" };
  }

  private get config(): Config {
    return this.host.inForce.current.config;
  }
}
