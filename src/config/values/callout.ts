/** The value type of authorization.auth_callout, with nats-server's words for what is wrong. */

import { isNkeyOf } from "../../keys/nkey.ts";
import { readBlock } from "./block.ts";
import type { CalloutConfig } from "../config.ts";
import { ConfError, describeKind, type ConfNode } from "../formats/nats-conf/node.ts";
import { formatNode, stringOf, type ValueType } from "./value-type.ts";

const GLOBAL_ACCOUNT = "$G";

export const callout: ValueType<CalloutConfig> = {
  name: "block",
  fromNode: readCallout,
  nodeFromText: formatNode,
  show: ({ issuer }) => issuer,
};

function readCallout(node: ConfNode): CalloutConfig {
  if (node.kind !== "map") {
    const got = describeKind(node);
    throw new ConfError(node.at, `Expected authorization callout to be a map/struct, got ${got}`);
  }
  let [issuer, account, xkey] = ["", "", ""];
  let authUsers: readonly string[] = [];
  let allowedAccounts: readonly string[] = [];
  const readIssuer = (value: ConfNode): void => {
    issuer = stringOf(value);
    if (isNkeyOf("account", issuer)) return;
    const expected = "Expected callout user to be a valid public account nkey";
    throw new ConfError(value.at, `${expected}${got(issuer, "A")}`);
  };
  const readKey = (value: ConfNode): void => {
    xkey = stringOf(value);
    if (isNkeyOf("curve", xkey)) return;
    throw new ConfError(value.at, `Expected callout xkey to be a valid public xkey${got(xkey, "X")}`);
  };
  const readAccount = (value: ConfNode): void => void (account = stringOf(value));
  const readUsers = (value: ConfNode): void => void (authUsers = listOf(value, "auth_users"));
  readBlock(node, {
    issuer: readIssuer,
    account: readAccount,
    acc: readAccount,
    auth_users: readUsers,
    users: readUsers,
    xkey: readKey,
    key: readKey,
    allowed_accounts: (value) => void (allowedAccounts = listOf(value, "allowed accounts")),
  });
  const lacks = (what: string): never => {
    throw new ConfError(node.at, `Authorization callouts require ${what} to be specified`);
  };
  if (issuer === "") lacks("an issuer");
  if (authUsers.length === 0) lacks("authorized users");
  return { issuer, account: account || GLOBAL_ACCOUNT, authUsers, xkey: xkey || null, allowedAccounts };
}

/** A seed must not be shown; what begins like a public key is one that went wrong. */
function got(text: string, letter: "A" | "X"): string {
  return text.startsWith(letter) ? `, got ${JSON.stringify(text)}` : "";
}

function listOf(node: ConfNode, what: string): string[] {
  if (node.kind === "array") return node.items.map((item) => stringOf(item));
  throw new ConfError(node.at, `Expected ${what} field to be an array, got ${describeKind(node)}`);
}
