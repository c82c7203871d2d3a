/** What this server says to the others: its INFO and its CONNECT. */
import type { Live } from "../../base/live.ts";
import { routeUrl } from "../../cluster/address.ts";
import type { GossipMode, PeerAddress } from "../../cluster/mesh-types.ts";
import type { RoutePermissions } from "../../links/route/permissions.ts";
import { fromByteString } from "../../protocol/info.ts";
import { routeConnectLine, routeInfoLine, type OwnRouteInfo } from "../../protocol/route-info.ts";
import type { ClusterPortOptions, ClusterSettings } from "./cluster-port-options.ts";
import type { RouteCredentials, DialTarget } from "./peer-discovery.ts";
import type { SubjectRules } from "../../core/permissions.ts";

/** What concerns one connection alone. */
interface InfoFields {
  readonly routePoolIdx?: number;
  readonly routeAccount?: string;
  readonly gossipMode?: GossipMode;
  /** The mode that was agreed on; absent: the one that is configured. */
  readonly compression?: string;
}

/** What it says by configuration, whoever is told and whatever becomes of the cluster. */
type FixedInfo = Omit<
  OwnRouteInfo,
  | "cluster"
  | "clusterDynamic"
  | "isLameDuck"
  | "poolIndex"
  | "account"
  | "gossipMode"
  | "zone"
  | "clients"
  | "compression"
>;

export class RouteWords {
  clusterName: string;
  isNameDynamic: boolean;
  isLameDuck = false;
  /** Endpoint of the route port, once it listens. */
  port: number;
  private readonly options: ClusterPortOptions;
  private readonly settings: Live<ClusterSettings>;
  private readonly zone: () => string;

  constructor(options: ClusterPortOptions, settings: Live<ClusterSettings>, zone: () => string) {
    this.options = options;
    this.settings = settings;
    this.clusterName = options.name;
    this.isNameDynamic = options.isNameDynamic;
    this.port = options.port;
    this.zone = zone;
  }

  infoLine(fields: InfoFields = {}): string {
    return routeInfoLine({
      ...this.fixedInfo(),
      cluster: this.clusterName,
      clusterDynamic: this.isNameDynamic,
      isLameDuck: this.isLameDuck,
      poolIndex: fields.routePoolIdx ?? 0,
      account: fields.routeAccount ?? "",
      gossipMode: fields.gossipMode ?? 0,
      zone: this.zone(),
      compression: fields.compression ?? this.settings.current.compression.mode,
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
  credentialsFor(address: PeerAddress): RouteCredentials | null {
    const { credentials = this.settings.current.credentials } = address as DialTarget;
    return credentials;
  }

  private fixedInfo(): FixedInfo {
    const { options, port } = this;
    const { noAdvertise, credentials, maxPayloadBytes, permissions } = this.settings.current;
    const { advertise } = options;
    const advertised = advertise === null ? null : { host: advertise.host, port: advertise.port ?? port };
    return {
      identity: options.identity,
      host: advertised?.host ?? options.host,
      port: advertised?.port ?? port,
      ip: advertised === null ? "" : routeUrl(advertised),
      headers: !options.noHeaders,
      authRequired: credentials !== null,
      isSecured: options.tls() !== null,
      maxPayloadBytes,
      connectUrls: noAdvertise ? [] : options.ownConnectUrls("inside"),
      webSocketUrls: noAdvertise ? [] : options.ownConnectUrls("websocket"),
      externalUrls: noAdvertise ? [] : options.ownConnectUrls("outside"),
      leafUrls: options.ownConnectUrls("leaf"),
      poolSize: Math.max(0, options.poolSize),
      permissions: shownPermissions(permissions),
    };
  }
}

function shownPermissions(permissions: RoutePermissions): OwnRouteInfo["permissions"] {
  return { import: shownRules(permissions.import), export: shownRules(permissions.export) };
}

/** As text again. Empty lists are left out, as nats-server does. */
function shownRules(rules: SubjectRules | null): object | undefined {
  if (rules === null) return undefined;
  const { allow, deny } = rules;
  return {
    ...(allow === null ? {} : { allow: allow.map(fromByteString) }),
    ...(deny.length === 0 ? {} : { deny: deny.map(fromByteString) }),
  };
}
