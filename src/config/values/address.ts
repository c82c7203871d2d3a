/** Ports, addresses to listen on and to advertise, and the URLs of routes. */
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import {
  integerOf,
  listNode,
  mismatch,
  stringNode,
  stringOf,
  wordNode,
  type ValueType,
} from "./value-type.ts";
import { bracketed } from "../../base/host-port.ts";

export interface Address {
  readonly host: string;
  /** null: the port that the server listens on. */
  readonly port: number | null;
}

export interface RouteUrl {
  readonly host: string;
  /** null: the SRV records give it. */
  readonly port: number | null;
  /** Absent: a name in `host` is resolved to its addresses. */
  readonly records?: "srv";
  readonly user: string | null;
  readonly password: string | null;
}

export interface Listen {
  /** undefined: the default host. */
  readonly host: string | undefined;
  /** undefined: the default port; 0: the system picks one. */
  readonly port: number | undefined;
}

/** A listen address given as a URL by a flag, which may carry the credentials of routes. */
export interface ListenUrl extends Listen {
  readonly user: string | null;
  readonly password: string | null;
}

const PORT_MAX = 65_535;
const EXPECTED_PORT = `a port from 1 to ${PORT_MAX}, or -1 for a free one`;
const EXPECTED_LISTEN = "host:port or a port, as in 0.0.0.0:4222";
const SYSLOG_PORT = 514;
const EXPECTED_SYSLOG = "udp://host:port or tcp://host:port, as in udp://127.0.0.1:514";
const EXPECTED_ADVERTISE = "host or host:port, as in nats.example.com:4222";
const EXPECTED_ROUTE =
  "a route as in nats://host:6222, nats://user:password@host:6222 or dns+srv://_cluster._tcp.name";
/**
 * `tls` is what the NATS chart writes where `cluster.tls` is set, which alone decides whether routes are secured. What precedes the last @
 * is user and password, and has no slash: a scheme that is not known is no user.
 */
