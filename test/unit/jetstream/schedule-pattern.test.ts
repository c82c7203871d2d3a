/** When schedules are due: cron with seconds, zones with clocks that are changed, and what cannot be read. */
import { describe, expect, it } from "vitest";
import { nextTime } from "../../../src/jetstream/stream/schedule-pattern.ts";
import { isZone } from "../../../src/jetstream/stream/zoned-time.ts";

const next = (pattern: string, from: string, zone: string | null = null): string | null => {
  const ms = Date.parse(from);
  return nextTime(pattern, zone, ms, ms)?.text ?? null;
};

describe("the next time of", () => {
  it.each([
    ["* * * * * *", "2026-01-01T00:00:00.500Z", "2026-01-01T00:00:01Z"],
    ["*/15 * * * * *", "2026-01-01T00:00:15Z", "2026-01-01T00:00:30Z"],
    ["0 30 9 * * mon-fri", "2026-01-02T10:00:00Z", "2026-01-05T09:30:00Z"],
    ["0 0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"],
    ["0 0 0 1,15 * ?", "2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z"],
    // a day of the month, or a day of the week
    ["0 0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
    ["5/20 * * * * *", "2026-01-01T00:00:26Z", "2026-01-01T00:00:45Z"],
    ["@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"],
    ["@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"],
    ["@hourly", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"],
    ["@every 90s", "2026-01-01T00:00:00.400Z", "2026-01-01T00:01:30Z"],
    ["0 0 12 31 dec *", "2026-12-31T12:00:00Z", "2027-12-31T12:00:00Z"],
  ])("%s after %s is %s", (pattern, from, expected) => {
    expect(next(pattern, from)).toBe(expected);
  });

  it.each([
    ["0 0 9 * * *", "Europe/Berlin", "2026-01-01T08:00:00Z", "2026-01-02T09:00:00+01:00"],
    ["0 0 9 * * *", "America/New_York", "2026-07-01T00:00:00Z", "2026-07-01T09:00:00-04:00"],
    // clocks are put forward at 2:00: there is no 2:30 on that day
    ["0 30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T02:30:00+02:00"],
    // clocks are put back at 3:00: 2:30 comes twice
    ["0 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00"],
    ["0 30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00+01:00"],
    ["0 15 * * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T06:15:00+05:30"],
  ])("%s in %s after %s is %s", (pattern, zone, from, expected) => {
    expect(next(pattern, from, zone)).toBe(expected);
  });

  it.each([
    "",
    "* * * * *",
    "60 * * * * *",
    "* * 24 * * *",
    "* * * 0 * *",
    "* * * * 13 *",
    "* * * * * 7",
    "a * * * * *",
    "1-2-3 * * * * *",
    "5-1 * * * * *",
    "*/0 * * * * *",
    "1/2/3 * * * * *",
    "-1 * * * * *",
    "0 0 0 31 feb *",
    "@every 999ms",
    "@every x",
    "@every",
    "@at noon",
    "@sometimes",
  ])("%j is not known", (pattern) => {
    expect(next(pattern, "2026-01-01T00:00:00Z")).toBeNull();
  });
});

it("intervals and fixed times have no zone", () => {
  expect(next("@every 1m", "2026-01-01T00:00:00Z", "Europe/Berlin")).toBeNull();
  expect(next("@at 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "Europe/Berlin")).toBeNull();
  expect([isZone("UTC"), isZone("Europe/Berlin"), isZone("Nowhere/Land"), isZone("")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it("what was missed is due once, from now on", () => {
  const from = Date.parse("2026-01-01T00:00:00Z");
  const now = Date.parse("2026-01-05T00:00:30.700Z");
  expect(nextTime("@every 1h", null, from, now)?.text).toBe("2026-01-05T01:00:31Z");
  expect(nextTime("0 0 * * * *", null, from, now)?.text).toBe("2026-01-05T01:00:00Z");
});
