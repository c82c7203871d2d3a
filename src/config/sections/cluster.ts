/** The rows of the schema for the cluster. */

import {
  advertise,
  listen,
  listenUrl,
  port,
  routeUrls,
  type Listen,
  type ListenUrl,
} from "../values/address.ts";
import { credential } from "../values/authorization.ts";
import { compression } from "../values/compression.ts";
import { routePermissions } from "../values/permissions.ts";
import { composite, option, type Option, type Sheet } from "../option.ts";
import { rebalanceOptions } from "./rebalance.ts";
import type { Origin } from "../formats/nats-conf/node.ts";
import {
  bool,
  count,
  duration,
  integer,
  oneOf,
  spacelessName,
  strings,
  text,
  type ValueType,
} from "../values/value-type.ts";

/** Routes are pinged at least this often, whatever is configured, as in nats-server. */
const ROUTE_PING_INTERVAL_MAX_MS = 30_000;
/** A member that vanishes without a word is noticed after two to three of these. nats-server: up to 30 s. */
const ROUTE_PING_INTERVAL_MS = 5000;

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

const listener: readonly Option[] = [
  option({
    key: "cluster.name",
    field: "cluster.name",
    section: "Cluster",
    type: spacelessName,
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
    section: "Cluster",
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
    field: "cluster.host",
    section: "Cluster",
    type: { ...text, name: "host", fromNode: (node, notes) => text.fromNode(node, notes) || undefined },
    default: "0.0.0.0",
    reload: "restart",
    description: "Address to listen on for routes",
  }),
  option({
    key: "cluster.port",
    field: "cluster.port",
    section: "Cluster",
    type: port,
    default: null,
    defaultText: "off",
    reload: "restart",
    description: "Port for routes, -1 for a free one; this, too, turns clustering on",
  }),
  option({
    key: "cluster.advertise",
    aliases: ["cluster_advertise"],
    field: "cluster.advertise",
    section: "Cluster",
    type: advertise,
    default: null,
    flags: ["cluster_advertise"],
    flagValue: "<string>",
    reload: "restart",
    description: "Address that other servers are told to dial for a route to this one",
  }),
  option({
    key: "cluster.no_advertise",
    field: "cluster.noAdvertise",
    section: "Cluster",
    type: bool,
    default: false,
    flags: ["no_advertise"],
    flagValue: "<bool>",
    reload: "live",
    description: "Do not tell clients of the other servers of the cluster",
  }),
  option({
    key: "cluster.authorization.user",
    aliases: ["username"],
    field: "cluster.user",
    section: "Cluster",
    type: credential,
    default: null,
    reload: "live",
    description: "User required for routes",
  }),
  option({
    key: "cluster.authorization.password",
    aliases: ["pass"],
    field: "cluster.password",
    section: "Cluster",
    type: credential,
    default: null,
    reload: "live",
    description: "Password required for routes",
  }),
  option({
    key: "cluster.authorization.timeout",
    field: "cluster.authTimeoutMs",
    section: "Cluster",
    type: duration({ minMs: 1, zero: "default", bareNumber: "seconds", highMs: 60_000 }),
    default: { derive: ({ cluster: { tls } }) => (tls === null ? 2000 : tls.timeoutMs + 1000) },
    defaultText: "2s, or a second more than cluster.tls.timeout",
    reload: "restart",
    description: "Time another server has to say who it is",
  }),
];

