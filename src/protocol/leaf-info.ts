/** INFO and CONNECT of leaf nodes. Field names and their order are those of nats-server. */
import { checkedFields, type FieldKind } from "../base/json.ts";
import { parseObject } from "./connect.ts";
import { infoLine, NATS_LEVEL, toByteString, type ServerIdentity } from "./info.ts";
import { readRouteInfo, text, whole } from "./route-info.ts";

/** As between nats-servers since 2.11: headers of message traces may be sent. */
const LEAF_PROTOCOL = 3;

/** Subjects as byte strings. */
export interface WireRules {
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

export interface OwnLeafInfo {
  readonly identity: ServerIdentity;
  readonly host: string;
  readonly port: number;
  readonly headers: boolean;
  readonly tls: { readonly isRequired: boolean; readonly verifies: boolean };
  readonly maxPayloadBytes: number;
  /** "": it is in none. */
  readonly cluster: string;
  readonly domain: string;
  readonly hasJetStream: boolean;
  readonly cid: number;
  /** "": not in this one. */
  readonly nonce: string;
  /** As modes are written; "": not told. */
  readonly compression: string;
  /** Where leaf nodes can connect. */
  readonly leafUrls: readonly string[];
  readonly webSocketUrls: readonly string[];
  /** The answer to CONNECT; null: this is another INFO. */
  readonly admission: {
    readonly account: string;
    readonly isSystemAccount: boolean;
    /** What the peer may be sent, and may send; null: everything. */
    readonly import: WireRules | null;
    readonly export: WireRules | null;
  } | null;
}

export function leafInfoLine(info: OwnLeafInfo): string {
  const { admission } = info;
  const at = `${info.host.includes(":") ? `[${info.host}]` : info.host}:${info.port}`;
  return infoLine({
    server_id: info.identity.id,
    server_name: info.identity.name,
    version: NATS_LEVEL,
    proto: LEAF_PROTOCOL,
    go: `node ${process.version}`,
    host: info.host,
    port: info.port,
    headers: info.headers,
    auth_required: true,
    ...(info.tls.isRequired ? { tls_required: true } : {}),
    ...(info.tls.verifies ? { tls_verify: true } : {}),
    max_payload: info.maxPayloadBytes,
    ...(info.hasJetStream ? { jetstream: true } : {}),
    ip: at,
    client_id: info.cid,
    ...(info.nonce === "" ? {} : { nonce: info.nonce }),
    ...(info.cluster === "" ? {} : { cluster: info.cluster }),
    ...(info.domain === "" ? {} : { domain: info.domain }),
    ...(info.webSocketUrls.length === 0 ? {} : { ws_connect_urls: info.webSocketUrls }),
    ...(info.compression === "" ? {} : { compression: info.compression }),
    ...(admission === null ? {} : admissionFields(admission)),
    info_on_connect: true,
    leafnode_urls: info.leafUrls,
  });
}

function admissionFields({
  account,
  isSystemAccount,
  import: imports,
  export: exports,
}: NonNullable<OwnLeafInfo["admission"]>): object {
  return {
    ...(imports === null ? {} : { import: rulesFields(imports) }),
    ...(exports === null ? {} : { export: rulesFields(exports) }),
    connect_info: true,
    remote_account: account,
    ...(isSystemAccount ? { acc_is_sys: true } : {}),
  };
}

function rulesFields({ allow, deny }: WireRules): object {
  return {
    ...(allow === null ? {} : { allow: allow.map(fromBytes) }),
    ...(deny.length === 0 ? {} : { deny: deny.map(fromBytes) }),
  };
}

function fromBytes(subject: string): string {
  return Buffer.from(subject, "latin1").toString("utf8");
}

/** What another server says in INFO on a leaf connection. */
export interface LeafInfo {
  readonly serverId: string;
  readonly name: string;
  readonly version: string;
  readonly cluster: string;
  readonly domain: string;
  readonly headers: boolean;
  readonly protocol: number;
  readonly tlsRequired: boolean;
  readonly nonce: string;
  readonly cid: number;
  readonly compression: string;
  readonly leafUrls: readonly string[];
  readonly webSocketUrls: readonly string[];
  /** It comes from the port for leaf nodes. */
  readonly isOfLeafPort: boolean;
  /** CONNECT is answered by one more INFO. */
  readonly infoOnConnect: boolean;
  /** This is the answer to CONNECT. */
  readonly isAdmission: boolean;
  readonly account: string;
  readonly isSystemAccount: boolean;
  readonly import: WireRules | null;
  readonly export: WireRules | null;
  readonly isLameDuck: boolean;
}

/**
 * What the INFO of a server that has dialled says of compression, which is all that it is for; null: it makes no sense. A nats-server that has no
 * port for leaf nodes leaves out the rest, its id among it.
 */
export function readToldCompression(json: string): string | null {
  const said = parseObject(json);
  const fields = said === null ? "" : checkedFields(said, { compression: "text" });
  return typeof fields === "string" ? null : text(fields, "compression");
}

/** A text: what is wrong with it. */
export function readLeafInfo(json: string): LeafInfo | string {
  const fields = readRouteInfo(json);
  if (typeof fields === "string") return fields;
  const leafUrls = textsOf(fields["leafnode_urls"]);
  const infoOnConnect = fields["info_on_connect"] === true;
  const cid = whole(fields, "client_id");
  return {
    serverId: text(fields, "server_id"),
    name: text(fields, "server_name") || text(fields, "server_id"),
    version: text(fields, "version"),
    cluster: text(fields, "cluster"),
    domain: text(fields, "domain"),
    headers: fields["headers"] === true,
    protocol: whole(fields, "proto"),
    tlsRequired: fields["tls_required"] === true,
    nonce: text(fields, "nonce"),
    cid,
    compression: text(fields, "compression"),
    leafUrls,
    webSocketUrls: textsOf(fields["ws_connect_urls"]),
    isOfLeafPort: cid > 0 && (fields["leafnode_urls"] !== undefined || infoOnConnect),
    infoOnConnect,
    isAdmission: fields["connect_info"] === true,
    account: text(fields, "remote_account"),
    isSystemAccount: fields["acc_is_sys"] === true,
    import: rulesOf(fields["import"]),
    export: rulesOf(fields["export"]),
    isLameDuck: fields["ldm"] === true,
  };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

function rulesOf(value: unknown): WireRules | null {
  if (typeof value !== "object" || value === null) return null;
  const { allow, deny } = value as { allow?: readonly string[] | null; deny?: readonly string[] | null };
  return { allow: allow?.map(toByteString) ?? null, deny: deny?.map(toByteString) ?? [] };
}

export interface LeafConnect {
  readonly version: string;
  readonly serverId: string;
  readonly name: string;
  readonly cluster: string;
  readonly domain: string;
  /** The soliciting server is the hub. */
  readonly isHub: boolean;
  readonly headers: boolean;
  readonly jetStream: boolean;
  /** Subjects that the soliciting server does not want to be sent, as byte strings. */
  readonly denyPublish: readonly string[];
  readonly isolate: boolean;
  readonly compression: string;
  readonly account: string;
  readonly protocol: number;
  readonly user: string;
  readonly pass: string;
  readonly authToken: string;
  readonly nkey: string;
  readonly jwt: string;
  readonly sig: string;
}

export function leafConnectLine(connect: Omit<LeafConnect, "version" | "protocol">): string {
  const fields = {
    version: NATS_LEVEL,
    ...unlessEmpty("nkey", connect.nkey),
    ...unlessEmpty("jwt", connect.jwt),
    ...unlessEmpty("sig", connect.sig),
    ...unlessEmpty("user", connect.user),
    ...unlessEmpty("pass", connect.pass),
    ...unlessEmpty("auth_token", connect.authToken),
    server_id: connect.serverId,
    ...unlessEmpty("domain", connect.domain),
    name: connect.name,
    ...(connect.isHub ? { is_hub: true } : {}),
    cluster: connect.cluster,
    headers: connect.headers,
    ...(connect.jetStream ? { jetstream: true } : {}),
    ...(connect.denyPublish.length === 0 ? {} : { deny_pub: connect.denyPublish.map(fromBytes) }),
    ...(connect.isolate ? { isolate: true } : {}),
    compress_mode: connect.compression,
    remote_account: connect.account,
    protocol: LEAF_PROTOCOL,
  };
  return `CONNECT ${toByteString(JSON.stringify(fields))}\r\n`;
}

function unlessEmpty(name: string, value: string): object {
  return value === "" ? {} : { [name]: value };
}

const CONNECT_FIELDS: Readonly<Record<string, FieldKind>> = {
  version: "text",
  nkey: "text",
  jwt: "text",
  sig: "text",
  user: "text",
  pass: "text",
  auth_token: "text",
  server_id: "text",
  domain: "text",
  name: "text",
  is_hub: "flag",
  cluster: "text",
  headers: "flag",
  jetstream: "flag",
  deny_pub: "texts",
  isolate: "flag",
  compress_mode: "text",
  gateway: "text",
  remote_account: "text",
  protocol: [0, 2 ** 31 - 1],
  lang: "text",
};

/** `lang` betrays a client on the wrong port, `gateway` a gateway. Null: it makes no sense. */
export function readLeafConnect(json: string): (LeafConnect & { lang: string; gateway: string }) | null {
  const said = parseObject(json);
  const fields = said === null ? "" : checkedFields(said, CONNECT_FIELDS);
  if (typeof fields === "string") return null;
  return {
    version: text(fields, "version"),
    serverId: text(fields, "server_id"),
    name: text(fields, "name"),
    cluster: text(fields, "cluster"),
    domain: text(fields, "domain"),
    isHub: fields["is_hub"] === true,
    headers: fields["headers"] === true,
    jetStream: fields["jetstream"] === true,
    denyPublish: textsOf(fields["deny_pub"]).map(toByteString),
    isolate: fields["isolate"] === true,
    compression: text(fields, "compress_mode"),
    account: text(fields, "remote_account"),
    protocol: whole(fields, "protocol"),
    user: text(fields, "user"),
    pass: text(fields, "pass"),
    authToken: text(fields, "auth_token"),
    nkey: text(fields, "nkey"),
    jwt: text(fields, "jwt"),
    sig: text(fields, "sig"),
    lang: text(fields, "lang"),
    gateway: text(fields, "gateway"),
  };
}
