/** Leaf nodes: the port where other servers connect as spokes, and the hubs that this server connects to. */
import { ConfError } from "../formats/nats-conf/node.ts";
import { rowsOf, type FieldOf, type Section, type Sheet } from "../option.ts";
import { advertise, type Address } from "../values/address.ts";
import { LEAF_COMPRESSION, leafCompression, type Compression } from "../values/compression.ts";
import {
  leafRemotes,
  leafUsers,
  userNkey,
  type LeafRemoteConfig,
  type LeafUser,
} from "../values/leaf-nodes.ts";
import { clientTls, type TlsConfig } from "../values/tls.ts";
import { bool, duration, stringOf, text, type ValueType } from "../values/value-type.ts";
import { isNkeyOf, seedKey } from "../../keys/nkey.ts";
import type { OperatorConfig } from "../values/operator-values.ts";
import { GLOBAL_ACCOUNT, SYSTEM_ACCOUNT } from "../../subject/account-names.ts";
import type { AccountsConfig } from "./accounts.ts";
import type { AuthorizationConfig } from "./authorization.ts";
import type { ClientConfig } from "./client.ts";
import { endpointRows, patienceRows, userRows } from "./shared-rows.ts";

interface LeafNodesConfig {
  readonly host: string;
  /** null: nobody is accepted; 0: the system picks a free port. */
  readonly port: number | null;
  readonly advertise: Address | null;
  readonly noAdvertise: boolean;
  /** null: plaintext. */
  readonly tls: TlsConfig | null;
  readonly user: string | null;
  readonly password: string | null;
  /** The public nkey of the one user. */
  readonly nkey: string | null;
  /** The account of the one user; null: the global account. */
  readonly account: string | null;
  readonly users: readonly LeafUser[];
  readonly needsProxy: boolean;
  readonly authTimeoutMs: number;
  /** "": any. */
  readonly versionMin: string;
  readonly isIsolated: boolean;
  readonly reconnectMs: number;
  readonly dialTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  readonly writeDeadlineMs: number;
  readonly compression: Compression;
  readonly remotes: readonly LeafRemoteConfig[];
}

export interface SeenByLeafNodes {
  readonly leafNodes: LeafNodesConfig;
  readonly authorization: AuthorizationConfig;
  readonly accounts: AccountsConfig;
  readonly client: ClientConfig;
  readonly operator: OperatorConfig;
}

const VERSION = /^v?(\d+)\.(\d+)\.(\d+)/;
const VERSION_MINOR_MIN = 8;

const version: ValueType<string> = {
  ...text,
  fromNode(node) {
    const value = stringOf(node);
    const match = VERSION.exec(value);
    if (match === null)
      throw new ConfError(
        node.at,
        `invalid leafnode's minimum version: invalid semver ${JSON.stringify(value)}`,
      );
    const [major, minor] = [Number(match[1]), Number(match[2])];
    if (major < 2 || (major === 2 && minor < VERSION_MINOR_MIN))
      throw new ConfError(node.at, "the minimum version should be at least 2.8.0");
    return value;
  },
};

const PLACE = { section: "leafNodes", key: "leafnodes", heading: "Leaf nodes" } as const;
const { option } = rowsOf<SeenByLeafNodes, "leafNodes">(PLACE.section, PLACE.heading);

