/** The value types of the authorization block. Users without what shoal cannot enforce yet; passwords are never shown. */

import { readBlock } from "./block.ts";
import type { User } from "./config.ts";
import { ConfError, type ConfNode } from "./nats-conf/node.ts";
import { formatNode, mismatch, stringOf, text, type ValueType } from "./value-type.ts";

/** A user name, a password or a token; "" is as if not written. */
export const credential: ValueType<string> = {
  ...text,
  fromNode: (node) => stringOf(node) || undefined,
  show: () => "…",
};

export const users: ValueType<readonly User[]> = {
  name: "list of {user, password}",
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

const UNSUPPORTED_USER_KEYS = [
  "nkey",
  "permission",
  "permissions",
  "authorization",
  "allowed_connection_types",
  "connection_types",
  "clients",
  "proxy_required",
];

function readUser(node: ConfNode): User {
  if (node.kind !== "map") mismatch(node, "a user, as in {user: a, password: b}");
  let user = "";
  let password = "";
  const readName = (value: ConfNode): void => void (user = stringOf(value));
  const readPassword = (value: ConfNode): void => void (password = stringOf(value));
  readBlock(
    node,
    { user: readName, username: readName, pass: readPassword, password: readPassword },
    UNSUPPORTED_USER_KEYS,
  );
  if (user === "") throw new ConfError(node.at, "expected a user entry to have a user");
  return { user, password };
}
