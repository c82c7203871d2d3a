/** The value types of leaf nodes: the users that may connect as one, and the hubs that this server connects to. */
import { durationFromText } from "../../base/duration.ts";
import { isUserNkey, seedKey } from "../../keys/nkey.ts";
import { isValidSubject } from "../../subject/subject.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { LEAF_COMPRESSION, leafCompression, type Compression } from "./compression.ts";
import { field, listOf, record, type NodeReader } from "./record.ts";
import { clientTls, type TlsConfig } from "./tls.ts";
import { booleanOf, formatNode, mismatch, stringOf, stringsOf, type ValueType } from "./value-type.ts";

/** A user of `leafnodes.authorization`. */
export interface LeafUser {
  readonly user: string;
  readonly password: string;
  /** null: the global account. */
  readonly account: string | null;
  readonly needsProxy: boolean;
}

interface LeafUrl {
  readonly scheme: "nats" | "tls" | "ws" | "wss";
  readonly host: string;
  readonly port: number;
  readonly user: string | null;
  readonly password: string | null;
  /** Of WebSocket; "": none. */
  readonly path: string;
}

export interface LeafRemoteConfig {
  readonly urls: readonly LeafUrl[];
  /** null: the global account. */
  readonly account: string | null;
  /** A file with a user JWT and its seed; null: none. */
  readonly credentials: string | null;
  /** A seed; null: none. */
  readonly nkey: string | null;
  /** null: TLS where the hub asks for it, with the authorities of the system. */
  readonly tls: TlsConfig | null;
  readonly isHub: boolean;
  readonly denyImports: readonly string[];
  readonly denyExports: readonly string[];
  readonly noRandomize: boolean;
  readonly isIsolated: boolean;
  readonly requestsIsolation: boolean;
  readonly firstInfoTimeoutMs: number;
  /** null: that of the block. */
  readonly dialTimeoutMs: number | null;
  readonly isDisabled: boolean;
  readonly ignoresDiscovered: boolean;
  readonly compression: Compression;
  /** Of messages of WebSocket, instead of S2. */
  readonly webSocketCompression: boolean;
  readonly webSocketNoMasking: boolean;
}

