/** The port for WebSocket: where it listens, whom it lets in, and what it says in its answer. */
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { rowsOf, type FieldOf, type Section, type Sheet } from "../option.ts";
import { advertise, type Address } from "../values/address.ts";
import { isSigned, type OperatorConfig } from "../values/operator-values.ts";
import { clientTls, type TlsConfig } from "../values/tls.ts";
import { credential } from "../values/users.ts";
import { bool, duration, metadata, stringOf, strings, text, type ValueType } from "../values/value-type.ts";
import type { AccountsConfig } from "./accounts.ts";
import type { AuthorizationConfig } from "./authorization.ts";
import { endpointRows, userRows } from "./shared-rows.ts";

interface WebSocketConfig {
  readonly host: string;
  /** null: no WebSocket; 0: the system picks a free port. */
  readonly port: number | null;
  readonly advertise: Address | null;
  readonly noTls: boolean;
  /** null: plaintext. */
  readonly tls: TlsConfig | null;
  readonly sameOrigin: boolean;
  /** Empty: all. */
  readonly allowedOrigins: readonly string[];
  readonly compression: boolean;
  /** 0: the usual one. */
  readonly handshakeTimeoutMs: number;
  /** null: that of other clients. */
  readonly pingIntervalMs: number | null;
  readonly jwtCookie: string | null;
  readonly userCookie: string | null;
  readonly passCookie: string | null;
  readonly tokenCookie: string | null;
  /** The user that a client over WebSocket without credentials becomes. */
  readonly noAuthUser: string | null;
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
  /** null: that of other clients. */
  readonly authTimeoutMs: number | null;
  /** Headers of the answer to an upgrade. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SeenByWebSocket {
  readonly websocket: WebSocketConfig;
  readonly authorization: AuthorizationConfig;
  readonly accounts: AccountsConfig;
  readonly operator: OperatorConfig;
}

const OWN_HEADERS: readonly string[] = ["host", "content-length", "connection", "upgrade", "nats-no-masking"];
const HEADER_NAME = /^[!#$%&'*+.^`|~\w-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\uffff]*$/;
const ORIGIN = /^(?:https?):\/\/[^\s/?#@]+(?:[/?#].*)?$/i;

const cookieName: ValueType<string> = { ...text, fromNode: (node) => stringOf(node) || undefined };

const origins: ValueType<readonly string[]> = {
  ...strings,
  // A single one may stand without brackets.
  fromNode(node, notes) {
    const list = node.kind === "string" ? [node.value] : (strings.fromNode(node, notes) ?? []);
    const wrong = list.find((origin) => !ORIGIN.test(origin));
    if (wrong === undefined) return list;
    const reason = `unable to parse allowed origin ${JSON.stringify(wrong)}: expected a URL such as https://example.com`;
    throw new ConfError(node.at, reason);
  },
};

const headers: ValueType<Readonly<Record<string, string>>> = {
  ...metadata,
  fromNode(node, notes) {
    const all = metadata.fromNode(node, notes) ?? {};
    for (const [name, value] of Object.entries(all)) checkHeader(node, name, value);
    return all;
  },
};

/** In the words of nats-server. A line break would add a header that nobody looked at. */
function checkHeader(node: ConfNode, name: string, value: string): void {
  const key = name.toLowerCase();
  if (OWN_HEADERS.includes(key)) throw new ConfError(node.at, `invalid header "${name}" not allowed`);
  if (key.startsWith("sec-websocket-"))
    throw new ConfError(node.at, `invalid header "${name}", "Sec-WebSocket-" prefix not allowed`);
  if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value))
    throw new ConfError(
      node.at,
      `header ${JSON.stringify(name)} is not one of HTTP: it may not have line breaks`,
    );
}

const PLACE = { section: "websocket", key: "websocket", heading: "WebSocket" } as const;
const { option } = rowsOf<SeenByWebSocket, "websocket">(PLACE.section, PLACE.heading);