export const leafNodes: Section<SeenByLeafNodes, "leafNodes"> = {
  name: "leafNodes",
  blockAliases: { leaf: "leafnodes", "leafnodes.authentication": "leafnodes.authorization" },
  rows: [
    ...endpointRows<SeenByLeafNodes, "leafNodes">(PLACE, {
      listen: "Host and port for leaf nodes in one; this is what has them accepted",
      host: "Address to listen on for leaf nodes",
      port: "Port for leaf nodes, -1 for a free one; this, too, has them accepted",
    }),
    option({
      key: "leafnodes.advertise",
      aliases: ["leafnode_advertise"],
      field: "advertise",
      type: advertise,
      default: null,
      reload: "live",
      description: "Address that leaf nodes are told instead of this server's own",
    }),
    option({
      key: "leafnodes.no_advertise",
      field: "noAdvertise",
      type: bool,
      default: false,
      reload: "live",
      description: "Do not tell leaf nodes where this server can be dialled",
    }),
    option({
      key: "leafnodes.tls",
      field: "tls",
      type: clientTls,
      default: null,
      defaultText: "off",
      reload: "live",
      description: "TLS for leaf nodes that connect: the block of keys described in docs/security.md",
    }),
    ...userRows<SeenByLeafNodes, "leafNodes">(PLACE, {
      user: "User required of leaf nodes, instead of those of authorization and of accounts",
      password: "Password of that user, plain or as a bcrypt hash",
    }),
    option({
      key: "leafnodes.authorization.nkey",
      field: "nkey",
      type: userNkey,
      default: null,
      reload: "live",
      description: "Public nkey required of leaf nodes, instead of a user with a password",
    }),
    option({
      key: "leafnodes.authorization.account",
      field: "account",
      type: text,
      default: null,
      defaultText: "the global account",
      reload: "live",
      description: "Account of that user",
    }),
    option({
      key: "leafnodes.authorization.users",
      field: "users",
      type: leafUsers,
      default: [],
      reload: "live",
      description: "Several users instead of one, each with an account",
    }),
    option({
      key: "leafnodes.authorization.proxy_required",
      field: "needsProxy",
      type: bool,
      default: false,
      reload: "live",
      description: "Refuse that user: leaf nodes do not come through proxies here",
    }),
    option({
      key: "leafnodes.authorization.timeout",
      field: "authTimeoutMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds", highMs: 60_000 }),
      default: { derive: ({ leafNodes: { tls } }) => (tls === null ? 2000 : tls.timeoutMs + 1000) },
      defaultText: "2s, or a second more than leafnodes.tls.timeout",
      reload: "live",
      description: "Time a leaf node has to say who it is",
    }),
    option({
      key: "leafnodes.min_version",
      aliases: ["minimum_version"],
      field: "versionMin",
      type: version,
      default: "",
      defaultText: "any",
      reload: "live",
      description: "Oldest version of nats-server whose leaf nodes are taken, 2.8.0 or later",
    }),
    option({
      key: "leafnodes.isolate_leafnode_interest",
      aliases: ["isolate"],
      field: "isIsolated",
      type: bool,
      default: false,
      reload: "restart",
      description: "Do not tell leaf nodes of the interest of other leaf nodes",
    }),
    option({
      key: "leafnodes.reconnect",
      aliases: ["reconnect_delay", "reconnect_interval"],
      field: "reconnectMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" }),
      default: 1000,
      reload: "live",
      description: "Time before a hub is dialled again, doubled with each failure up to eight times that",
    }),
    option({
      key: "leafnodes.dial_timeout",
      field: "dialTimeoutMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" }),
      default: 2000,
      reload: "live",
      description: "Time for a connection to a hub; remotes may have their own",
    }),
    option({
      key: "leafnodes.ping_interval",
      field: "pingIntervalMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" }),
      default: { derive: ({ client }) => client.pingIntervalMs },
      defaultText: "ping_interval",
      reload: "live",
      description: "Time between PINGs on an idle leaf connection",
    }),
    ...patienceRows<SeenByLeafNodes, "leafNodes">(PLACE, "a leaf connection"),
    option({
      key: "leafnodes.compression",
      field: "compression",
      type: leafCompression,
      default: LEAF_COMPRESSION,
      reload: "live",
      description:
        "Compression of leaf connections: off, accept, s2_fast, s2_better, s2_best, s2_auto; remotes have their own",
    }),
    option({
      key: "leafnodes.remotes",
      field: "remotes",
      isSecret: true,
      type: leafRemotes,
      default: [],
      reload: "live",
      description:
        "Hubs that this server connects to, each as {url or urls, account, credentials, nkey, tls, …}: docs/leafnodes.md",
    }),
  ],
  check: problemsOf,
  unsupported: [
    { feature: "Another rule for slow leaf nodes than to cut them is", keys: ["leafnodes.write_timeout"] },
  ],
};

