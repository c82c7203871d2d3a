/** The value types of users and their credentials. Passwords are never shown. */

import { CONNECTION_TYPES, type ConnectionType } from "../../base/connection-type.ts";
import { isPublicNkey, isUserNkey } from "../../keys/nkey.ts";
import { readBlock } from "./block.ts";
import type { User, UserPermissions } from "../config.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { readUserPermissions } from "./permissions.ts";
import { booleanOf, formatNode, mismatch, stringOf, stringsOf, text, type ValueType } from "./value-type.ts";

/** A user name, a password or a token; "" is as if not written. */
export const credential: ValueType<string> = {
  ...text,
  fromNode: (node) => stringOf(node) || undefined,
  show: () => "…",
};

export const users: ValueType<readonly User[]> = {
  name: "list of {user, password, permissions} or {nkey, permissions}",
  fromNode(node) {
    if (node.kind !== "array") mismatch(node, "a list of users, as in [{user: a, password: b}]");
    const names = new Set<string>();
    return node.items.map((item) => {
      const user = readUser(item);
      if (names.has(user.user))
        throw new ConfError(item.at, `user ${JSON.stringify(user.user)} is already in the list`);
      names.add(user.user);
      return user;
    });
  },
  nodeFromText: formatNode,
  show: (list) => list.map(({ user }) => user).join(", "),
};

function readUser(node: ConfNode): User {
  if (node.kind !== "map") mismatch(node, "a user, as in {user: a, password: b}");
  let user = "";
  let password = "";
  let nkey = "";
  let permissions: UserPermissions | null = null;
  let connectionTypes: readonly ConnectionType[] = [];
  let needsProxy = false;
  const readName = (value: ConfNode): void => void (user = stringOf(value));
  const readPassword = (value: ConfNode): void => void (password = stringOf(value));
  const readPermissions = (value: ConfNode): void => void (permissions = readUserPermissions(value));
  const readTypes = (value: ConfNode): void => void (connectionTypes = readConnectionTypes(value));
  const readers = {
    user: readName,
    username: readName,
    pass: readPassword,
    password: readPassword,
    nkey: (value: ConfNode): void => void (nkey = stringOf(value)),
    permission: readPermissions,
    permissions: readPermissions,
    authorization: readPermissions,
    allowed_connection_types: readTypes,
    connection_types: readTypes,
    clients: readTypes,
    proxy_required: (value: ConfNode): void => void (needsProxy = booleanOf(value)),
  };
  readBlock(node, readers);
  if (nkey === "" && user === "")
    throw new ConfError(node.at, "expected a user entry to have a user or an nkey");
  if (nkey === "") return { user, password, permissions, connectionTypes, needsProxy };
  if (!isUserNkey(nkey))
    throw new ConfError(node.at, "expected a public nkey of a user, which begins with U");
  if (user !== "" || password !== "") {
    throw new ConfError(node.at, "a user with an nkey has neither a name nor a password: it signs instead");
  }
  return { user: nkey, password: null, permissions, connectionTypes, needsProxy };
}

/** Their public nkeys. */
export const proxies: ValueType<readonly string[]> = {
  name: "list of {key}",
  fromNode(node) {
    if (node.kind !== "array") mismatch(node, "a list of proxies, as in [{key: UA…}]");
    return node.items.map(readProxy);
  },
  nodeFromText: formatNode,
  show: (list) => list.join(", "),
};

function readProxy(node: ConfNode): string {
  if (node.kind !== "map") mismatch(node, "a proxy, as in {key: UA…}");
  let key = "";
  const readKey = (value: ConfNode): void => void (key = stringOf(value));
  readBlock(node, { key: readKey, public_key: readKey });
  if (!isPublicNkey(key)) throw new ConfError(node.at, `invalid proxy key ${JSON.stringify(key)}`);
  return key;
}

/** Case does not matter. */
function readConnectionTypes(node: ConfNode): readonly ConnectionType[] {
  return stringsOf(node, "a list of connection types").map((word) => {
    const known = CONNECTION_TYPES.find((type) => type === word.toUpperCase());
    if (known === undefined)
      throw new ConfError(node.at, `expected connection types, of ${CONNECTION_TYPES.join(", ")}`);
    return known;
  });
}
