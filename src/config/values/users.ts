/** The value types of users and their credentials. Passwords are never shown. */
import { atOnce, PieceLength, type Pieces } from "../../base/pieces.ts";
import { CONNECTION_TYPES, type ConnectionType } from "../../base/connection-type.ts";
import { isPublicNkey, isUserNkey } from "../../keys/nkey.ts";
import { ConfError, nodeSize, type ConfNode } from "../formats/nats-conf/node.ts";
import { readUserPermissions } from "./permissions.ts";
import { field, listOf, record, type NodeReader } from "./record.ts";
import {
  booleanOf,
  formatNode,
  mismatch,
  stringOf,
  stringsOf,
  text,
  type Notes,
  type ValueType,
} from "./value-type.ts";
import type { UserPermissions } from "../../core/permissions.ts";

export interface User {
  /** A name, or a public nkey. */
  readonly user: string;
  /** Plain or a bcrypt hash; null: has an nkey. */
  readonly password: string | null;
  /** null or absent: the default permissions. */
  readonly permissions?: UserPermissions | null;
  /** Empty or absent: all. */
  readonly connectionTypes?: readonly ConnectionType[];
  /** Must connect through a trusted proxy. */
  readonly needsProxy?: boolean;
}

/** A user name, a password or a token; "" counts as not written. */
export const credential: ValueType<string> = {
  ...text,
  fromNode: (node) => stringOf(node) || undefined,
  show: () => "…",
};

export const users: ValueType<readonly User[]> = {
  name: "list of {user, password, permissions} or {nkey, permissions}",
  fromNode: (node, notes) => atOnce(readUsers(node, notes)),
  piecesFromNode: readUsers,
  nodeFromText: formatNode,
  show: (list) => list.map(({ user }) => user).join(", "),
};

export function* readUsers(node: ConfNode, notes: Notes): Pieces<readonly User[]> {
  if (node.kind !== "array") mismatch(node, "a list of users, as in [{user: a, password: b}]");
  const names = new Set<string>();
  const found: User[] = [];
  const pace = new PieceLength();
  for (const item of node.items) {
    const user = readUser(item, notes);
    if (names.has(user.user))
      throw new ConfError(item.at, `user ${JSON.stringify(user.user)} is already in the list`);
    names.add(user.user);
    found.push(user);
    if (pace.isOver(nodeSize(item))) yield;
  }
  return found;
}

const userBlock = record(
  {
    user: field("user username", (node) => stringOf(node), ""),
    password: field("pass password", (node) => stringOf(node), ""),
    nkey: field("nkey", (node) => stringOf(node), ""),
    permissions: field("permission permissions authorization", readUserPermissions, null),
    connectionTypes: field("allowed_connection_types connection_types clients", readConnectionTypes, []),
    needsProxy: field("proxy_required", booleanOf, false),
  },
  { expected: "a user, as in {user: a, password: b}" },
);

const readUser: NodeReader<User> = (node, notes) => {
  const { user, password, nkey, ...rest } = userBlock(node, notes);
  if (nkey === "" && user === "")
    throw new ConfError(node.at, "expected a user entry to have a user or an nkey");
  if (nkey === "") return { user, password, ...rest };
  if (!isUserNkey(nkey))
    throw new ConfError(node.at, "expected a public nkey of a user, which begins with U");
  if (user !== "" || password !== "")
    throw new ConfError(node.at, "a user with an nkey has neither a name nor a password: it signs instead");
  return { user: nkey, password: null, ...rest };
};

const proxyBlock = record(
  { key: field("key public_key", (node) => stringOf(node), "") },
  { expected: "a proxy, as in {key: UA…}" },
);

/** The public nkeys of proxies. */
export const proxies: ValueType<readonly string[]> = {
  name: "list of {key}",
  fromNode: listOf((node, notes) => {
    const { key } = proxyBlock(node, notes);
    if (isPublicNkey(key)) return key;
    throw new ConfError(node.at, `invalid proxy key ${JSON.stringify(key)}`);
  }, "a list of proxies, as in [{key: UA…}]"),
  nodeFromText: formatNode,
  show: (list) => list.join(", "),
};

/** The case of letters does not matter. */
function readConnectionTypes(node: ConfNode): readonly ConnectionType[] {
  return stringsOf(node, "a list of connection types").map((word) => {
    const known = CONNECTION_TYPES.find((type) => type === word.toUpperCase());
    if (known === undefined)
      throw new ConfError(node.at, `expected connection types, of ${CONNECTION_TYPES.join(", ")}`);
    return known;
  });
}
