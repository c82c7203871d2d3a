/** Value types of operator mode: operators, resolvers and preloaded accounts. Tokens of operators are read here, from text or a file. */
import { BadJwt } from "../../keys/jwt.ts";
import { isNkeyOf } from "../../keys/nkey.ts";
import { readOperatorClaims, type OperatorClaims } from "../../keys/operator-claims.ts";
import { decodeToken, looksLikeToken, undecorated } from "../../keys/token.ts";
import { readFileFromDisk } from "../formats/file.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import type { TlsConfig } from "./tls.ts";
import { field, record, type NodeReader } from "./record.ts";
import {
  booleanOf,
  duration,
  formatNode,
  integerOf,
  listNode,
  mismatch,
  stringNode,
  stringOf,
  stringsOf,
  type ValueType,
} from "./value-type.ts";

export interface PreloadedAccount {
  readonly account: string;
  readonly jwt: string;
}

interface DirectoryResolverConfig {
  readonly kind: "full" | "cache";
  readonly directory: string;
  readonly allowsDelete: boolean;
  /** Files of deleted accounts are removed, and not renamed. */
  readonly removesDeleted: boolean;
  /** Tokens at most; null: any number. */
  readonly limit: number | null;
  readonly ttlMs: number | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export type ResolverConfig =
  | { readonly kind: "memory" }
  /** Ends in a slash. */
  | { readonly kind: "url"; readonly url: string }
  | DirectoryResolverConfig;

export interface OperatorConfig {
  readonly operators: readonly OperatorClaims[];
  /** Public nkeys of operators, without their claims. */
  readonly trustedKeys: readonly string[];
  /** null: none. */
  readonly resolver: ResolverConfig | null;
  /** null: a web server is asked with the authorities of the system. */
  readonly resolverTls: TlsConfig | null;
  readonly preload: readonly PreloadedAccount[];
  /** Accounts whose users may connect, besides those of the system account; empty: all. */
  readonly pinnedAccounts: readonly string[];
  /** Bearer token for clients that present none. */
  readonly defaultSentinel: string | null;
}

/** Whether accounts come from operators alone. */
export function isSigned({ operators: own, trustedKeys }: OperatorConfig): boolean {
  return own.length + trustedKeys.length > 0;
}

export const operators: ValueType<readonly OperatorClaims[]> = {
  name: "token or file, or a list of them",
  fromNode: (node) => items(node).map((item) => operatorOf(stringOf(item, "a token or a file"), item)),
  nodeFromText: listNode,
  show: (list) => list.map(({ name, subject }) => name || subject).join(", "),
};

function items(node: ConfNode): readonly ConfNode[] {
  return node.kind === "array" ? node.items : [node];
}

/** As in nats-server, what is no file may be the token itself. */
function operatorOf(written: string, { at }: ConfNode): OperatorClaims {
  const fail = (reason: string): never => {
    throw new ConfError(at, `error parsing operator JWT: ${reason}`);
  };
  let token = written;
  if (!looksLikeToken(written)) {
    try {
      token = Buffer.from(readFileFromDisk(written)).toString("utf8");
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "cannot be read";
      fail(`open ${JSON.stringify(written)}: ${code === "ENOENT" ? "no such file or directory" : code}`);
    }
  }
  try {
    return readOperatorClaims(undecorated(token));
  } catch (error) {
    if (!(error instanceof BadJwt)) throw error;
    return fail(error.message);
  }
}

export const resolver: ValueType<ResolverConfig> = {
  name: "MEMORY, URL(…) or block",
  fromNode(node, notes) {
    if (node.kind === "map") return directoryOf(readBlock(node, notes), node);
    const text = stringOf(node, "MEMORY, URL(…) or a block with type and dir");
    if (/MEM|MEMORY/i.test(text)) return { kind: "memory" };
    const [, url] = /^URL\(\s*"?([^\s"]*)"?\s*\)/i.exec(text) ?? [];
    if (url !== undefined) return { kind: "url", url: urlOf(url, node) };
    throw new ConfError(
      node.at,
      'error parsing account resolver, should be MEM or URL("url") or a map containing dir and type state=[FULL|CACHE])',
    );
  },
  nodeFromText: (text, at) =>
    text.trimStart().startsWith("{") ? formatNode(text, at) : stringNode(text, at),
  show: ({ kind }) => kind,
};

