/** The value type of authorization.auth_callout, with nats-server's texts for what is wrong. */
import { isNkeyOf } from "../../keys/nkey.ts";
import { ConfError, describeKind, type ConfNode } from "../formats/nats-conf/node.ts";
import { field, listOf, record, stringTo, type NodeReader } from "./record.ts";
import { formatNode, stringOf, type ValueType } from "./value-type.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";

/** A service decides who may connect. */
export interface CalloutConfig {
  /** Public nkey of the account that signs answers. */
  readonly issuer: string;
  readonly account: string;
  /** Names or public nkeys of users about whom the service is not asked. */
  readonly authUsers: readonly string[];
  /** Public curve key; null: nothing is encrypted. */
  readonly xkey: string | null;
  /** Accounts about whose configured users the service is asked; empty: all. */
  readonly allowedAccounts: readonly string[];
}

const read = record<CalloutConfig>(
  {
    issuer: field("issuer", keyOf("account", "Expected callout user to be a valid public account nkey"), ""),
    account: field(
      "account acc",
      stringTo("a string", (name) => name || GLOBAL_ACCOUNT),
      GLOBAL_ACCOUNT,
    ),
    authUsers: field("auth_users users", namesOf("auth_users"), []),
    xkey: field("xkey key", keyOf("curve", "Expected callout xkey to be a valid public xkey"), null),
    allowedAccounts: field("allowed_accounts", namesOf("allowed accounts"), []),
  },
  { expected: (node) => fail(node, "Expected authorization callout to be a map/struct") },
);

export const callout: ValueType<CalloutConfig> = {
  name: "block",
  fromNode(node, notes) {
    const found = read(node, notes);
    const lacks =
      found.issuer === "" ? "an issuer" : found.authUsers.length === 0 ? "authorized users" : null;
    if (lacks === null) return found;
    throw new ConfError(node.at, `Authorization callouts require ${lacks} to be specified`);
  },
  nodeFromText: formatNode,
  show: ({ issuer }) => issuer,
};

/** A seed must not be shown; a text that begins like a public key is a misspelt one. */
function keyOf(kind: "account" | "curve", expected: string): NodeReader<string> {
  return stringTo("a string", (key, node) => {
    if (isNkeyOf(kind, key)) return key;
    const isShown = key.startsWith(kind === "account" ? "A" : "X");
    throw new ConfError(node.at, `${expected}${isShown ? `, got ${JSON.stringify(key)}` : ""}`);
  });
}

function namesOf(what: string): NodeReader<readonly string[]> {
  return listOf(
    (item) => stringOf(item),
    (node) => fail(node, `Expected ${what} field to be an array`),
  );
}

function fail(node: ConfNode, expected: string): never {
  throw new ConfError(node.at, `${expected}, got ${describeKind(node)}`);
}