const PORT = 7422;
const PORT_MAX = 65_535;
const FIRST_INFO_TIMEOUT_MS = 1000;
const TIMEOUT_MAX_MS = 24 * 3600 * 1000;
const EXPECTED_URL = "a URL of a hub, as in nats-leaf://user:password@hub.example.com:7422";
const URL_PARTS =
  /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:([^/?#]*)@)?(?:\[([\da-f:.]+)\]|([^@/?#:[\]\s]+))(?::(\d{1,5}))?(\/[^?#\s]*)?$/i;
/** All others are those of TCP, as to nats-server. */
const SCHEMES: Readonly<Record<string, LeafUrl["scheme"]>> = { tls: "tls", ws: "ws", wss: "wss" };

const userBlock = record<LeafUser>(
  {
    user: field("user username", (node) => stringOf(node), ""),
    password: field("pass password", (node) => stringOf(node), ""),
    account: field("account", (node): string | null => stringOf(node) || null, null),
    needsProxy: field("proxy_required", booleanOf, false),
  },
  { expected: "a user, as in {user: a, password: b, account: A}" },
);

const readUsers: NodeReader<readonly LeafUser[]> = (node, notes) => {
  const users = listOf(userBlock, "a list of users, as in [{user: a, password: b, account: A}]")(node, notes);
  const names = new Set<string>();
  for (const { user } of users) {
    if (names.has(user))
      throw new ConfError(
        node.at,
        `duplicate user ${JSON.stringify(user)} detected in leafnode authorization`,
      );
    names.add(user);
  }
  return users;
};

export const leafUsers: ValueType<readonly LeafUser[]> = {
  name: "list of {user, password, account}",
  fromNode: readUsers,
  nodeFromText: formatNode,
  show: (list) => list.map(({ user }) => user).join(", "),
};

/** The public nkey of a user. */
export const userNkey: ValueType<string> = {
  name: "nkey",
  fromNode(node) {
    const key = stringOf(node);
    if (key === "") return undefined;
    if (isUserNkey(key)) return key;
    throw new ConfError(node.at, "expected a public nkey of a user, which begins with U");
  },
  nodeFromText: (value, at) => ({ kind: "string", value, at }),
  show: (key) => key,
};

const remoteBlock = record<LeafRemoteConfig>(
  {
    urls: field("url urls", (node) => stringsOf(node, EXPECTED_URL).map((url) => readUrl(url, node)), []),
    account: field("account local", (node): string | null => stringOf(node) || null, null),
    credentials: field(
      "creds credentials",
      (node): string | null => stringOf(node, "a file name") || null,
      null,
    ),
    nkey: field("nkey seed", readSeed, null),
    tls: field("tls", (node, notes): TlsConfig | null => clientTls.fromNode(node, notes) ?? null, null),
    isHub: field("hub", booleanOf, false),
    denyImports: field("deny_imports deny_import", readSubjects, []),
    denyExports: field("deny_exports deny_export", readSubjects, []),
    noRandomize: field("no_randomize dont_randomize", booleanOf, false),
    isIsolated: field("isolate_leafnode_interest isolate", booleanOf, false),
    requestsIsolation: field("request_isolation", booleanOf, false),
    firstInfoTimeoutMs: field("first_info_timeout", timeoutOf(FIRST_INFO_TIMEOUT_MS), FIRST_INFO_TIMEOUT_MS),
    dialTimeoutMs: field("dial_timeout", timeoutOf(null), null),
    isDisabled: field("disabled", booleanOf, false),
    ignoresDiscovered: field("ignore_discovered_servers", booleanOf, false),
    compression: field(
      "compression",
      (node, notes): Compression => leafCompression.fromNode(node, notes) ?? LEAF_COMPRESSION,
      LEAF_COMPRESSION,
    ),
    webSocketCompression: field(
      "ws_compression ws_compress websocket_compress websocket_compression",
      booleanOf,
      false,
    ),
    webSocketNoMasking: field("ws_no_masking websocket_no_masking", booleanOf, false),
  },
  {
    expected: 'a remote, as in {url: "nats-leaf://hub.example.com:7422", account: A}',
    unsupported: ["proxy", "jetstream_cluster_migrate", "js_cluster_migrate"],
  },
);

const readRemote: NodeReader<LeafRemoteConfig> = (node, notes) => {
  const remote = remoteBlock(node, notes);
  const { urls, credentials, nkey } = remote;
  if (urls.length === 0) throw new ConfError(node.at, "a remote needs a url");
  if (credentials !== null && nkey !== null)
    throw new ConfError(node.at, "credentials and nkey exclude each other: keep one of them");
  const webSocketCount = urls.filter(({ scheme }) => scheme === "ws" || scheme === "wss").length;
  if (webSocketCount > 0 && webSocketCount < urls.length)
    throw new ConfError(
      node.at,
      `remote leaf node configuration cannot have a mix of websocket and non-websocket urls: ${urls.map(showUrl).join(", ")}`,
    );
  return remote;
};

export const leafRemotes: ValueType<readonly LeafRemoteConfig[]> = {
  name: "list of {url, account}",
  fromNode: listOf(readRemote, 'a list of remotes, as in [{url: "nats-leaf://hub.example.com:7422"}]'),
  nodeFromText: formatNode,
  show: (list) => list.map(({ urls }) => urls.map(showUrl).join(" ")).join(", "),
};

function showUrl({ scheme, host, port }: LeafUrl): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function readUrl(text: string, node: ConfNode): LeafUrl {
  const match = URL_PARTS.exec(text.trim());
  const scheme = SCHEMES[(match?.[1] ?? "nats").toLowerCase()] ?? "nats";
  const isWebSocket = scheme === "ws" || scheme === "wss";
  const port = Number(match?.[5] ?? (scheme === "wss" ? 443 : scheme === "ws" ? 80 : PORT));
  const path = match?.[6] ?? "";
  const isWrong = port < 1 || port > PORT_MAX || (!isWebSocket && path.length > 1);
  if (match === null || isWrong) throw new ConfError(node.at, `expected ${EXPECTED_URL}`);
  const [user = null, password = null] = (match[2] ?? "") === "" ? [] : credentialsOf(match[2]!, node);
  return { scheme, host: match[3] ?? match[4] ?? "", port, user, password, path: isWebSocket ? path : "" };
}

function credentialsOf(userInfo: string, node: ConfNode): readonly string[] {
  const colon = userInfo.indexOf(":");
  const parts = colon < 0 ? [userInfo] : [userInfo.slice(0, colon), userInfo.slice(colon + 1)];
  try {
    return parts.map(decodeURIComponent);
  } catch {
    throw new ConfError(node.at, "expected user and password with percent signs written as %25");
  }
}

function readSeed(node: ConfNode): string | null {
  const seed = stringOf(node, "the seed of an nkey").trim();
  if (seed === "") return null;
  try {
    seedKey(seed);
    return seed;
  } catch {
    throw new ConfError(node.at, "expected the seed of an nkey of a user, which begins with SU");
  }
}

function readSubjects(node: ConfNode): readonly string[] {
  const subjects = stringsOf(node, "a list of subjects");
  for (const subject of subjects) {
    if (/\{\{\s*account-hash/i.test(subject))
      throw new ConfError(node.at, "The function account-hash in subjects is not supported by shoal yet");
    if (!isValidSubject(subject) || /\s/.test(subject))
      throw new ConfError(node.at, `subject ${JSON.stringify(subject)} is not a valid subject`);
  }
  return subjects;
}

function timeoutOf<T extends number | null>(usualMs: T): NodeReader<number | T> {
  return (node) => {
    if (node.kind !== "string" && node.kind !== "int") mismatch(node, 'a duration such as "2s"');
    const ms = node.kind === "int" ? Number(node.value) * 1000 : durationFromText(node.value);
    if (ms === null || ms < 0 || ms > TIMEOUT_MAX_MS)
      throw new ConfError(node.at, 'expected a duration such as "2s"');
    return ms || usualMs;
  };
}
