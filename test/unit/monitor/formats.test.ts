/** What dashboards parse: times, durations, query values and JSON as nats-server writes them. */
import { describe, expect, it } from "vitest";
import { goDuration, goTime, goUptime, nanoseconds, shownText } from "../../../src/monitor/go-format.ts";
import { jsonPieces, List } from "../../../src/monitor/json.ts";
import { pageOf, Query } from "../../../src/monitor/query.ts";

describe("formats of Go", () => {
  it.each([
    [0, "1970-01-01T00:00:00Z"],
    [1_767_323_045_680, "2026-01-02T03:04:05.68Z"],
    [1_767_323_045_678.901, "2026-01-02T03:04:05.678901Z"],
    [1_767_323_045_000, "2026-01-02T03:04:05Z"],
    [999.999, "1970-01-01T00:00:00.999999Z"],
  ])("write the time %d as %s", (ms, text) => {
    expect(goTime(ms)).toBe(text);
  });

  it.each([
    [-5, "0s"],
    [999, "0s"],
    [62_000, "1m2s"],
    [60_000, "1m0s"],
    [3_600_000, "1h0m0s"],
    [86_400_000 + 1000, "1d0h0m1s"],
    [31_536_000_000 + 61_000, "1y0d0h1m1s"],
  ])("write the uptime %d as %s", (ms, text) => expect(goUptime(ms)).toBe(text));

  it.each([
    [0, "0s"],
    [0.684, "684µs"],
    [9.485, "9.485ms"],
    [250, "250ms"],
    [1500, "1.5s"],
    [123_500, "2m3.5s"],
    [3_723_000, "1h2m3s"],
  ])("write the duration %d as %s", (ms, text) => expect(goDuration(ms)).toBe(text));

  it("write nanoseconds, and bytes as UTF-8", () => {
    expect(nanoseconds(2000)).toBe(2_000_000_000);
    expect(shownText("a.b")).toBe("a.b");
    expect(shownText(Buffer.from("größe").toString("latin1"))).toBe("größe");
  });
});

describe("a query", () => {
  it.each(["1", "t", "T", "true", "TRUE", "True"])("takes %s for yes", (text) => {
    expect(new Query(`subs=${text}`).flag("subs")).toBe(true);
  });

  it.each(["", "0", "f", "false", "False"])("takes %j for no", (text) => {
    expect(new Query(`subs=${text}`).flag("subs")).toBe(false);
  });

  it.each([
    ["flag", "yes", "Error decoding boolean for 'x': strconv.ParseBool: parsing \"yes\": invalid syntax"],
    ["integer", "1.5", "Error decoding int for 'x': strconv.Atoi: parsing \"1.5\": invalid syntax"],
    [
      "integer",
      "9223372036854775808",
      "Error decoding int for 'x': strconv.Atoi: parsing \"9223372036854775808\": value out of range",
    ],
    ["unsigned", "-1", "Error decoding uint64 for 'x': strconv.ParseUint: parsing \"-1\": invalid syntax"],
  ] as const)("refuses a %s of %s", (kind, text, message) => {
    expect(() => new Query(`x=${text}`)[kind]("x")).toThrow(message);
  });

  it("asks for subscriptions in three ways", () => {
    const asked = ["", "subs=0", "subs=1", "subs=detail", "subs=Detail"];
    expect(asked.map((text) => new Query(text).subscriptions())).toEqual([
      "none",
      "none",
      "subjects",
      "detail",
      "detail",
    ]);
  });

  it("asks for a page, whose size is bounded", () => {
    expect(pageOf(new Query(""))).toEqual({ offset: 0, limit: 1024 });
    expect(pageOf(new Query("offset=-3&limit=-1"))).toEqual({ offset: 0, limit: 1024 });
    expect(pageOf(new Query("offset=7&limit=9"))).toEqual({ offset: 7, limit: 9 });
    expect(pageOf(new Query("limit=1000000000000")).limit).toBe(100_000);
  });
});

describe("JSON in pieces", () => {
  const written = (value: unknown): string => [...jsonPieces(value)].join("");

  it("is what JSON.stringify writes of the same with arrays", () => {
    const entry = { a: 1, b: "x\ny", none: undefined, inner: { c: [1, 2], d: [] } };
    const plain = { id: "i", empty: [], none: undefined, entries: [entry, entry], after: { e: [[]] } };
    const lazy = {
      id: "i",
      empty: new List([]),
      none: undefined,
      entries: new List([entry, { ...entry, inner: { c: new List([1, 2]), d: new List([]) } }].values()),
      after: { e: new List([new List([])]) },
    };
    expect(written(lazy)).toBe(JSON.stringify(plain, null, 2));
  });

  it("makes entries when they are written, not before", () => {
    let made = 0;
    const entries = function* (): Generator<object> {
      for (let i = 0; i < 10_000; i++) {
        made++;
        yield { number: i };
      }
    };
    const pieces = jsonPieces({ list: new List(entries()) });
    const first = pieces.next().value as string;
    expect(first.length).toBeLessThan(20_000);
    expect(made).toBeLessThan(1000);
    const rest = [...pieces];
    expect(made).toBe(10_000);
    expect((JSON.parse(first + rest.join("")) as { list: unknown[] }).list).toHaveLength(10_000);
  });
});
