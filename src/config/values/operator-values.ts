/** Value types of operator mode: operators, resolvers and preloaded accounts. Tokens of operators are read here, from text or a file. */
import { BadJwt } from "../../keys/jwt.ts";
import { isNkeyOf } from "../../keys/nkey.ts";
import { readOperatorClaims, type OperatorClaims } from "../../keys/operator-claims.ts";
import { decodeToken, looksLikeToken, undecorated } from "../../keys/token.ts";
import { readFileFromDisk } from "../formats/file.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import {
  formatNode,
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

export type ResolverConfig = { readonly kind: "memory" };

export interface OperatorConfig {
  readonly operators: readonly OperatorClaims[];
  /** Public nkeys of operators, without their claims. */
  readonly trustedKeys: readonly string[];
  /** null: none. */
  readonly resolver: ResolverConfig | null;
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
  fromNode(node) {
    if (node.kind === "map") return resolverBlock(node);
    const text = stringOf(node, "MEMORY, URL(…) or a block with type and dir");
    if (/MEM|MEMORY/i.test(text)) return { kind: "memory" };
    if (/^URL/i.test(text)) throw new ConfError(node.at, "A resolver by URL is not supported by shoal yet");
    throw new ConfError(
      node.at,
      'error parsing account resolver, should be MEM or URL("url") or a map containing dir and type state=[FULL|CACHE])',
    );
  },
  nodeFromText: (text, at) =>
    text.trimStart().startsWith("{") ? formatNode(text, at) : stringNode(text, at),
  show: ({ kind }) => kind,
};

function resolverBlock(node: ConfNode & { kind: "map" }): ResolverConfig {
  const type = [...node.entries.values()].find(({ key }) => key.toLowerCase() === "type");
  const kind = type === undefined ? "" : stringOf(type.node).toUpperCase();
  if (kind === "MEM" || kind === "MEMORY") return { kind: "memory" };
  throw new ConfError(node.at, "A resolver with a directory is not supported by shoal yet");
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
