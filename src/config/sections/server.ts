/** The rows of the schema for the server itself: who it is, where clients connect, monitoring, lame duck. */

import { posix } from "node:path";

import { advertise, listen, port } from "../values/address.ts";
import type { Config } from "../config.ts";
import { composite, option, type Option } from "../option.ts";
import {
  duration,
  metadata,
  metricPrefix,
  oneOf,
  path,
  spacelessName,
  strings,
  text,
} from "../values/value-type.ts";

/** The whole of it fits into the 30 s that Kubernetes gives a pod to end, with some to spare for what is pending then. */
const LAME_DUCK_DURATION_MS = 25_000;
const LAME_DUCK_GRACE_MS = 5000;

const identity: readonly Option[] = [
  option({
    key: "server_name",
    field: "server.name",
    section: "Server",
    type: spacelessName,
    default: null,
    defaultText: "POD_NAME, else a container's host name, else the id",
    flags: ["n", "name", "server_name"],
    flagValue: "<server_name>",
    reload: "restart",
    description: "Name of the server, unique in its cluster",
  }),
  option({
    key: "reload.watch",
    field: "server.watchFiles",
    section: "Server",
    type: oneOf("auto", "always", "never"),
    default: "auto",
    reload: "live",
    description:
      "Reload when files of the configuration or of certificates change: auto, where Kubernetes has mounted them; always; never",
  }),
  option({
    key: "server_tags",
    field: "server.tags",
    section: "Server",
    type: strings,
    default: [],
    reload: "live",
    description: "Tags shown by monitoring, such as az:eu-1a",
  }),
  option({
    key: "server_metadata",
    field: "server.metadata",
    section: "Server",
    type: metadata,
    default: {},
    defaultText: "",
    reload: "live",
    description: "Keys with strings shown by monitoring",
  }),
  option({
    key: "pid_file",
    aliases: ["pidfile"],
    field: "server.pidFile",
    section: "Server",
    type: path,
    default: null,
    flags: ["P", "pid"],
    flagValue: "<file>",
    reload: "live",
    description: "File to write the process id to",
  }),
  option({
    key: "ports_file_dir",
    field: "server.portsFileDir",
    section: "Server",
    type: path,
    default: null,
    flags: ["ports_file_dir"],
    flagValue: "<dir>",
    reload: "live",
    description: "Directory for a file with the ports in use (<executable>_<pid>.ports)",
  }),
];

const listener: readonly Option[] = [
  composite({
    key: "listen",
    fields: ["client.host", "client.port"],
    section: "Server",
    type: listen,
    assign(sheet, { host, port: number }, at) {
      if (host === undefined) sheet.clear("client.host");
      else sheet.set("client.host", host, at);
      if (number === undefined) sheet.clear("client.port");
      else sheet.set("client.port", number, at);
    },
    defaultText: "0.0.0.0:4222",
    reload: "restart",
    description: "Host and port for clients in one",
  }),
  option({
    key: "host",
    aliases: ["net"],
    field: "client.host",
    section: "Server",
    type: { ...text, name: "host", fromNode: (node, notes) => text.fromNode(node, notes) || undefined },
    default: "0.0.0.0",
    flags: ["a", "addr", "net"],
    reload: "restart",
    description: "Address to listen on for clients",
  }),
  option({
    key: "port",
    field: "client.port",
    section: "Server",
    type: port,
    default: 4222,
    flags: ["p", "port"],
    reload: "restart",
    description: "Port for clients, -1 for a free one",
  }),
  option({
    key: "client_advertise",
    field: "client.advertise",
    section: "Server",
    type: advertise,
    default: null,
    flags: ["client_advertise"],
    flagValue: "<string>",
    reload: "live",
    description: "Address that other servers tell their clients instead of this server's own",
  }),
  option({
    key: "external.host",
    field: "client.externalHost",
    section: "Server",
    type: { ...text, name: "host", fromNode: (node, notes) => text.fromNode(node, notes) || undefined },
    default: null,
    defaultText: "host",
    reload: "restart",
    description: "Address that the second listener for clients listens on",
  }),
  option({
    key: "external.port",
    field: "client.externalPort",
    section: "Server",
    type: port,
    default: null,
    defaultText: "off",
    reload: "restart",
    description:
      "Port of a second listener for clients outside, who are told of addresses outside alone; -1 for a free one",
  }),
  option({
    key: "external.advertise",
    field: "client.externalAdvertise",
    section: "Server",
    type: advertise,
    default: null,
    reload: "restart",
    description: "Address at which clients outside reach that listener",
  }),
];

