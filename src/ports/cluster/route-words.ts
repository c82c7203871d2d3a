/** What this server says to the others: its INFO and its CONNECT. */
import type { GossipMode, PeerAddress } from "../../cluster/mesh-types.ts";
import { routeConnectLine, routeInfoLine } from "../../protocol/route-info.ts";
import type { ClusterPortOptions } from "./cluster-port-options.ts";
import { fixedRouteInfo } from "./own-route-info.ts";
import type { Credentials, DialTarget } from "./peer-discovery.ts";

interface InfoFields {
  readonly routePoolIdx?: number;
  readonly routeAccount?: string;
  readonly gossipMode?: GossipMode;
}

export class RouteWords {
  clusterName: string;
  isNameDynamic: boolean;
  isLameDuck = false;
  /** Of the route port, once it listens. */
  port: number;
  private readonly options: ClusterPortOptions;
  private readonly zone: () => string;

  constructor(options: ClusterPortOptions, zone: () => string) {
    this.options = options;
    this.clusterName = options.name;
    this.isNameDynamic = options.isNameDynamic;
    this.port = options.port;
    this.zone = zone;
  }

  infoLine(fields: InfoFields = {}): string {
    return routeInfoLine({
      ...fixedRouteInfo(this.options, this.port),
      cluster: this.clusterName,
      clusterDynamic: this.isNameDynamic,
      isLameDuck: this.isLameDuck,
      poolIndex: fields.routePoolIdx ?? 0,
      account: fields.routeAccount ?? "",
      gossipMode: fields.gossipMode ?? 0,
      zone: this.zone(),
      clients: this.options.toldClients(),
    });
  }

  connectLine(address: PeerAddress): string {
    const credentials = this.credentialsFor(address);
    return routeConnectLine({
      serverId: this.options.identity.id,
      cluster: this.clusterName,
      clusterDynamic: this.isNameDynamic,
      user: credentials?.user ?? "",
      pass: credentials?.pass ?? "",
      isSecured: this.options.tls() !== null,
      headers: !this.options.noHeaders,
    });
  }

  /** As nats-server does it: a configured route has the credentials of its URL or none; others, the cluster's own. */
  credentialsFor(address: PeerAddress): Credentials | null {
    const { credentials = this.options.credentials } = address as DialTarget;
    return credentials;
  }
}
