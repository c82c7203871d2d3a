/** The server itself: its name, its files, lame duck mode. */
import { assert } from "../../base/assert.ts";
import { rowsOf, type Section } from "../option.ts";
import { duration, integer, metadata, oneOf, path, spacelessName, strings } from "../values/value-type.ts";

interface ServerConfig {
  /** null: the name of the pod or container, else the server's id. */
  readonly name: string | null;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly pidFile: string | null;
  readonly portsFileDir: string | null;
  /** Whether a change of the configuration files reloads the configuration. */
  readonly watchFiles: WatchMode;
  readonly lameDuckDurationMs: number;
  readonly lameDuckGracePeriodMs: number;
  readonly maxClosedClients: number;
  /** The first failed dial of a route is logged, then every dial whose count is a multiple of this. */
  readonly connectErrorReports: number;
  readonly reconnectErrorReports: number;
}

/** `auto`: where Kubernetes has mounted the files. */
type WatchMode = "auto" | "always" | "never";

export interface SeenByServer {
  readonly server: ServerConfig;
}

/** The whole duration fits into the 30 s that Kubernetes gives a pod to end, with some time to spare for pending data. */
const LAME_DUCK_DURATION_MS = 25_000;
const LAME_DUCK_GRACE_MS = 5000;

assert(LAME_DUCK_GRACE_MS < LAME_DUCK_DURATION_MS, "the default grace period ends before the duration");

const { option } = rowsOf<SeenByServer, "server">("server", "Server");

export const server: Section<SeenByServer, "server"> = {
  name: "server",
  rows: [
    option({
      key: "server_name",
      field: "name",
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
      field: "watchFiles",
      type: oneOf("auto", "always", "never"),
      default: "auto",
      reload: "live",
      description:
        "Reload when files of the configuration or of certificates change: auto, where Kubernetes has mounted them; always; never",
    }),
    option({
      key: "server_tags",
      field: "tags",
      type: strings,
      default: [],
      reload: "live",
      description: "Tags shown by monitoring, such as az:eu-1a",
    }),
    option({
      key: "server_metadata",
      field: "metadata",
      type: metadata,
      default: {},
      defaultText: "",
      reload: "live",
      description: "Keys with strings shown by monitoring",
    }),
    option({
      key: "pid_file",
      aliases: ["pidfile"],
      field: "pidFile",
      type: path,
      default: null,
      flags: ["P", "pid"],
      flagValue: "<file>",
      reload: "live",
      description: "File to write the process id to",
    }),
    option({
      key: "ports_file_dir",
      field: "portsFileDir",
      type: path,
      default: null,
      flags: ["ports_file_dir"],
      flagValue: "<dir>",
      reload: "live",
      description: "Directory for a file with the ports in use (<executable>_<pid>.ports)",
    }),
    option({
      key: "lame_duck_duration",
      field: "lameDuckDurationMs",
      heading: "Lame duck",
      type: duration({ minMs: 1, zero: "default", bareNumber: "refused" }),
      default: LAME_DUCK_DURATION_MS,
      reload: "live",
      description: "Time over which clients are sent away before the server stops",
    }),
    option({
      key: "lame_duck_grace_period",
      field: "lameDuckGracePeriodMs",
      heading: "Lame duck",
      type: duration({ minMs: 1, zero: "default", bareNumber: "refused" }),
      default: { derive: lameDuckGrace },
      defaultText: "5s, or a third of lame_duck_duration if that is less",
      reload: "live",
      description:
        "Time before the first client is sent away, with newcomers still taken; less than lame_duck_duration",
    }),
    option({
      key: "max_closed_clients",
      field: "maxClosedClients",
      heading: "Limits",
      type: integer({ min: 1, max: 1_000_000, zero: "default" }),
      default: 10_000,
      reload: "restart",
      description: "Closed connections that monitoring remembers",
    }),
    option({
      key: "connect_error_reports",
      field: "connectErrorReports",
      heading: "Limits",
      type: integer({ min: 1, max: Number.MAX_SAFE_INTEGER, zero: "default" }),
      default: 3600,
      reload: "live",
      status: "parsed",
      description: "Of the failed first dials of a route, log the first and then every so many",
    }),
    option({
      key: "reconnect_error_reports",
      field: "reconnectErrorReports",
      heading: "Limits",
      type: integer({ min: 1, max: Number.MAX_SAFE_INTEGER, zero: "default" }),
      default: 1,
      reload: "live",
      status: "parsed",
      description: "Of the failed dials to bring a lost route back, log the first and then every so many",
    }),
  ],
  check({ server: { lameDuckGracePeriodMs, lameDuckDurationMs } }, sheet) {
    if (lameDuckGracePeriodMs < lameDuckDurationMs) return [];
    const reason = "lame_duck_grace_period must be less than lame_duck_duration";
    return [sheet.errorAt(["server.lameDuckGracePeriodMs", "server.lameDuckDurationMs"], reason)];
  },
};

function lameDuckGrace(config: SeenByServer): number {
  return Math.min(LAME_DUCK_GRACE_MS, Math.floor(config.server.lameDuckDurationMs / 3));
}