/** Only what `fetch` speaks. */
function urlOf(url: string, { at }: ConfNode): string {
  const { protocol = "" } = URL.canParse(url) ? new URL(url) : {};
  if (protocol !== "http:" && protocol !== "https:")
    throw new ConfError(
      at,
      `error parsing account resolver url ${JSON.stringify(url)}: expected http or https`,
    );
  return url.endsWith("/") ? url : `${url}/`;
}

const FETCH_TIMEOUT_MS = 1900;
const SYNC_INTERVAL_MS = 60_000;
const CACHE_LIMIT = 1000;
const time = duration({ minMs: 1, zero: "itself", bareNumber: "refused" });
const timeOf: NodeReader<number> = (node, notes) => time.fromNode(node, notes) ?? 0;
const limitOf: NodeReader<number> = (node) =>
  integerOf(node, 0, Number.MAX_SAFE_INTEGER, "a number of accounts");

interface ResolverBlock {
  readonly type: string;
  readonly directory: string;
  readonly allowsDelete: boolean;
  readonly removesDeleted: boolean | null;
  readonly limit: number;
  readonly ttlMs: number;
  readonly intervalMs: number;
  readonly timeoutMs: number | null;
}

const readBlock = record<ResolverBlock>(
  {
    type: field("type", (node) => stringOf(node), ""),
    directory: field("dir", (node) => stringOf(node), ""),
    allowsDelete: field("allow_delete", booleanOf, false),
    removesDeleted: field("hard_delete", booleanOf, null),
    limit: field("limit", limitOf, 0),
    ttlMs: field("ttl", timeOf, 0),
    intervalMs: field("interval", timeOf, 0),
    timeoutMs: field("timeout", timeOf, null),
  },
  { expected: "a block with type and dir" },
);

function directoryOf(block: ResolverBlock, { at }: ConfNode): ResolverConfig {
  const fail = (reason: string): never => {
    throw new ConfError(at, reason);
  };
  const kind = block.type.toLowerCase();
  if (kind === "mem" || kind === "memory") return { kind: "memory" };
  if (kind !== "full" && kind !== "cache")
    return fail("error parsing account resolver: type is FULL or CACHE");
  if (block.directory === "") fail("dir has no value and needs to point to a directory");
  if (block.timeoutMs === 0) fail("Fetch timeout 0s is too smal");
  const isFull = kind === "full";
  if (!isFull && block.intervalMs !== 0) fail("CACHE does not accept sync");
  if (!isFull && block.allowsDelete) fail("CACHE does not accept allow_delete");
  if (!isFull && block.removesDeleted !== null) fail("CACHE does not accept hard_delete");
  if (isFull && block.ttlMs !== 0) fail("FULL does not accept ttl");
  if (isFull && block.removesDeleted !== null && !block.allowsDelete)
    fail("hard_delete has no effect without delete");
  return {
    kind,
    directory: block.directory,
    allowsDelete: isFull ? block.allowsDelete : true,
    removesDeleted: isFull ? block.removesDeleted === true : true,
    limit: block.limit || (isFull ? null : CACHE_LIMIT),
    ttlMs: block.ttlMs || null,
    intervalMs: block.intervalMs || SYNC_INTERVAL_MS,
    timeoutMs: block.timeoutMs ?? FETCH_TIMEOUT_MS,
  };
}

/** By public nkey of the account. As in nats-server, whether the key fits the token is found out when the account is needed. */
export const preload: ValueType<readonly PreloadedAccount[]> = {
  name: "block of tokens",
  fromNode(node) {
    if (node.kind !== "map") mismatch(node, "preload should be a map of account_public_key:account_jwt");
    return Array.from(node.entries.values(), ({ key, node: value }) => {
      const jwt = stringOf(value, "preload map value should be a string JWT");
      try {
        decodeToken(jwt, "account");
      } catch (error) {
        if (!(error instanceof BadJwt)) throw error;
        throw new ConfError(value.at, `invalid account JWT for ${JSON.stringify(key)}: ${error.message}`);
      }
      return { account: key, jwt };
    });
  },
  nodeFromText: formatNode,
  show: (list) => list.map(({ account }) => account).join(", "),
};

export function nkeysOf(kind: "operator" | "account", wanted: string): ValueType<readonly string[]> {
  return {
    name: "list of public nkeys",
    fromNode: (node) =>
      stringsOf(node).map((key) => {
        if (!isNkeyOf(kind, key)) throw new ConfError(node.at, wanted);
        return key;
      }),
    nodeFromText: listNode,
    show: (value) => value.join(", "),
  };
}
