/** The log: its level, format and destination. */
import { rowsOf, type Section } from "../option.ts";
import { syslogUrl } from "../values/address.ts";
import { bool, limit, oneOf, path } from "../values/value-type.ts";

interface LogConfig {
  readonly debug: boolean;
  readonly trace: boolean;
  /** Traces the system account too. */
  readonly traceVerbose: boolean;
  /** Traces the headers of messages without their payloads. */
  readonly traceHeaders: boolean;
  /** Longest printed part of a traced message. null: no limit. */
  readonly maxTracedMsgBytes: number | null;
  readonly time: boolean;
  readonly timeUtc: boolean;
  readonly format: LogFormat;
  /** null: standard error. */
  readonly file: string | null;
  /** Without a file, lines go to a syslog server: to `remoteSyslog`, or to this machine's over UDP. */
  readonly syslog: boolean;
  /** udp://host:port or tcp://host:port; used without a file. null: none, unless `syslog`. */
  readonly remoteSyslog: string | null;
  /** Size at which the file is rotated. null: never. */
  readonly fileSizeMaxBytes: number | null;
  /** Rotated files kept. null: all. */
  readonly filesMax: number | null;
}

type LogFormat = "auto" | "json" | "classic";

export interface SeenByLog {
  readonly log: LogConfig;
}

const { option } = rowsOf<SeenByLog, "log">("log", "Logging");

export const log: Section<SeenByLog, "log"> = {
  name: "log",
  rows: [
    option({
      key: "debug",
      field: "debug",
      type: bool,
      default: false,
      flags: ["D", "debug"],
      reload: "live",
      description: "Log what helps to find errors",
    }),
    option({
      key: "trace",
      field: "trace",
      type: bool,
      default: false,
      flags: ["V", "trace"],
      reload: "live",
      description: "Log every protocol operation",
    }),
    option({
      key: "trace_verbose",
      field: "traceVerbose",
      implies: "trace",
      type: bool,
      default: false,
      flags: ["VV"],
      reload: "live",
      status: "parsed",
      description: "Trace the system account as well",
    }),
    option({
      key: "trace_headers",
      field: "traceHeaders",
      implies: "trace",
      type: bool,
      default: false,
      reload: "live",
      status: "parsed",
      description: "Trace only the headers of messages",
    }),
    option({
      key: "max_traced_msg_len",
      field: "maxTracedMsgBytes",
      type: limit("integer"),
      default: null,
      defaultText: "no limit",
      flags: ["max_traced_msg_len"],
      flagValue: "<len>",
      reload: "live",
      status: "parsed",
      description: "Longest printed part of a traced message, in bytes",
    }),
    option({
      key: "logtime",
      field: "time",
      type: bool,
      default: true,
      flags: ["T", "logtime"],
      reload: "live",
      description: "Put the time on log entries",
    }),
    option({
      key: "logtime_utc",
      field: "timeUtc",
      type: bool,
      default: false,
      flags: ["logtime_utc"],
      reload: "live",
      description: "The time in UTC instead of the local time zone",
    }),
    option({
      key: "log_format",
      field: "format",
      type: oneOf("auto", "json", "classic"),
      default: "auto",
      flags: ["log_format"],
      flagValue: "<format>",
      reload: "live",
      description: "JSON lines or the lines of nats-server; auto is classic on a terminal and JSON elsewhere",
    }),
    option({
      key: "log_file",
      aliases: ["logfile"],
      field: "file",
      type: path,
      default: null,
      defaultText: "standard error",
      flags: ["l", "log"],
      flagValue: "<file>",
      reload: "live",
      description: "File to write the log to",
    }),
    option({
      key: "syslog",
      field: "syslog",
      type: bool,
      default: false,
      flags: ["s", "syslog"],
      reload: "live",
      description:
        "Without `log_file`, write the log to the syslog server of this machine, at udp://127.0.0.1:514",
    }),
    option({
      key: "remote_syslog",
      field: "remoteSyslog",
      type: syslogUrl,
      default: null,
      defaultText: "",
      flags: ["r", "remote_syslog"],
      flagValue: "<url>",
      reload: "live",
      description:
        "Without `log_file`, write the log to this syslog server: udp://host:port or tcp://host:port",
    }),
    option({
      key: "log_size_limit",
      aliases: ["logfile_size_limit"],
      field: "fileSizeMaxBytes",
      type: limit("size"),
      default: null,
      defaultText: "no limit",
      flags: ["log_size_limit"],
      flagValue: "<limit>",
      reload: "live",
      description: "Size at which the log file is rotated",
    }),
    option({
      key: "log_max_num",
      aliases: ["logfile_max_num"],
      field: "filesMax",
      type: limit("integer"),
      default: null,
      defaultText: "no limit",
      reload: "live",
      description: "Rotated log files to keep",
    }),
  ],
};
