/** The port for routes and what crosses them. Discovery and rebalancing have files of their own. */
import { assert } from "../../base/assert.ts";
import type { ConfError, Origin } from "../formats/nats-conf/node.ts";
import { rowsOf, type FieldOf, type Section, type Sheet } from "../option.ts";
import {
  advertise,
  listen,
  listenUrl,
  port,
  type Address,
  type Listen,
  type ListenUrl,
} from "../values/address.ts";
import { compression, type Compression } from "../values/compression.ts";
import { routePermissions } from "../values/permissions.ts";
import { routeTls, type TlsConfig } from "../values/tls.ts";
import {
  bool,
  count,
  duration,
  hostName,
  integer,
  oneOf,
  clusterName,
  spacelessName,
  strings,
  type ValueType,
} from "../values/value-type.ts";
import type { ClientConfig } from "./client.ts";
import { discoveryRows, type DiscoveryConfig } from "./discovery.ts";
import { rebalanceRows, type RebalanceConfig } from "./rebalance.ts";
import type { RoutePermissions } from "../../links/route/permissions.ts";
import { patienceRows, userRows } from "./shared-rows.ts";

export interface ClusterConfig extends DiscoveryConfig, RebalanceConfig {
  /** null: a name is made up. */
  readonly name: string | null;
  readonly host: string;
  /** null: no cluster; 0: the system picks a free port. */
  readonly port: number | null;
  readonly user: string | null;
  readonly password: string | null;
  readonly authTimeoutMs: number;
  readonly advertise: Address | null;
  readonly noAdvertise: boolean;
  readonly readinessWaitMs: number;
  readonly connectRetries: number;
  readonly connectBackoff: boolean;
  readonly permissions: RoutePermissions | null;
  /** -1: no pool, one connection as before nats-server 2.10. */
  readonly poolSize: number;
  /** Accounts with a connection of their own. */
  readonly accounts: readonly string[];
  readonly compression: Compression;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  readonly writeDeadlineMs: number;
  /** null: unknown. */
  readonly zone: string | null;
  readonly queuePreference: QueuePreference;
  /** null: plaintext. */
  readonly tls: TlsConfig | null;
}

/** Which members of a queue group come first: those on this server, then those in its zone (`zone`), or none. */
type QueuePreference = "server" | "zone" | "none";

export interface SeenByCluster {
  readonly cluster: ClusterConfig;
  readonly client: ClientConfig;
}

/** Longest interval between PINGs on a route, whatever is configured, as in nats-server. */
const ROUTE_PING_INTERVAL_MAX_MS = 30_000;
/** A server that vanishes is noticed after two to three intervals. nats-server: up to 30 s. */
const ROUTE_PING_INTERVAL_MS = 5000;

assert(ROUTE_PING_INTERVAL_MS <= ROUTE_PING_INTERVAL_MAX_MS, "the default interval is within its bound");

const pingInterval = duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" });

const routePingInterval: ValueType<number> = {
  ...pingInterval,
  fromNode(node, notes) {
    const ms = pingInterval.fromNode(node, notes);
    if (ms === undefined || ms <= ROUTE_PING_INTERVAL_MAX_MS) return ms;
    notes.warn(node.at, "the ping_interval of the cluster is cut to 30s, the most for routes");
    return ROUTE_PING_INTERVAL_MAX_MS;
  },
};

const deprecatedPermissions: typeof routePermissions = {
  ...routePermissions,
  fromNode(node, notes) {
    notes.warn(node.at, "permissions inside cluster.authorization are deprecated, write cluster.permissions");
    return routePermissions.fromNode(node, notes);
  },
};

const PLACE = { section: "cluster", key: "cluster", heading: "Cluster" } as const;
const { option, composite } = rowsOf<SeenByCluster, "cluster">(PLACE.section, PLACE.heading);

