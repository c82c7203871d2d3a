/** The times of day at which a user may be connected, as its JWT says them: `15:04:05` to `15:04:05`, in a zone. */
import { BadJwt } from "../keys/jwt.ts";

const DAY_S = 24 * 3600;

export interface TimeRange {
  readonly start: string;
  readonly end: string;
}

export interface UserHours {
  readonly times: readonly TimeRange[];
  /** Name of a zone; "": that of this machine. */
  readonly zone: string;
}

/**
 * null: there is no limit. 0: not now. Else the milliseconds that are left. Throws BadJwt where a time or the zone makes no
 * sense. A range that ends before it begins goes over midnight.
 */
export function connectableMs({ times, zone }: UserHours, nowMs: number): number | null {
  // Most users have neither, and to tell the time in a zone takes longer than to verify a signature.
  if (times.length === 0 && zone === "") return null;
  const ranges = times.map(({ start, end }) => ({
    start: secondOfDay(start, "start"),
    end: secondOfDay(end, "end"),
  }));
  const now = secondIn(zone, nowMs);
  if (ranges.length === 0) return null;
  const left = ranges.map(({ start, end }) => {
    if (start <= end) return now > start && now < end ? end - now : 0;
    if (now < end) return end - now;
    return now > start ? end + DAY_S - now : 0;
  });
  return left.reduce((most, seconds) => Math.max(most, seconds), 0) * 1000;
}

function secondOfDay(text: string, what: string): number {
  if (text === "")
    throw new BadJwt(`time ranges ${what} must contain ${what === "end" ? "an end" : "a start"}`);
  const [, hour, minute, second] = /^(\d\d?):(\d\d):(\d\d)$/.exec(text) ?? [];
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  if (!(h < 24 && m < 60 && s < 60))
    throw new BadJwt(`${what} in time range is invalid ${JSON.stringify(text)}`);
  return (h * 60 + m) * 60 + s;
}

/** With the part of a second. "": the zone of this machine. */
function secondIn(zone: string, nowMs: number): number {
  const parts = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-GB", {
      ...parts,
      ...(zone === "" || zone === "Local" ? {} : { timeZone: zone }),
    });
  } catch {
    throw new BadJwt(`could not parse iana time zone by name: unknown time zone ${zone}`);
  }
  const [hour = 0, minute = 0, second = 0] = format.format(nowMs).split(":").map(Number);
  return (hour * 60 + minute) * 60 + second + (nowMs % 1000) / 1000;
}
