/** One line in the form of RFC 5424, as a daemon's, with the process id and the event as MSGID. Pure. */
import type { LogLevel } from "../base/logger.ts";

export interface SyslogLine {
  readonly level: LogLevel;
  readonly pid: number;
  /** null: the syslog server sets the time. */
  readonly timeMs: number | null;
  readonly hostName: string;
  readonly event: unknown;
  /** Without line breaks. */
  readonly text: string;
}

const FACILITY_DAEMON = 3;
/** nats-server's severities, except for trace, which nats-server sends as info. */
const SEVERITY: Record<LogLevel, number> = { trace: 7, debug: 7, info: 5, warn: 4, error: 3, fatal: 2 };

export function formatSyslog({ level, pid, timeMs, hostName, event, text }: SyslogLine): string {
  const priority = FACILITY_DAEMON * 8 + SEVERITY[level];
  const time = timeMs === null ? "-" : new Date(timeMs).toISOString();
  const id = typeof event === "string" ? headerWord(event, 32) : "-";
  return `<${priority}>1 ${time} ${headerWord(hostName, 255)} shoal ${pid} ${id} - ${text}`;
}

/** Words of the header are printable ASCII; "-" is the word for nothing. */
function headerWord(word: string, lengthMax: number): string {
  return word.replaceAll(/[^!-~]/g, "").slice(0, lengthMax) || "-";
}