const monitoring: readonly Option[] = [
  composite({
    key: "http",
    fields: ["monitor.host", "monitor.port"],
    section: "Monitoring",
    type: listen,
    assign(sheet, { host, port: number }, at) {
      if (host === undefined) sheet.clear("monitor.host");
      else sheet.set("monitor.host", host, at);
      if (number === undefined) sheet.clear("monitor.port");
      else sheet.set("monitor.port", number, at);
    },
    defaults: [
      ["monitor.host", { derive: (config) => config.client.host }],
      ["monitor.port", { value: null }],
    ],
    defaultText: "off",
    reload: "restart",
    description: "Host and port for monitoring over HTTP; without a host, that of the clients",
  }),
  composite({
    key: "http_port",
    aliases: ["monitor_port"],
    fields: ["monitor.port"],
    section: "Monitoring",
    type: port,
    // SHOAL__HTTP_PORT is what Kubernetes would set for a Service named "shoal--http".
    env: null,
    assign: (sheet, number, at) => sheet.set("monitor.port", number, at),
    flags: ["m", "http_port"],
    reload: "restart",
    description: "Port for monitoring over HTTP, -1 for a free one",
  }),
  option({
    key: "http_base_path",
    field: "monitor.basePath",
    section: "Monitoring",
    type: { ...path, fromNode: (node, notes) => normalBasePath(path.fromNode(node, notes)) },
    default: "/",
    reload: "restart",
    description: "Path before those of monitoring",
  }),
];

const metrics: readonly Option[] = [
  option({
    key: "metrics.port",
    field: "metrics.port",
    section: "Monitoring",
    type: port,
    default: null,
    defaultText: "off",
    reload: "restart",
    description:
      "Port for metrics alone, -1 for a free one; 7777 is that of prometheus-nats-exporter. The monitoring port has them too",
  }),
  option({
    key: "metrics.host",
    field: "metrics.host",
    section: "Monitoring",
    type: { ...text, name: "host", fromNode: (node, notes) => text.fromNode(node, notes) || undefined },
    default: { derive: (config) => config.monitor.host },
    defaultText: "that of monitoring",
    reload: "restart",
    description: "Address to listen on for metrics",
  }),
  option({
    key: "metrics.path",
    field: "metrics.path",
    section: "Monitoring",
    type: { ...path, fromNode: (node, notes) => normalBasePath(path.fromNode(node, notes)) },
    default: "/metrics",
    reload: "restart",
    description: "Path of metrics on both ports; on the monitoring port, below http_base_path",
  }),
  option({
    key: "metrics.prefix",
    field: "metrics.prefix",
    section: "Monitoring",
    type: metricPrefix,
    default: "nats",
    reload: "restart",
    description: "What names of metrics begin with, before an underscore",
  }),
];

const lameDuck: readonly Option[] = [
  option({
    key: "lame_duck_duration",
    field: "server.lameDuckDurationMs",
    section: "Lame duck",
    type: duration({ minMs: 1, zero: "default", bareNumber: "refused" }),
    default: LAME_DUCK_DURATION_MS,
    reload: "live",
    description: "Time over which clients are sent away before the server stops",
  }),
  option({
    key: "lame_duck_grace_period",
    field: "server.lameDuckGracePeriodMs",
    section: "Lame duck",
    type: duration({ minMs: 1, zero: "default", bareNumber: "refused" }),
    default: { derive: lameDuckGrace },
    defaultText: "5s, or a third of lame_duck_duration if that is less",
    reload: "live",
    description:
      "Time before the first client is sent away, with newcomers still taken; less than lame_duck_duration",
  }),
];

export const serverOptions: readonly Option[] = [
  ...identity,
  ...listener,
  ...monitoring,
  ...metrics,
  ...lameDuck,
];

function lameDuckGrace(config: Config): number {
  return Math.min(LAME_DUCK_GRACE_MS, Math.floor(config.server.lameDuckDurationMs / 3));
}

function normalBasePath(value: string | undefined): string | undefined {
  return value === undefined ? undefined : posix.resolve("/", value);
}
