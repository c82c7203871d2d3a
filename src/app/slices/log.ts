/** The log, as configured. */
import type { Config } from "../../config/config.ts";
import type { LogOptions } from "../../log/log.ts";
import type { SyslogTarget } from "../../log/syslog-link.ts";

export function logOptions({ log }: Config): LogOptions {
  return {
    format: log.format,
    file: log.file ?? undefined,
    time: !log.time ? "none" : log.timeUtc ? "utc" : "local",
    debug: log.debug,
    trace: log.trace,
    syslog: syslogTarget(log),
    rotation:
      log.fileSizeMaxBytes === null
        ? undefined
        : { sizeMaxBytes: log.fileSizeMaxBytes, filesMax: log.filesMax ?? undefined },
  };
}

function syslogTarget({ syslog, remoteSyslog }: Config["log"]): SyslogTarget | undefined {
  if (!syslog && remoteSyslog === null) return undefined;
  const { protocol, hostname, port } = new URL(remoteSyslog ?? "udp://127.0.0.1:514");
  return {
    protocol: protocol === "tcp:" ? "tcp" : "udp",
    host: hostname.replaceAll(/^\[|\]$/g, ""),
    port: Number(port),
  };
}