export const cluster: Section<SeenByCluster, "cluster"> = {
  name: "cluster",
  rows: [
    option({
      key: "cluster.name",
      field: "name",
      type: clusterName,
      default: null,
      defaultText: "made up at the start",
      flags: ["cluster_name"],
      flagValue: "<string>",
      reload: "restart",
      description: "Name of the cluster; all its servers must have the same",
    }),
    composite<Listen, ListenUrl>({
      key: "cluster.listen",
      fields: ["cluster.host", "cluster.port"],
      type: listen,
      flagType: { ...listenUrl, fromNode: emptyTurnsOff },
      assign: assignListen,
      flags: ["cluster", "cluster_listen"],
      flagValue: "<cluster-url>",
      reload: "restart",
      description: "Host and port for routes in one; this is what turns clustering on",
    }),
    option({
      key: "cluster.host",
      aliases: ["net"],
      field: "host",
      type: hostName,
      default: "0.0.0.0",
      reload: "restart",
      description: "Address to listen on for routes",
    }),
    option({
      key: "cluster.port",
      field: "port",
      type: port,
      default: null,
      defaultText: "off",
      reload: "restart",
      description: "Port for routes, -1 for a free one; this, too, turns clustering on",
    }),
    option({
      key: "cluster.advertise",
      aliases: ["cluster_advertise"],
      field: "advertise",
      type: advertise,
      default: null,
      flags: ["cluster_advertise"],
      flagValue: "<string>",
      reload: "restart",
      description: "Address that other servers are told to dial for a route to this one",
    }),
    option({
      key: "cluster.no_advertise",
      field: "noAdvertise",
      type: bool,
      default: false,
      flags: ["no_advertise"],
      flagValue: "<bool>",
      reload: "live",
      description: "Do not tell clients of the other servers of the cluster",
    }),
    ...userRows<SeenByCluster, "cluster">(PLACE, {
      user: "User required for routes",
      password: "Password required for routes",
    }),
    option({
      key: "cluster.authorization.timeout",
      field: "authTimeoutMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds", highMs: 60_000 }),
      default: { derive: ({ cluster: { tls } }) => (tls === null ? 2000 : tls.timeoutMs + 1000) },
      defaultText: "2s, or a second more than cluster.tls.timeout",
      reload: "restart",
      description: "Time another server has to say who it is",
    }),
    option({
      key: "cluster.readiness_wait",
      field: "readinessWaitMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "refused" }),
      default: 30_000,
      reload: "restart",
      description: "Time after which a starting server is ready without the servers it could not reach",
    }),
    ...discoveryRows,
    option({
      key: "cluster.connect_retries",
      field: "connectRetries",
      type: count,
      default: 0,
      flags: ["connect_retries"],
      flagValue: "<number>",
      reload: "restart",
      description: "Failed dials after which a server learned of from others is given up",
    }),
    option({
      key: "cluster.connect_backoff",
      field: "connectBackoff",
      type: bool,
      default: false,
      reload: "restart",
      description: "Wait longer after each failed dial of a server, from 1s to 30s",
    }),
    option({
      key: "cluster.permissions",
      field: "permissions",
      type: routePermissions,
      default: null,
      defaultText: "all subjects",
      reload: "live",
      description: "Subjects that may be imported from and exported to other servers",
    }),
    composite({
      key: "cluster.authorization.permissions",
      aliases: ["default_permission", "default_permissions"],
      fields: ["cluster.permissions"],
      type: deprecatedPermissions,
      env: null,
      assign(sheet, value, at) {
        if (sheet.get("cluster.permissions") === undefined) sheet.set("cluster.permissions", value, at);
      },
      reload: "live",
      description: "The old place of cluster.permissions, which goes first",
    }),
    option({
      key: "cluster.pool_size",
      field: "poolSize",
      type: integer({ min: -1, max: 1024, zero: "default" }),
      default: 3,
      reload: "restart",
      description: "Connections per route, -1 for a single one without pooling",
    }),
    option({
      key: "cluster.accounts",
      field: "accounts",
      type: strings,
      default: [],
      reload: "restart",
      description: "Accounts with a route connection of their own",
    }),
    option({
      key: "cluster.compression",
      field: "compression",
      type: compression,
      default: { mode: "accept", rttThresholdsMs: [] },
      reload: "live",
      description: "Compression of routes: off, accept, s2_fast, s2_better, s2_best, s2_auto",
    }),
    option({
      key: "cluster.ping_interval",
      field: "pingIntervalMs",
      type: routePingInterval,
      default: { derive: ({ client }) => Math.min(client.pingIntervalMs, ROUTE_PING_INTERVAL_MS) },
      defaultText: "ping_interval, but at most 5s",
      reload: "live",
      description: "Time between PINGs on a route",
    }),
    ...patienceRows<SeenByCluster, "cluster">(PLACE, "a route"),
    option({
      key: "cluster.zone",
      field: "zone",
      type: spacelessName,
      default: null,
      reload: "restart",
      description: "Zone that this server is in, such as eu-west-1a; the other servers are told",
    }),
    option({
      key: "cluster.queue_preference",
      field: "queuePreference",
      type: oneOf("server", "zone", "none"),
      default: "server",
      reload: "restart",
      description:
        "Members that queue groups prefer: server, those on the publisher's server; zone, these, then those in its zone; " +
        "none, as nats-server",
    }),
    option({
      key: "cluster.tls",
      field: "tls",
      heading: "TLS",
      type: routeTls,
      default: null,
      defaultText: "off",
      reload: "live",
      description: "TLS for routes: the same block; both servers present a certificate",
    }),
    ...rebalanceRows,
  ],
  check({ cluster: own }, sheet) {
    const errors: ConfError[] = [];
    const refuse = (fields: readonly FieldOf<SeenByCluster>[], reason: string): void =>
      void errors.push(sheet.errorAt(fields, reason));
    const routes = sheet.get("cluster.routes");
    // In a file, nats-server accepts this and never dials: see `advise`.
    if (own.port === null && own.routes.length > 0 && routes !== undefined && routes.at.kind !== "file")
      refuse(["cluster.routes"], "solicited routes require cluster capabilities, e.g. --cluster");
    if (own.user === null && own.password !== null) refuse(["cluster.password"], "a password needs a user");
    if (own.rebalances && own.noAdvertise) {
      const reason =
        "clients that are not told of other servers (no_advertise) cannot be asked to move there";
      refuse(["cluster.rebalances", "cluster.noAdvertise"], reason);
    }
    if (own.accounts.length > 0 && own.poolSize < 0) {
      const reason = "pool_size cannot be negative if accounts have routes of their own";
      refuse(["cluster.poolSize", "cluster.accounts"], reason);
    }
    if (new Set(own.accounts).size < own.accounts.length)
      refuse(["cluster.accounts"], "an account is twice in the list");
    if (own.tls?.certificates.length === 0)
      refuse(["cluster.tls"], "cluster.tls: missing cert_file in TLS configuration");
    return errors;
  },
  advise({ cluster: { port: at, routes, tls } }, warn) {
    if (at === null && routes.length > 0)
      warn("cluster.routes", "routes are not dialled, since cluster.listen or cluster.port is missing");
    if (tls?.insecure === true) {
      const text_ =
        "certificates of servers that are dialled are not verified (insecure): not for production";
      warn("cluster.tls", text_);
    }
  },
  unsupported: [
    { feature: "A token for routes is", keys: ["cluster.authorization.token"] },
    { feature: "A list of users for routes is", keys: ["cluster.authorization.users"] },
    {
      feature: "Authorization of routes by callout is",
      keys: ["cluster.authorization.auth_callout", "cluster.authorization.auth_hook"],
    },
    {
      feature: "A choice of what happens at the write deadline is",
      keys: ["write_timeout", "cluster.write_timeout"],
      usualValue: "close",
    },
  ],
  withoutEffect: { "cluster.authorization.proxy_required": "bool" },
};

/** `--cluster ""` turns clustering off that a file turned on. */
function emptyTurnsOff(...[node, notes]: Parameters<typeof listenUrl.fromNode>): ListenUrl | undefined {
  return node.kind === "string" && node.value === "" ? undefined : listenUrl.fromNode(node, notes);
}

/** The flag also replaces the credentials of the file, even if it has none. */
function assignListen(sheet: Sheet<FieldOf<SeenByCluster>>, value: Listen | ListenUrl, at: Origin): void {
  sheet.assign("cluster.host", value.host, at);
  sheet.assign("cluster.port", value.port, at);
  if (!("user" in value)) return;
  sheet.set("cluster.user", value.user, at);
  sheet.set("cluster.password", value.password, at);
}
