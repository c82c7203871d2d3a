import { describe, expect, it } from "vitest";
import { formatClassic, formatTime, type LogLine } from "../../../src/log/classic-format.ts";

const micros = Date.UTC(2026, 10, 22, 15, 4, 5, 7) * 1000 + 89;
const style = { colour: "never", time: "utc" } as const;

function line(message: string, fields = {}, level: LogLine["level"] = "info"): string {
  return formatClassic({ level, pid: 7, timeMicros: micros, message, fields }, style);
}

describe("the classic line", () => {
  it("reads as one of nats-server", () => {
    expect(line("Server is ready")).toBe("[7] 2026/11/22 15:04:05.007089 [INF] Server is ready\n");
  });

  it.each([
    ["trace", "TRC"],
    ["debug", "DBG"],
    ["warn", "WRN"],
    ["error", "ERR"],
    ["fatal", "FTL"],
  ] as const)("labels %s as %s", (level, label) => {
    expect(line("x", {}, level)).toContain(` [${label}] x`);
  });

  it("names the connection ahead of the message", () => {
    const client = { peer: "127.0.0.1:4222", cid: 5, client: "v3:nats.js", user: "$G/ann", reason: "Stale" };
    expect(line("Gone", client)).toContain(
      '[INF] 127.0.0.1:4222 - cid:5 - "v3:nats.js" - "$G/ann" - Gone reason=Stale\n',
    );
    expect(line("Gone", { peer: "10.0.0.1:6222", rid: 9 })).toContain("[INF] 10.0.0.1:6222 - rid:9 - Gone\n");
  });

  it("appends the other fields", () => {
    expect(line("x", { a: 1, b: "two words", c: undefined, d: { e: [1] } })).toContain(
      'x a=1 b="two words" d={"e":[1]}\n',
    );
    expect(line("x", { error: { type: "Error", message: "no route", stack: "…" } })).toContain(
      'x error="no route"\n',
    );
  });

  it("keeps peers from writing lines of their own", () => {
    const text = line("hi\n[7] fake", { name: "\u001b[2J\r\n" });
    expect(text.slice(0, -1)).not.toMatch(/[\n\r\u001b]/);
  });

  it("can do without the time, and with colour", () => {
    const plain = { level: "info", pid: 7, timeMicros: micros, message: "x", fields: {} } as const;
    expect(formatClassic(plain, { colour: "never", time: "none" })).toBe("[7] [INF] x\n");
    expect(formatClassic(plain, { colour: "labels", time: "none" })).toBe("[7] [\u001b[32mINF\u001b[0m] x\n");
  });

  it("shows local time unless told otherwise", () => {
    const local = new Date(micros / 1000);
    const hours = String(local.getHours()).padStart(2, "0");
    expect(formatTime(micros, "local")).toContain(` ${hours}:04:05.007089`);
  });
});
