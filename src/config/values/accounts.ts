/** The value type of the accounts block: each account with its users, limits, mappings, exports and imports. */
import { atOnce, PieceLength, type Pieces } from "../../base/pieces.ts";
import { isPublicNkey } from "../../keys/nkey.ts";
import { ConfError, nodeSize, type ConfEntry, type ConfNode } from "../formats/nats-conf/node.ts";
import { checkImports } from "./account-checks.ts";
import {
  readExports,
  readImports,
  type AccountExport,
  type AccountImport,
  type Located,
} from "./account-exports.ts";
import { readJetStream, readTrace, type AccountJetStream, type AccountTrace } from "./account-features.ts";
import { mappings, type MappingConfig } from "./mappings.ts";
import { readUserPermissions } from "./permissions.ts";
import { field, record, type NodeReader } from "./record.ts";
import { readUsers, type User } from "./users.ts";
import { formatNode, integerOf, mismatch, stringOf, type Notes, type ValueType } from "./value-type.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";

export interface AccountConfig {
  readonly name: string;
  readonly users: readonly User[];
  readonly limits: AccountLimits;
  readonly exports: readonly AccountExport[];
  readonly imports: readonly AccountImport[];
  readonly mappings: readonly MappingConfig[];
  /** null: the account does not use JetStream. */
  readonly jetStream: AccountJetStream | null;
  /** null: messages that only have a `traceparent` are not traced. */
  readonly trace: AccountTrace | null;
}

/** null: no limit. */
interface AccountLimits {
  readonly maxConnections: number | null;
  readonly maxLeafNodes: number | null;
  /** Per connection. */
  readonly maxSubscriptions: number | null;
  readonly maxPayloadBytes: number | null;
}

const NO_LIMITS: AccountLimits = {
  maxConnections: null,
  maxLeafNodes: null,
  maxSubscriptions: null,
  maxPayloadBytes: null,
};
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

export const accounts: ValueType<readonly AccountConfig[]> = {
  name: "block of accounts",
  fromNode: (node, notes) => atOnce(readAccounts(node, notes)),
  piecesFromNode: readAccounts,
  nodeFromText: formatNode,
  show: (list) => list.map(({ name }) => name).join(", "),
};

function* readAccounts(node: ConfNode, notes: Notes): Pieces<readonly AccountConfig[]> {
  if (node.kind === "array") return readNames(node.items);
  if (node.kind !== "map") mismatch(node, "a block of accounts, as in { A { users: [...] } }");
  const entries = [...node.entries.values()].filter((entry) => !entry.usedAsVariable);
  const found: LocatedAccount[] = [];
  const pace = new PieceLength();
  for (const entry of entries) {
    found.push(yield* readAccount(entry, notes));
    if (pace.isOver(nodeSize(entry.node))) yield;
  }
  refuseSharedUsers(entries, found);
  yield* checkImports(found);
  return found.map(withoutPlaces);
}

/** Where something stands in a file is no part of it: it changes with every line before. */
function withoutPlaces({ exports, imports, ...rest }: LocatedAccount): AccountConfig {
  return {
    ...rest,
    exports: exports.map((one) => withoutPlace<AccountExport>(one)),
    imports: imports.map((one) => withoutPlace<AccountImport>(one)),
  };
}

function withoutPlace<T extends object>(located: Located<T>): T {
  const { at: _at, ...rest } = located;
  return rest as unknown as T;
}

type LocatedAccount = Omit<AccountConfig, "exports" | "imports"> & {
  readonly exports: readonly Located<AccountExport>[];
  readonly imports: readonly Located<AccountImport>[];
};

/** Names alone: accounts without users of their own. */
function readNames(items: readonly ConfNode[]): AccountConfig[] {
  const seen = new Set<string>();
  return items.map((item) => {
    const name = stringOf(item, "the name of an account");
    refuseReserved(name, item);
    if (seen.has(name)) throw new ConfError(item.at, `Duplicate Account Entry: ${name}`);
    seen.add(name);
    const none = { users: [], mappings: [], exports: [], imports: [], jetStream: null, trace: null };
    return { name, limits: NO_LIMITS, ...none };
  });
}

/** null: no limit. */
const most: NodeReader<number | null> = (node) => {
  const limit = integerOf(node, INT32_MIN, INT32_MAX, "a whole number, -1 for no limit");
  return limit < 0 ? null : limit;
};

const limitsBlock = record<AccountLimits>(
  {
    maxConnections: field("max_connections max_conn", most, null),
    maxSubscriptions: field("max_subscriptions max_subs", most, null),
    maxPayloadBytes: field("max_payload max_pay", most, null),
    maxLeafNodes: field("max_leafnodes max_leafs", most, null),
  },
  { expected: "a block of limits, as in { max_connections: 10 }" },
);

const accountBlock = record(
  {
    nkey: field("nkey", expectAccountNkey, undefined),
    defaults: field("default_permissions", readUserPermissions, null),
    users: field<ConfNode | null>("users", (node) => node, null),
    limits: field("limits", limitsBlock, NO_LIMITS),
    exports: field("exports", readExports, []),
    imports: field("imports", readImports, []),
    mappings: field("mappings maps", (node, notes) => mappings.fromNode(node, notes) ?? [], []),
    jetStream: field("jetstream", readJetStream, null),
    trace: field("msg_trace trace_dest", readTrace, null),
  },
  {
    expected(node) {
      throw new ConfError(node.at, "Expected map entries for accounts");
    },
  },
);

function* readAccount({ key: name, node }: ConfEntry, notes: Notes): Pieces<LocatedAccount> {
  if (node.kind === "map") refuseReserved(name, node);
  const { nkey: _nkey, defaults, users: list, ...rest } = accountBlock(node, notes);
  const own = list === null ? [] : yield* readUsers(list, notes);
  const withDefaults = own.map((user) => ({ ...user, permissions: user.permissions ?? defaults }));
  return { name, users: withDefaults, ...rest };
}

/** Nothing depends on the nkey, as in nats-server. */
function expectAccountNkey(node: ConfNode): void {
  if (node.kind !== "string" || !node.value.startsWith("A") || !isPublicNkey(node.value))
    throw new ConfError(node.at, "Not a valid public nkey for an account");
}

function refuseReserved(name: string, { at }: ConfNode): void {
  if (name === GLOBAL_ACCOUNT) throw new ConfError(at, `"${name}" is a Reserved Account`);
}

function refuseSharedUsers(
  entries: readonly ConfEntry[],
  list: readonly Pick<AccountConfig, "users">[],
): void {
  const seen = new Set<string>();
  list.forEach((account, i) => {
    for (const { user } of account.users) {
      if (seen.has(user)) throw new ConfError(entries[i]!.node.at, `Duplicate user "${user}" detected`);
      seen.add(user);
    }
  });
}
