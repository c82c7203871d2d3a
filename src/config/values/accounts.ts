/** The value type of the accounts block: each account with its users, limits, mappings, exports and imports. */

import { isPublicNkey } from "../../keys/nkey.ts";
import { checkImports } from "./account-checks.ts";
import { readJetStream, readTrace } from "./account-features.ts";
import { readExports, readImports, type Located } from "./account-exports.ts";
import { users } from "./authorization.ts";
import { readBlock } from "./block.ts";
import type {
  AccountConfig,
  AccountExport,
  AccountImport,
  AccountLimits,
  AccountTrace,
  MappingConfig,
  User,
  UserPermissions,
} from "../config.ts";
import { mappings } from "./mappings.ts";
import { readUserPermissions } from "./permissions.ts";
import type { AccountJetStream } from "../jetstream.ts";
import { ConfError, type ConfEntry, type ConfNode } from "../formats/nats-conf/node.ts";
import { formatNode, integerOf, mismatch, stringOf, type Notes, type ValueType } from "./value-type.ts";

const GLOBAL_ACCOUNT = "$G";
const NO_LIMITS: AccountLimits = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };

export const accounts: ValueType<readonly AccountConfig[]> = {
  name: "block of accounts",
  fromNode(node, notes) {
    if (node.kind === "array") return readNames(node.items);
    if (node.kind !== "map") mismatch(node, "a block of accounts, as in { A { users: [...] } }");
    const entries = [...node.entries.values()].filter((entry) => !entry.usedAsVariable);
    const found = entries.map((entry) => readAccount(entry, notes));
    refuseSharedUsers(entries, found);
    checkImports(found);
    return found;
  },
  nodeFromText: formatNode,
  show: (list) => list.map(({ name }) => name).join(", "),
};

type LocatedAccount = AccountConfig & {
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

function readAccount({ key: name, node }: ConfEntry, notes: Notes): LocatedAccount {
  if (node.kind !== "map") throw new ConfError(node.at, "Expected map entries for accounts");
  refuseReserved(name, node);
  let ownUsers: readonly User[] = [];
  let defaults: UserPermissions | null = null;
  let limits = NO_LIMITS;
  let exports: readonly Located<AccountExport>[] = [];
  let imports: readonly Located<AccountImport>[] = [];
  let ownMappings: readonly MappingConfig[] = [];
  let jetStream: AccountJetStream | null = null;
  let trace: AccountTrace | null = null;
  const readMappings = (value: ConfNode): void => void (ownMappings = mappings.fromNode(value, notes) ?? []);
  const setTrace = (value: ConfNode): void => void (trace = readTrace(value, notes));
  readBlock(node, {
    nkey: expectAccountNkey,
    default_permissions: (value) => void (defaults = readUserPermissions(value)),
    users: (value) => void (ownUsers = users.fromNode(value, notes) ?? []),
    limits: (value) => void (limits = readLimits(value)),
    exports: (value) => void (exports = readExports(value)),
    imports: (value) => void (imports = readImports(value)),
    jetstream: (value) => void (jetStream = readJetStream(value)),
    mappings: readMappings,
    maps: readMappings,
    msg_trace: setTrace,
    trace_dest: setTrace,
  });
  ownUsers = ownUsers.map((user) => ({ ...user, permissions: user.permissions ?? defaults }));
  return { name, users: ownUsers, limits, exports, imports, mappings: ownMappings, jetStream, trace };
}

/** Nothing depends on it, in nats-server neither. */
function expectAccountNkey(node: ConfNode): void {
  if (node.kind !== "string" || !node.value.startsWith("A") || !isPublicNkey(node.value))
    throw new ConfError(node.at, "Not a valid public nkey for an account");
}

function refuseReserved(name: string, { at }: ConfNode): void {
  if (name === GLOBAL_ACCOUNT) throw new ConfError(at, `"${name}" is a Reserved Account`);
}

function readLimits(node: ConfNode): AccountLimits {
  if (node.kind !== "map") mismatch(node, "a block of limits, as in { max_connections: 10 }");
  const limits = { ...NO_LIMITS };
  const reader = (limit: keyof AccountLimits) => (value: ConfNode) => {
    const most = integerOf(value, -(2 ** 31), 2 ** 31 - 1, "a whole number, -1 for no limit");
    limits[limit] = most < 0 ? null : most;
  };
  const [connections, subscriptions] = [reader("maxConnections"), reader("maxSubscriptions")];
  const payload = reader("maxPayloadBytes");
  const leafNodes = (value: ConfNode): void =>
    void integerOf(value, -(2 ** 31), 2 ** 31 - 1, "a whole number");
  readBlock(node, {
    max_connections: connections,
    max_conn: connections,
    max_subscriptions: subscriptions,
    max_subs: subscriptions,
    max_payload: payload,
    max_pay: payload,
    // There are no leaf nodes to count.
    max_leafnodes: leafNodes,
    max_leafs: leafNodes,
  });
  return limits;
}

function refuseSharedUsers(entries: readonly ConfEntry[], list: readonly AccountConfig[]): void {
  const seen = new Set<string>();
  list.forEach((account, i) => {
    for (const { user } of account.users) {
      if (seen.has(user)) throw new ConfError(entries[i]!.node.at, `Duplicate user "${user}" detected`);
      seen.add(user);
    }
  });
}
