/** CONNECT: what a client says of itself. Keys are read without regard to case, as Go's decoder does; unknown ones are skipped. */
import { parseJson } from "../base/json.ts";

export interface ClientHello {
  verbose: boolean;
  pedantic: boolean;
  echo: boolean;
  headers: boolean;
  noResponders: boolean;
  /** 0: no INFO but the first; 1: more may follow. */
  protocol: number;
  name: string;
  lang: string;
  version: string;
  user: string;
  pass: string;
  authToken: string;
  /** The server ignores it; it is passed to an authorization callout. */
  jwt: string;
  nkey: string;
  sig: string;
  /** The signature of the proxy that the client connects through. */
  proxySig: string;
  /** Account that the client asks for; not offered. */
  account: string;
  newAccount: boolean;
}

/** What holds before and without CONNECT. */
export function defaultHello(): ClientHello {
  return {
    verbose: true,
    pedantic: true,
    echo: true,
    headers: false,
    noResponders: false,
    protocol: 0,
    name: "",
    lang: "",
    version: "",
    user: "",
    pass: "",
    authToken: "",
    jwt: "",
    nkey: "",
    sig: "",
    proxySig: "",
    account: "",
    newAccount: false,
  };
}

type Field = { [K in keyof ClientHello]: [key: string, into: K] }[keyof ClientHello];
const FIELDS: readonly Field[] = [
  ["verbose", "verbose"],
  ["pedantic", "pedantic"],
  ["echo", "echo"],
  ["headers", "headers"],
  ["no_responders", "noResponders"],
  ["protocol", "protocol"],
  ["name", "name"],
  ["lang", "lang"],
  ["version", "version"],
  ["user", "user"],
  ["pass", "pass"],
  ["auth_token", "authToken"],
  ["jwt", "jwt"],
  ["nkey", "nkey"],
  ["sig", "sig"],
  ["proxy_sig", "proxySig"],
  ["account", "account"],
  ["new_account", "newAccount"],
];
const INTO = new Map<string, keyof ClientHello>(FIELDS);

/**
 * Merges the JSON (UTF-8 in a byte string) over `hello`; a key that is left out keeps its value. Returns null where
 * nats-server's decoder fails: no JSON, no object, a value of the wrong type.
 */
export function readHello(hello: ClientHello, json: string): ClientHello | null {
  const merged: ClientHello = { ...hello };
  const values = parseObject(json);
  if (values === null) return null;
  for (const [key, value] of Object.entries(values)) {
    const into = INTO.get(key.toLowerCase());
    if (value === null || into === undefined) continue;
    if (typeof value !== typeof merged[into] || (typeof value === "number" && !Number.isSafeInteger(value)))
      return null;
    Object.assign(merged, { [into]: value });
  }
  return merged;
}

/** A JSON object, or {} for `null`; null for anything else, and for what is nested too deeply. */
export function parseObject(json: string): Record<string, unknown> | null {
  const value = parseJson(Buffer.from(json, "latin1").toString("utf8"), wholeNumbers);
  if (value === null) return {};
  return typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

/** Go reads `1.0` and `1e0` as no integer; JSON.parse would not tell them from `1`. */
function wholeNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === "number" && /[.eE]/.test(context?.source ?? "") ? Number.NaN : value;
}