const routes: readonly Option[] = [
  option({
    key: "cluster.readiness_wait",
    field: "cluster.readinessWaitMs",
    section: "Cluster",
    type: duration({ minMs: 1, zero: "default", bareNumber: "refused" }),
    default: 30_000,
    reload: "restart",
    description: "Time after which a starting server is ready without the servers it could not reach",
  }),
  option({
    key: "cluster.routes",
    field: "cluster.routes",
    section: "Cluster",
    type: routeUrls,
    default: [],
    flags: ["routes"],
    flagValue: "<rurl-1, rurl-2>",
    reload: "live",
    description: "Servers to have a route to; of a name, all that its addresses or SRV records show",
  }),
  option({
    key: "cluster.discovery.interval",
    field: "cluster.discoveryIntervalMs",
    section: "Cluster",
    type: duration({ minMs: 100, zero: "default", bareNumber: "seconds" }),
    default: 5000,
    reload: "live",
    description: "Time between two lookups of a name in routes; shorter while servers are missing",
  }),
  option({
    key: "cluster.connect_retries",
    field: "cluster.connectRetries",
    section: "Cluster",
    type: count,
    default: 0,
    flags: ["connect_retries"],
    flagValue: "<number>",
    reload: "restart",
    description: "Failed dials after which a server learned of from others is given up",
  }),
  option({
    key: "cluster.connect_backoff",
    field: "cluster.connectBackoff",
    section: "Cluster",
    type: bool,
    default: false,
    reload: "restart",
    description: "Wait longer after each failed dial of a server, from 1s to 30s",
  }),
  option({
    key: "cluster.permissions",
    field: "cluster.permissions",
    section: "Cluster",
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
    section: "Cluster",
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
    field: "cluster.poolSize",
    section: "Cluster",
    type: integer({ min: -1, max: 1024, zero: "default" }),
    default: 3,
    reload: "restart",
    description: "Connections per route, -1 for a single one without pooling",
  }),
  option({
    key: "cluster.accounts",
    field: "cluster.accounts",
    section: "Cluster",
    type: strings,
    default: [],
    reload: "restart",
    description: "Accounts with a route connection of their own",
  }),
  option({
    key: "cluster.compression",
    field: "cluster.compression",
    section: "Cluster",
    type: compression,
    default: { mode: "accept", rttThresholdsMs: [] },
    reload: "live",
    status: "parsed",
    description: "Compression of routes: off, accept, s2_fast, s2_better, s2_best, s2_auto",
  }),
  option({
    key: "cluster.ping_interval",
    field: "cluster.pingIntervalMs",
    section: "Cluster",
    type: routePingInterval,
    default: { derive: (config) => Math.min(config.client.pingIntervalMs, ROUTE_PING_INTERVAL_MS) },
    defaultText: "ping_interval, but at most 5s",
    reload: "live",
    description: "Time between PINGs on a route",
  }),
  option({
    key: "cluster.ping_max",
    field: "cluster.pingMax",
    section: "Cluster",
    type: integer({ min: 1, max: Number.MAX_SAFE_INTEGER, zero: "default" }),
    default: { derive: (config) => config.client.pingMax },
    defaultText: "ping_max",
    reload: "live",
    description: "Unanswered PINGs after which a route is dropped",
  }),
  option({
    key: "cluster.write_deadline",
    field: "cluster.writeDeadlineMs",
    section: "Cluster",
    type: duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" }),
    default: { derive: (config) => config.client.writeDeadlineMs },
    defaultText: "write_deadline",
    reload: "live",
    description: "Time a route has to take what was written before it counts as too slow",
  }),
];

const kubernetes: readonly Option[] = [
  option({
    key: "cluster.discovery.kubernetes.service",
    field: "cluster.kubernetesService",
    section: "Cluster",
    type: spacelessName,
    default: null,
    defaultText: "off",
    reload: "restart",
    description: "Headless service of Kubernetes whose EndpointSlices show the other servers",
  }),
  option({
    key: "cluster.discovery.kubernetes.namespace",
    field: "cluster.kubernetesNamespace",
    section: "Cluster",
    type: spacelessName,
    default: null,
    defaultText: "that of the pod",
    reload: "restart",
    description: "Namespace of that service",
  }),
  option({
    key: "cluster.discovery.kubernetes.port_name",
    field: "cluster.kubernetesPortName",
    section: "Cluster",
    type: spacelessName,
    default: "cluster",
    reload: "restart",
    description:
      "Name of the service's port for routes; where it has none of that name, cluster.port is dialled",
  }),
];

const zone: readonly Option[] = [
  option({
    key: "cluster.zone",
    field: "cluster.zone",
    section: "Cluster",
    type: spacelessName,
    default: null,
    reload: "restart",
    description: "Zone that this server is in, such as eu-west-1a; the other servers are told",
  }),
  option({
    key: "cluster.queue_preference",
    field: "cluster.queuePreference",
    section: "Cluster",
    type: oneOf("server", "zone", "none"),
    default: "server",
    reload: "restart",
    description:
      "Members that queue groups prefer: server, those on the publisher's server; zone, these, then those in its zone; " +
      "none, as nats-server",
  }),
];

export const clusterOptions: readonly Option[] = [
  ...listener,
  ...routes,
  ...kubernetes,
  ...zone,
  ...rebalanceOptions,
];

/** `--cluster ""` turns clustering off that a file turned on. */
function emptyTurnsOff(...[node, notes]: Parameters<typeof listenUrl.fromNode>): ListenUrl | undefined {
  return node.kind === "string" && node.value === "" ? undefined : listenUrl.fromNode(node, notes);
}

/** The flag replaces the credentials of the file as well, be it with none. */
function assignListen(sheet: Sheet, value: Listen | ListenUrl, at: Origin): void {
  if (value.host === undefined) sheet.clear("cluster.host");
  else sheet.set("cluster.host", value.host, at);
  if (value.port === undefined) sheet.clear("cluster.port");
  else sheet.set("cluster.port", value.port, at);
  if (!("user" in value)) return;
  sheet.set("cluster.user", value.user, at);
  sheet.set("cluster.password", value.password, at);
}
