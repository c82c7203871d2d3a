/**
 * INFO and CONNECT between servers. Field names are those of nats-server; `shoal`, `zone`, `clients` and `external_urls` are ours,
 * which it ignores.
 */
import { parseObject } from "./connect.ts";
import { checkedFields } from "../base/json.ts";
import { ROUTE_CONNECT_FIELDS, ROUTE_INFO_FIELDS } from "./route-info-fields.ts";
import { infoLine, NATS_LEVEL, toByteString, type ServerIdentity } from "./info.ts";

/** Version of the route protocol: 3, as in nats-server since 2.11, which means that headers of message traces may be sent. */
const ROUTE_PROTOCOL = 3;

export interface OwnRouteInfo {
  readonly identity: ServerIdentity;
  readonly host: string;
  readonly port: number;
  /** `nats-route://host:port/`; "": as seen by the peer. */
  readonly ip: string;
  readonly headers: boolean;
  readonly authRequired: boolean;
  /** By TLS, with certificates on both sides. */
  readonly isSecured: boolean;
  readonly maxPayloadBytes: number;
  readonly cluster: string;
  readonly clusterDynamic: boolean;
  readonly connectUrls: readonly string[];
  /** Where clients connect over WebSocket. */
  readonly webSocketUrls: readonly string[];
  /** Where leaf nodes connect. */
  readonly leafUrls: readonly string[];
  /** Where clients outside connect. */
  readonly externalUrls: readonly string[];
  readonly isLameDuck: boolean;
  /** 0: no pool. */
  readonly poolSize: number;
  readonly poolIndex: number;
  readonly account: string;
  readonly gossipMode: number;
  /** "": not known. */
  readonly zone: string;
  /** How many there are; null: not told. */
  readonly clients: number | null;
  /** As modes are written. */
  readonly compression: string;
  readonly permissions: { readonly import?: object | undefined; readonly export?: object | undefined };
}

export function routeInfoLine(info: OwnRouteInfo): string {
  return infoLine({
    server_id: info.identity.id,
    server_name: info.identity.name,
    version: NATS_LEVEL,
    proto: ROUTE_PROTOCOL,
    go: `node ${process.version}`,
    host: info.host,
    port: info.port,
    headers: info.headers,
    ...(info.authRequired ? { auth_required: true } : {}),
    ...(info.isSecured ? { tls_required: true, tls_verify: true } : {}),
    max_payload: info.maxPayloadBytes,
    ...(info.ip === "" ? {} : { ip: info.ip }),
    cluster: info.cluster,
    ...(info.clusterDynamic ? { cluster_dynamic: true } : {}),
    ...(info.connectUrls.length === 0 ? {} : { connect_urls: info.connectUrls }),
    ...(info.webSocketUrls.length === 0 ? {} : { ws_connect_urls: info.webSocketUrls }),
    ...(info.isLameDuck ? { ldm: true } : {}),
    ...(info.permissions.import === undefined ? {} : { import: info.permissions.import }),
    ...(info.permissions.export === undefined ? {} : { export: info.permissions.export }),
    lnoc: true,
    lnocu: true,
    ...(info.compression === "not supported" ? {} : { compression: info.compression }),
    ...(info.poolSize > 0 ? { route_pool_size: info.poolSize } : {}),
    ...(info.poolIndex > 0 ? { route_pool_idx: info.poolIndex } : {}),
    ...(info.account === "" ? {} : { route_account: info.account }),
    ...(info.gossipMode > 0 ? { gossip_mode: info.gossipMode } : {}),
    ...(info.leafUrls.length === 0 ? {} : { leafnode_urls: info.leafUrls }),
    shoal: true,
    ...(info.externalUrls.length === 0 ? {} : { external_urls: info.externalUrls }),
    ...(info.zone === "" ? {} : { zone: info.zone }),
    ...(info.clients === null ? {} : { clients: info.clients }),
  });
}

/** Without what concerns the one connection alone on which it came. */
export function withoutSlot(raw: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { route_account: _, route_pool_idx: __, ...kept } = raw;
  return kept;
}

/** For the connection of an account that has one of its own. */
export function forPinned(raw: Readonly<Record<string, unknown>>, account: string): Record<string, unknown> {
  return { ...raw, route_account: account };
}

/** A peer's INFO handed on to others. */
export function gossipLine(raw: Readonly<Record<string, unknown>>, ip: string, gossipMode: number): string {
  const { nonce: _, gossip_mode: __, ...kept } = raw;
  return infoLine({ ...kept, ip, ...(gossipMode > 0 ? { gossip_mode: gossipMode } : {}) });
}

export interface RouteConnect {
  readonly serverId: string;
  readonly cluster: string;
  readonly clusterDynamic: boolean;
  readonly user: string;
  readonly pass: string;
  readonly isSecured: boolean;
}

export function routeConnectLine(connect: RouteConnect & { readonly headers: boolean }): string {
  const fields = {
    echo: true,
    verbose: false,
    pedantic: false,
    ...(connect.user === "" ? {} : { user: connect.user, pass: connect.pass }),
    tls_required: connect.isSecured,
    headers: connect.headers,
    name: connect.serverId,
    cluster: connect.cluster,
    ...(connect.clusterDynamic ? { cluster_dynamic: true } : {}),
  };
  return `CONNECT ${toByteString(JSON.stringify(fields))}\r\n`;
}

/** What a dialling server's CONNECT says; `lang` betrays a client on the wrong port. Null: it makes no sense. */
export function readRouteConnect(json: string): (RouteConnect & { lang: string; gateway: string }) | null {
  const said = parseObject(json);
  const fields = said === null ? "" : checkedFields(said, ROUTE_CONNECT_FIELDS);
  if (typeof fields === "string") return null;
  return {
    serverId: text(fields, "name"),
    cluster: text(fields, "cluster"),
    clusterDynamic: fields["cluster_dynamic"] === true,
    user: text(fields, "user"),
    pass: text(fields, "pass"),
    isSecured: fields["tls_required"] === true,
    lang: text(fields, "lang"),
    gateway: text(fields, "gateway"),
  };
}

/** A peer's INFO as it stands, its fields checked; a text says what is wrong with it. */
export function readRouteInfo(json: string): Record<string, unknown> | string {
  const said = parseObject(json);
  if (said === null) return "INFO is not the JSON it should be";
  const fields = checkedFields(said, ROUTE_INFO_FIELDS);
  if (typeof fields === "string") return `INFO is not what it should be: ${fields}`;
  return text(fields, "server_id") === "" ? "INFO names no server" : fields;
}

/** A text field, "" where it is missing or not text. */
export function text(fields: Readonly<Record<string, unknown>>, key: string): string {
  const value = fields[key];
  return typeof value === "string" ? value : "";
}

/** A whole number of a field, 0 where it is missing or not a number. Its bounds are those of `ROUTE_INFO_FIELDS`. */
export function whole(fields: Readonly<Record<string, unknown>>, key: string): number {
  const value = fields[key];
  return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
}