const ROUTE = /^(?:(nats|nats-route|tls|dns\+srv):\/\/)?(?:([^/?#]*)@)?([^@/?#]*)\/?$/i;
const SRV_NAME = /^_[^.]+\._(?:tcp|udp)\./i;

/** A port to listen on: -1 becomes 0 (a free port), 0 means the default. */
export const port: ValueType<number> = {
  name: "port",
  fromNode: (node) => listenPort(integerOf(node, -1, PORT_MAX, EXPECTED_PORT)),
  nodeFromText: wordNode,
  show: String,
};

export const listen: ValueType<Listen> = {
  name: "host:port",
  fromNode(node) {
    if (node.kind === "int") return { host: undefined, port: port.fromNode(node, { warn: () => undefined }) };
    return parseListen(stringOf(node, EXPECTED_LISTEN), node);
  },
  nodeFromText: (value, at) =>
    /^-?\d+$/.test(value.trim()) ? wordNode(value, at) : stringNode(value.trim(), at),
  show: ({ host, port: number }) => `${bracketed(host ?? "")}:${number ?? ""}`,
};

/** What --cluster takes: nats://[user:password@]host:port, with or without the scheme. */
export const listenUrl: ValueType<ListenUrl> = {
  name: "url",
  fromNode(node) {
    const url = stringOf(node, "a URL as in nats://0.0.0.0:6222");
    const match = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:([^/?#]*)@)?([^@/?#]*)\/?$/i.exec(url);
    if (match === null) throw new ConfError(node.at, "expected a URL as in nats://0.0.0.0:6222");
    const address = parseListen(match[2] ?? "", node);
    if (match[1] === undefined) return { ...address, user: null, password: null };
    const { user, password } = parseCredentials(match[1], node);
    if (password === null)
      throw new ConfError(
        node.at,
        "expected a password after the user, as in nats://user:password@host:port",
      );
    return { ...address, user, password };
  },
  nodeFromText: (value, at) => stringNode(value.trim(), at),
  show: (value) => listen.show(value),
};

/** In one form: with the port, without a path. */
export const syslogUrl: ValueType<string> = {
  name: "url",
  fromNode(node) {
    const value = stringOf(node, EXPECTED_SYSLOG);
    if (value === "") return undefined;
    const match = /^(udp|tcp):\/\/(\[[\da-f:.]+\]|[^\s@/?#:[\]]+)(?::(\d{1,5}))?\/?$/i.exec(value);
    const port = Number(match?.[3] ?? SYSLOG_PORT);
    if (match === null || port < 1 || port > PORT_MAX) {
      throw new ConfError(node.at, `expected ${EXPECTED_SYSLOG}`);
    }
    return `${match[1]!.toLowerCase()}://${match[2]}:${port}`;
  },
  nodeFromText: (value, at) => stringNode(value.trim(), at),
  show: (value) => value,
};

export const advertise: ValueType<Address> = {
  name: "host[:port]",
  fromNode(node) {
    const value = stringOf(node, EXPECTED_ADVERTISE);
    if (value === "") return undefined;
    const { host, port: number } = splitHostPort(value) ?? { host: value, port: "" };
    if (host === "" || /[\s/@]/.test(host) || !/^(-1|\d{0,5})$/.test(number) || Number(number) > PORT_MAX) {
      throw new ConfError(node.at, `expected ${EXPECTED_ADVERTISE}`);
    }
    return { host, port: Number(number) > 0 ? Number(number) : null };
  },
  nodeFromText: (value, at) => stringNode(value.trim(), at),
  show: ({ host, port: number }) => (number === null ? host : `${bracketed(host)}:${number}`),
};

export const routeUrls: ValueType<readonly RouteUrl[]> = {
  name: "list of urls",
  fromNode(node, notes) {
    if (node.kind !== "array") mismatch(node, "a list of routes, as in [nats://host:6222]");
    const seen = new Set<string>();
    const routes: RouteUrl[] = [];
    for (const item of node.items) {
      const url = stringOf(item, EXPECTED_ROUTE).trim();
      if (seen.has(url)) notes.warn(item.at, "this route is already in the list");
      else routes.push(parseRoute(url, item));
      seen.add(url);
    }
    return routes;
  },
  nodeFromText: listNode,
  show: (routes) => routes.map(showRoute).join(", "),
};

function parseListen(value: string, node: ConfNode): Listen {
  const parts = splitHostPort(value);
  if (parts === null || /[\s/@]/.test(parts.host) || !/^-?\d+$/.test(parts.port)) {
    throw new ConfError(node.at, `expected ${EXPECTED_LISTEN}`);
  }
  const number = Number(parts.port);
  if (number < -1 || number > PORT_MAX)
    throw new ConfError(node.at, `expected ${EXPECTED_PORT}, got ${number}`);
  return { host: parts.host === "" ? undefined : parts.host, port: listenPort(number) };
}

function listenPort(number: number): number | undefined {
  return number === 0 ? undefined : number === -1 ? 0 : number;
}

function parseRoute(url: string, node: ConfNode): RouteUrl {
  const match = ROUTE.exec(url);
  const at = match?.[3] ?? "";
  const isSrv = match?.[1]?.toLowerCase() === "dns+srv" || SRV_NAME.test(at);
  const address = isSrv && !at.includes(":") ? { host: at, port: null } : splitHostPort(at);
  const number = address === null || address.port === null ? null : Number(address.port);
  if (
    match === null ||
    address === null ||
    address.host === "" ||
    /\s/.test(url) ||
    (number !== null && !(number >= 1 && number <= PORT_MAX))
  ) {
    throw new ConfError(node.at, `expected ${EXPECTED_ROUTE}`);
  }
  const credentials =
    match[2] === undefined ? { user: null, password: null } : parseCredentials(match[2], node);
  return { host: address.host, port: number, ...(isSrv && { records: "srv" }), ...credentials };
}

function showRoute({ host, port: number, records }: RouteUrl): string {
  const scheme = records === "srv" ? "dns+srv" : "nats";
  return `${scheme}://${bracketed(host)}${number === null ? "" : `:${number}`}`;
}

function parseCredentials(userInfo: string, node: ConfNode): { user: string; password: string | null } {
  const colon = userInfo.indexOf(":");
  const parts = colon === -1 ? [userInfo] : [userInfo.slice(0, colon), userInfo.slice(colon + 1)];
  try {
    const [user = "", password = null] = parts.map(decodeURIComponent);
    return { user, password };
  } catch {
    throw new ConfError(node.at, "expected user and password with percent signs written as %25");
  }
}

/** "host:port" or "[::1]:port" into its parts, null if there is no port or a colon too many. */
function splitHostPort(value: string): { host: string; port: string } | null {
  const match = /^(?:\[([^\][]*)\]|([^:[\]]*)):([^:]*)$/.exec(value);
  if (match === null) return null;
  return { host: match[1] ?? match[2] ?? "", port: match[3] ?? "" };
}
