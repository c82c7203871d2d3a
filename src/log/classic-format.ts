/**
 * Formats lines as nats-server does:
 *
 *     [123] 2026/11/22 15:04:05.123456 [INF] 127.0.0.1:4222 - cid:5 - message key=value
 *
 * Pure: fields in, text out. Text from a peer can neither start a new line nor move the cursor.
 */
import type { LogFields, LogLevel } from "../base/logger.ts";

export interface ClassicStyle {
  readonly colour: "never" | "labels";
  /** `none` is nats-server's `logtime: false`. */
  readonly time: "local" | "utc" | "none";
}

export interface LogLine {
  readonly level: LogLevel;
  readonly pid: number;
  readonly timeMicros: number;
  readonly message: string;
  readonly fields: LogFields;
}

/** Label and ANSI colour, as nats-server 2.15 writes them. */
const LABELS: Record<LogLevel, readonly [string, string]> = {
  trace: ["TRC", "33"],
  debug: ["DBG", "36"],
  info: ["INF", "32"],
  warn: ["WRN", "0;93"],
  error: ["ERR", "31"],
  fatal: ["FTL", "31"],
};

const CONNECTION_IDS = ["cid", "rid", "lid", "gid", "wid", "mid"] as const;
const PREFIX_FIELDS = new Set<string>(["peer", "client", "user", ...CONNECTION_IDS]);
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
const PLAIN_VALUE = /^[^\s"=\u0000-\u001f]+$/;

export function formatClassic(line: LogLine, style: ClassicStyle): string {
  const [name, colour] = LABELS[line.level];
  const label = style.colour === "labels" ? `[\u001b[${colour}m${name}\u001b[0m]` : `[${name}]`;
  const time = style.time === "none" ? "" : `${formatTime(line.timeMicros, style.time)} `;
  return `[${line.pid}] ${time}${label} ${classicText(line.message, line.fields)}\n`;
}

/** The message and its fields. */
export function classicText(message: string, fields: LogFields): string {
  const text = `${connectionPrefix(fields)}${message}${trailingFields(fields)}`;
  return text.replaceAll(CONTROL, escapeControl);
}

/** `2026/11/22 15:04:05.123456` */
export function formatTime(micros: number, zone: "local" | "utc"): string {
  const at = new Date(micros / 1000);
  const shifted = zone === "utc" ? at : new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  const iso = shifted.toISOString(); // 2026-11-22T15:04:05.123Z
  const day = iso.slice(0, 10).replaceAll("-", "/");
  const rest = String(Math.floor(micros % 1000)).padStart(3, "0");
  return `${day} ${iso.slice(11, 23)}${rest}`;
}

/** The fields before the message; without a `peer` they are ordinary fields. */
function connectionPrefix(fields: LogFields): string {
  if (fields["peer"] === undefined) return "";
  let prefix = `${show(fields["peer"])} - `;
  const id = CONNECTION_IDS.find((name) => fields[name] !== undefined);
  if (id !== undefined) prefix += `${id}:${show(fields[id])} - `;
  for (const name of ["client", "user"]) {
    if (fields[name] !== undefined) prefix += `${JSON.stringify(fields[name])} - `;
  }
  return prefix;
}

function trailingFields(fields: LogFields): string {
  const hasPrefix = fields["peer"] !== undefined;
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || (hasPrefix && PREFIX_FIELDS.has(key))) continue;
    text += ` ${key}=${show(value)}`;
  }
  return text;
}

function show(value: unknown): string {
  if (typeof value === "string") return PLAIN_VALUE.test(value) ? value : JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  const { message } = value as { message?: unknown };
  return JSON.stringify(typeof message === "string" ? message : value);
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
