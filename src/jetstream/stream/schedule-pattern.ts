/**
 * Patterns of schedules: `@at <RFC 3339>`, `@every <duration>`, cron with six fields (seconds first), and names like `@hourly`. Rules and
 * results are nats-server's 2.15. Pure: the time is handed in. A repeating pattern that would have been due several times is due once.
 *
 *     second 0-59   minute 0-59   hour 0-23   day 1-31   month 1-12 or jan-dec   weekday 0-6 or sun-sat
 */
import { durationFromText } from "../../base/duration.ts";
import { isTime, timeNsOf } from "../time.ts";
import { UTC, Zone, ZonedTime } from "./zoned-time.ts";

export interface ScheduledTime {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly repeats: boolean;
  /** As it is written in a header, in the zone of the pattern. */
  readonly text: string;
}

const NAMED = new Map([
  ["@yearly", "0 0 0 1 1 *"],
  ["@annually", "0 0 0 1 1 *"],
  ["@monthly", "0 0 0 1 * *"],
  ["@weekly", "0 0 0 * * 0"],
  ["@daily", "0 0 0 * * *"],
  ["@midnight", "0 0 0 * * *"],
  ["@hourly", "0 0 * * * *"],
]);
const SECOND_MS = 1000;
/** A pattern that is not due within so many years is refused. */
const YEARS_MAX = 5;

/** The first time after `fromMs`; null: the pattern cannot be read, or is never due. `zone`: an IANA name, or null. */
export function nextTime(
  pattern: string,
  zone: string | null,
  fromMs: number,
  nowMs: number,
): ScheduledTime | null {
  if (pattern.startsWith("@at ")) return zone === null ? at(pattern.slice(4)) : null;
  if (pattern.startsWith("@every ")) return zone === null ? every(pattern.slice(7), fromMs, nowMs) : null;
  const fields = (NAMED.get(pattern) ?? pattern).split(/[\t\n\v\f\r \x85\xa0]+/).filter((one) => one !== "");
  if (fields.length !== 6) return null;
  const read = fields.map((field, i) => readField(field, FIELDS[i]!));
  if (read.some((one) => one === null)) return null;
  const cron = read as readonly Field[];
  const there = Zone.named(zone ?? UTC);
  if (there === null) return null;
  let next = cronAfter(cron, there, fromMs);
  if (next !== null && next.ms < nowMs) next = cronAfter(cron, there, roundToSecond(nowMs));
  return next === null ? null : { atMs: next.ms, repeats: true, text: next.toText() };
}

function at(text: string): ScheduledTime | null {
  if (!isTime(text)) return null;
  const ns = timeNsOf(text);
  return { atMs: Number(ns / 1_000_000n), repeats: false, text };
}

function every(text: string, fromMs: number, nowMs: number): ScheduledTime | null {
  const ms = durationFromText(text);
  if (ms === null || ms < SECOND_MS) return null;
  let atMs = roundToSecond(fromMs) + ms;
  if (atMs < nowMs) atMs = roundToSecond(nowMs) + ms;
  return { atMs, repeats: true, text: `${new Date(atMs).toISOString().slice(0, 19)}Z` };
}

function roundToSecond(ms: number): number {
  return Math.round(ms / SECOND_MS) * SECOND_MS;
}

// ---- cron ----

interface Field {
  readonly values: ReadonlySet<number>;
  /** It was written as `*` or `?`. */
  readonly isStar: boolean;
}

interface FieldBounds {
  readonly least: number;
  readonly most: number;
  readonly names: readonly string[];
}

const MONTHS = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: readonly FieldBounds[] = [
  { least: 0, most: 59, names: [] },
  { least: 0, most: 59, names: [] },
  { least: 0, most: 23, names: [] },
  { least: 1, most: 31, names: [] },
  { least: 1, most: 12, names: MONTHS },
  { least: 0, most: 6, names: DAYS },
];

function readField(text: string, bounds: FieldBounds): Field | null {
  const values = new Set<number>();
  let isStar = false;
  for (const part of text.split(",").filter((one) => one !== "")) {
    const range = readRange(part, bounds);
    if (range === null) return null;
    for (let value = range.from; value <= range.to; value += range.step) values.add(value);
    isStar ||= range.isStar;
  }
  return { values, isStar };
}

function readRange(
  text: string,
  bounds: FieldBounds,
): { from: number; to: number; step: number; isStar: boolean } | null {
  const [range = "", stepText, ...more] = text.split("/");
  const ends = range.split("-");
  if (more.length > 0) return null;
  const step = stepText === undefined ? 1 : readNumber(stepText, []);
  if (step === null || step === 0) return null;
  if (ends[0] === "*" || ends[0] === "?")
    return { from: bounds.least, to: bounds.most, step, isStar: step === 1 };
  if (ends.length > 2) return null;
  const from = readNumber(ends[0] ?? "", bounds.names);
  const last = ends.length === 2 ? readNumber(ends[1] ?? "", bounds.names) : from;
  const to = ends.length === 1 && stepText !== undefined ? bounds.most : last;
  if (from === null || to === null || from < bounds.least || to > bounds.most || from > to) return null;
  return { from, to, step, isStar: false };
}

function readNumber(text: string, names: readonly string[]): number | null {
  const named = text === "" ? -1 : names.indexOf(text.toLowerCase());
  if (named >= 0) return named;
  return /^\+?\d{1,9}$/.test(text) ? Number(text) : null;
}

/** Walks from the coarsest field to the finest; a field that wraps around begins at the coarsest again. */
function cronAfter(fields: readonly Field[], zone: Zone, fromMs: number): ZonedTime | null {
  const [seconds, minutes, hours, days, months, weekdays] = fields as [
    Field,
    Field,
    Field,
    Field,
    Field,
    Field,
  ];
  let time = new ZonedTime(Math.floor(fromMs / SECOND_MS) * SECOND_MS + SECOND_MS, zone);
  const lastYear = time.year + YEARS_MAX;
  while (time.year <= lastYear) {
    if (!months.values.has(time.month)) time = time.startOfNextMonth();
    else if (!dayFits(days, weekdays, time)) time = time.startOfNextDay();
    else if (!hours.values.has(time.hour)) time = time.startOfNextHour();
    else if (!minutes.values.has(time.minute)) time = time.startOfNextMinute();
    else if (!seconds.values.has(time.second)) time = time.nextSecond();
    else return time;
  }
  return null;
}

/** Where both days are restricted, one of them is enough. */
function dayFits(days: Field, weekdays: Field, { day, weekday }: ZonedTime): boolean {
  const fitsDay = days.values.has(day);
  const fitsWeekday = weekdays.values.has(weekday);
  return days.isStar || weekdays.isStar ? fitsDay && fitsWeekday : fitsDay || fitsWeekday;
}