function problemsOf(
  { leafNodes: leaf, accounts, operator }: SeenByLeafNodes,
  sheet: Sheet<FieldOf<SeenByLeafNodes>>,
): ConfError[] {
  const errors: ConfError[] = [];
  const refuse = (field: FieldOf<SeenByLeafNodes>, reason: string): void =>
    void errors.push(sheet.errorAt([field], reason));
  if (leaf.users.length > 0 && leaf.user !== null)
    refuse("leafNodes.users", "can not have a single user/pass and a users array");
  if (leaf.users.length > 0 && leaf.nkey !== null)
    refuse("leafNodes.users", "can not have a single nkey and a users array");
  if (leaf.user !== null && leaf.nkey !== null)
    refuse("leafNodes.nkey", "can not have both a user/pass and an nkey");
  if (leaf.user === null && leaf.password !== null) refuse("leafNodes.password", "a password needs a user");
  if (leaf.tls?.certificates.length === 0 && leaf.port !== null)
    refuse("leafNodes.tls", "tls: missing cert_file in TLS configuration");
  if (operator.operators.length > 0) checkSigned(leaf, refuse);
  const known = new Set([GLOBAL_ACCOUNT, SYSTEM_ACCOUNT, ...accounts.list.map(({ name }) => name)]);
  if (accounts.system !== null) known.add(accounts.system);
  const isUnknown = (name: string | null): boolean =>
    name !== null && !known.has(name) && operator.operators.length === 0 && sheet.knows("accounts.list");
  const missing = (name: string | null, what: string): string =>
    `cannot find local account ${JSON.stringify(name)} specified in leafnode ${what}`;
  if (isUnknown(leaf.account)) refuse("leafNodes.account", missing(leaf.account, "authorization"));
  for (const { account } of leaf.users)
    if (isUnknown(account)) refuse("leafNodes.users", missing(account, "authorization"));
  const seen = new Set<string>();
  for (const remote of leaf.remotes) {
    if (isUnknown(remote.account)) refuse("leafNodes.remotes", missing(remote.account, "remote"));
    const name = nameOf(remote);
    if (seen.has(name)) refuse("leafNodes.remotes", `duplicate remote ${name}`);
    seen.add(name);
  }
  return errors;
}

/** Accounts that an operator signs go by their public nkeys, and have no users here but the one of the block. */
function checkSigned(
  { users, remotes, port, account }: LeafNodesConfig,
  refuse: (field: FieldOf<SeenByLeafNodes>, reason: string) => void,
): void {
  if (users.length > 0)
    refuse("leafNodes.users", "operator mode does not allow specifying users in leafnode config");
  if (remotes.some((remote) => !isNkeyOf("account", remote.account ?? "")))
    refuse(
      "leafNodes.remotes",
      "operator mode requires account nkeys in remotes: add the public key of an account, which begins with A, to each remote as its `account`",
    );
  if (port !== null && account !== null && !isNkeyOf("account", account))
    refuse("leafNodes.account", "operator mode and non account nkeys are incompatible");
}

/** Two remotes of one account with the same URLs and credentials are one. */
function nameOf({ urls, account, credentials, nkey }: LeafRemoteConfig): string {
  const shown = urls.map(
    ({ user, host, port: number }) => `${user === null ? "" : `${user}@`}${host}:${number}`,
  );
  const by = credentials ?? (nkey === null ? "" : seedKey(nkey).publicKey);
  return `${shown.join(",")} of ${account ?? GLOBAL_ACCOUNT}${by === "" ? "" : ` as ${by}`}`;
}
