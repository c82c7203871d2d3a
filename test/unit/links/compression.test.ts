import { describe, expect, it } from "vitest";
import {
  Agreement,
  agreedMode,
  modeFor,
  type CompressionTerms,
} from "../../../src/links/trunk/compression.ts";
import { MemoryWire } from "../../../src/transport/memory.ts";
import type { Wire } from "../../../src/transport/wire.ts";

const THRESHOLDS = [10, 50, 100];

describe("compression", () => {
  it("is agreed on as between nats-servers", () => {
    expect(agreedMode("s2_best", "")).toBe("not supported");
    expect(agreedMode("s2_best", "not supported")).toBe("not supported");
    expect(agreedMode("s2_best", "off")).toBe("off");
    expect(agreedMode("s2_best", "accept")).toBe("s2_best");
    expect(agreedMode("s2_best", "s2_fast")).toBe("s2_best");
    expect(agreedMode("accept", "accept")).toBe("off");
    expect(agreedMode("accept", "s2_auto")).toBe("s2_fast");
    expect(agreedMode("accept", "s2_better")).toBe("s2_better");
    expect(agreedMode("s2_auto", "zstd")).toBe(null);
  });

  it("follows the round trip, and leaves out levels whose threshold is 0", () => {
    const modes = (thresholds: readonly number[], ...times: number[]): string[] =>
      times.map((ms) => modeFor("s2_auto", thresholds, ms).replace("s2_", ""));
    expect(modes(THRESHOLDS, 0, 10, 11, 50, 51, 100, 101)).toEqual([
      ...["uncompressed", "uncompressed", "fast", "fast", "better", "better", "best"],
    ]);
    expect(modes([0, 0, 20], 1, 20, 21)).toEqual(["better", "better", "best"]);
    expect(modes([5], 1, 6)).toEqual(["uncompressed", "uncompressed"]);
    expect(modes([0, 5], 1, 6)).toEqual(["fast", "fast"]);
    expect(modeFor("s2_best", THRESHOLDS, 1)).toBe("s2_best");
  });
});

describe("an agreement", () => {
  let terms: CompressionTerms = { mode: "s2_auto", rttThresholdsMs: THRESHOLDS };
  const calls: string[] = [];

  function agreement(canCompress: "can" | "cannot"): Agreement {
    const wire: Wire = new MemoryWire();
    calls.length = 0;
    if (canCompress === "can") wire.compress = (framing, plain) => void calls.push(`${framing} ${plain}`);
    return new Agreement(wire, () => terms);
  }

  it("is concluded once, and changes the level with the round trip", () => {
    const one = agreement("can");
    expect(one.offered).toBe("s2_auto");
    expect(one.hear("s2_fast", 60)).toBe("packed");
    expect([one.mode, one.told]).toEqual(["s2_better", "s2_auto"]);
    one.begin(17);
    expect(one.hear("off", 1)).toBe("plain");
    one.settle("");
    one.followRoundTrip(60);
    one.followRoundTrip(20);
    expect(one.mode).toBe("s2_fast");
    expect(calls).toEqual(["better 17", "fast 0"]);
  });

  it("is none where the wire cannot, where the peer does not want it, and where nothing was negotiated", () => {
    const cannot = agreement("cannot");
    expect([cannot.offered, cannot.hear("s2_best", 1), cannot.mode]).toEqual(["", "plain", "off"]);
    const unwanted = agreement("can");
    expect([unwanted.hear("off", 1), unwanted.mode]).toEqual(["plain", "off"]);
    const old = agreement("can");
    old.settle("");
    expect([old.hear("s2_best", 1), old.mode]).toEqual(["plain", "not supported"]);
    expect(agreement("can").hear("zstd", 1)).toBe("unknown");
    for (const one of [cannot, unwanted, old]) one.followRoundTrip(1000);
    expect(calls).toEqual([]);
  });

  it("follows a reload where it can, and has the connection begin again where it cannot", () => {
    terms = { mode: "s2_fast", rttThresholdsMs: [] };
    const one = agreement("can");
    one.hear("accept", 1);
    one.begin(0);
    terms = { mode: "s2_best", rttThresholdsMs: [] };
    expect([one.mustBeginAgain(1), one.mode]).toEqual([false, "s2_best"]);
    terms = { mode: "s2_auto", rttThresholdsMs: THRESHOLDS };
    expect([one.mustBeginAgain(1), one.mode]).toEqual([false, "s2_uncompressed"]);
    expect(calls).toEqual(["fast 0", "best 0", "uncompressed 0"]);
    terms = { mode: "accept", rttThresholdsMs: [] };
    expect(one.mustBeginAgain(1)).toBe(true);
    terms = { mode: "off", rttThresholdsMs: [] };
    expect(one.mustBeginAgain(1)).toBe(true);
    const plain = agreement("can");
    terms = { mode: "accept", rttThresholdsMs: [] };
    plain.hear("accept", 1);
    expect([plain.mustBeginAgain(1), plain.mode]).toEqual([false, "off"]); // nothing has changed
    terms = { mode: "off", rttThresholdsMs: [] };
    const off = agreement("can");
    off.hear("s2_fast", 1);
    expect(off.mustBeginAgain(1)).toBe(false);
    terms = { mode: "s2_fast", rttThresholdsMs: [] };
    expect(off.mustBeginAgain(1)).toBe(true);
  });
});