export const websocket: Section<SeenByWebSocket, "websocket"> = {
  name: "websocket",
  blockAliases: { ws: "websocket", "websocket.authentication": "websocket.authorization" },
  rows: [
    ...endpointRows<SeenByWebSocket, "websocket">(PLACE, {
      listen: "Host and port for WebSocket in one; this is what turns WebSocket on",
      host: "Address to listen on for WebSocket",
      port: "Port for WebSocket, -1 for a free one; this, too, turns it on",
    }),
    option({
      key: "websocket.advertise",
      field: "advertise",
      type: advertise,
      default: null,
      reload: "live",
      description: "Address that clients over WebSocket are told instead of this server's own",
    }),
    option({
      key: "websocket.no_tls",
      field: "noTls",
      type: bool,
      default: false,
      reload: "restart",
      description:
        "Serve WebSocket in plaintext, as behind a proxy that ends TLS; without it a tls block is required",
    }),
    option({
      key: "websocket.tls",
      field: "tls",
      type: clientTls,
      default: null,
      defaultText: "off",
      reload: "live",
      description: "TLS for WebSocket: the block of keys described in docs/security.md",
    }),
    option({
      key: "websocket.same_origin",
      field: "sameOrigin",
      type: bool,
      default: false,
      reload: "live",
      description: "Take browsers only from pages of the host and port that they connect to",
    }),
    option({
      key: "websocket.allowed_origins",
      aliases: ["allowed_origin", "allow_origins", "allow_origin", "origins", "origin"],
      field: "allowedOrigins",
      type: origins,
      default: [],
      defaultText: "all",
      reload: "live",
      description: "Origins whose pages browsers may come from, such as https://example.com",
    }),
    option({
      key: "websocket.compression",
      aliases: ["compress"],
      field: "compression",
      type: bool,
      default: false,
      reload: "live",
      description: "Compress messages (permessage-deflate) for clients that offer it",
    }),
    option({
      key: "websocket.handshake_timeout",
      field: "handshakeTimeoutMs",
      type: duration({ minMs: 1, zero: "itself", bareNumber: "seconds" }),
      default: 0,
      defaultText: "10s",
      reload: "live",
      description: "Time for TLS, and again for the request to be read",
    }),
    option({
      key: "websocket.ping_interval",
      field: "pingIntervalMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" }),
      default: null,
      defaultText: "ping_interval",
      reload: "live",
      description: "Time between PINGs to an idle client over WebSocket",
    }),
    option({
      key: "websocket.jwt_cookie",
      field: "jwtCookie",
      type: cookieName,
      default: null,
      reload: "restart",
      description: "Cookie whose value is taken for the jwt that CONNECT lacks; needs an operator",
    }),
    option({
      key: "websocket.user_cookie",
      field: "userCookie",
      type: cookieName,
      default: null,
      reload: "live",
      description: "Cookie whose value is taken for the user that CONNECT lacks",
    }),
    option({
      key: "websocket.pass_cookie",
      field: "passCookie",
      type: cookieName,
      default: null,
      reload: "live",
      description: "Cookie whose value is taken for the password that CONNECT lacks",
    }),
    option({
      key: "websocket.token_cookie",
      field: "tokenCookie",
      type: cookieName,
      default: null,
      reload: "live",
      description: "Cookie whose value is taken for the token that CONNECT lacks",
    }),
    option({
      key: "websocket.no_auth_user",
      field: "noAuthUser",
      type: credential,
      default: null,
      reload: "live",
      description: "One of the users; clients over WebSocket without credentials are taken for it",
    }),
    ...userRows<SeenByWebSocket, "websocket">(PLACE, {
      user: "User required over WebSocket, instead of that of authorization",
      password: "Password of that user",
    }),
    option({
      key: "websocket.authorization.token",
      field: "token",
      isSecret: true,
      type: credential,
      default: null,
      reload: "live",
      description: "Token required over WebSocket, instead of that of authorization",
    }),
    option({
      key: "websocket.authorization.timeout",
      field: "authTimeoutMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds" }),
      default: null,
      defaultText: "authorization.timeout",
      reload: "live",
      description: "Time a client over WebSocket has to say who it is",
    }),
    option({
      key: "websocket.headers",
      field: "headers",
      type: headers,
      default: {},
      defaultText: "none",
      reload: "live",
      description: "Headers of the answer to an upgrade, such as Strict-Transport-Security",
    }),
  ],
  check(config, sheet) {
    return config.websocket.port === null ? [] : problemsOf(config, sheet);
  },
};

function problemsOf(
  { websocket: ws, authorization, accounts, operator }: SeenByWebSocket,
  sheet: Sheet<FieldOf<SeenByWebSocket>>,
): ConfError[] {
  const errors: ConfError[] = [];
  const refuse = (field: FieldOf<SeenByWebSocket>, reason: string): void =>
    void errors.push(sheet.errorAt([field], reason));
  if (ws.tls === null && !ws.noTls && sheet.knows("websocket.tls"))
    refuse("websocket.port", "websocket requires TLS configuration: a tls block, or no_tls behind a proxy");
  if (ws.tls?.certificates.length === 0)
    refuse("websocket.tls", "tls: missing cert_file in TLS configuration");
  const users = [...authorization.users, ...accounts.list.flatMap((account) => account.users)];
  const knowsUsers = sheet.knows("accounts.list", "authorization.users");
  const mayExist = authorization.usersDir !== null || !knowsUsers;
  if (ws.noAuthUser !== null && !mayExist && !users.some(({ user }) => user === ws.noAuthUser)) {
    const reason = "no_auth_user must be one of authorization.users or of the users of an account";
    refuse("websocket.noAuthUser", `websocket: ${reason}`);
  }
  if (users.length > 0 && ws.user !== null)
    refuse("websocket.user", "websocket authentication username not compatible with presence of users/nkeys");
  if (users.length > 0 && ws.token !== null)
    refuse("websocket.token", "websocket authentication token not compatible with presence of users/nkeys");
  if (ws.user === null && ws.password !== null) refuse("websocket.password", "a password needs a user");
  if (ws.user !== null && ws.token !== null)
    refuse("websocket.token", "a token excludes a user with password: keep one of them");
  if (ws.jwtCookie !== null && !isSigned(operator) && sheet.knows("operator.operators")) {
    const reason =
      "trusted operators or trusted keys configuration is required for JWT authentication via cookie";
    refuse("websocket.jwtCookie", `${reason} "${ws.jwtCookie}"`);
  }
  return errors;
}
