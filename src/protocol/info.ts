/** INFO: what a server says of itself. Field names and their order are those of nats-server. */

/**
 * The level of nats-server that this server implements: clients and servers switch features on it. The product's own
 * version is elsewhere.
 */
export const NATS_LEVEL = "2.15.3";

/** Version of the client protocol: INFO may be sent again at any time. */
const CLIENT_PROTOCOL = 1;

export interface ServerIdentity {
  readonly id: string;
  readonly name: string;
}

export interface ClientInfo {
  readonly identity: ServerIdentity;
  readonly host: string;
  readonly port: number;
  readonly authRequired: boolean;
  /** null: plaintext. */
  readonly tls: {
    readonly isRequired: boolean;
    readonly isAvailable: boolean;
    readonly verifies: boolean;
  } | null;
  readonly headers: boolean;
  readonly maxPayloadBytes: number;
  readonly cid: number;
  readonly clientAddress: string;
  /** For the client to sign; "": none. */
  readonly nonce: string;
  readonly cluster: string;
  readonly connectUrls: readonly string[];
  readonly isLameDuck: boolean;
  /** null: there is none. */
  readonly jetStream: { readonly domain: string; readonly apiLevel: number } | null;
  /** The account of the client, told once after its first PING. */
  readonly account: string | undefined;
  /** That is the system account. */
  readonly isSystemAccount?: boolean;
  /** Public curve key, to which secrets for the server are sealed. */
  readonly xkey: string;
}

/** The INFO line for a client, with CRLF. Text of people (names) is UTF-8; the result is a byte string. */
export function clientInfoLine(info: ClientInfo): string {
  const fields = {
    server_id: info.identity.id,
    server_name: info.identity.name,
    version: NATS_LEVEL,
    proto: CLIENT_PROTOCOL,
    go: `node ${process.version}`,
    host: info.host,
    port: info.port,
    headers: info.headers,
    ...(info.authRequired ? { auth_required: true } : {}),
    ...(info.tls?.isRequired === true ? { tls_required: true } : {}),
    ...(info.tls?.verifies === true ? { tls_verify: true } : {}),
    ...(info.tls?.isAvailable === true ? { tls_available: true } : {}),
    max_payload: info.maxPayloadBytes,
    ...(info.jetStream === null ? {} : { jetstream: true, api_lvl: info.jetStream.apiLevel }),
    client_id: info.cid,
    client_ip: info.clientAddress,
    ...(info.nonce === "" ? {} : { nonce: info.nonce }),
    ...(info.cluster === "" ? {} : { cluster: info.cluster }),
    ...(info.connectUrls.length === 0 ? {} : { connect_urls: info.connectUrls }),
    ...(info.isLameDuck ? { ldm: true } : {}),
    ...(info.jetStream === null || info.jetStream.domain === "" ? {} : { domain: info.jetStream.domain }),
    ...(info.account === undefined ? {} : { connect_info: true, remote_account: info.account }),
    ...(info.isSystemAccount === true ? { acc_is_sys: true } : {}),
    xkey: info.xkey,
  };
  return infoLine(fields);
}

export function infoLine(fields: object): string {
  return `INFO ${toByteString(JSON.stringify(fields))} \r\n`;
}

// oxlint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/** UTF-8 as one character per byte. */
export function toByteString(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** The other way round: bytes that are no UTF-8 become U+FFFD. */
export function fromByteString(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}
