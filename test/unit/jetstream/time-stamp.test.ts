import fc from "fast-check";
import { expect, it } from "vitest";
import { TimeStamp } from "../../../src/jetstream/api/time-stamp.ts";
import { formatTime } from "../../../src/jetstream/time.ts";
import { READ_START } from "../../../src/slab/layout.ts";
import { readText } from "../../../src/slab/memory.ts";

/** The end of the year 9999. */
const SECONDS_MAX = 253_402_300_799n;
const time = fc
  .tuple(
    fc.bigInt({ min: 0n, max: SECONDS_MAX }),
    fc.nat(999_999_999),
    fc.constantFrom(1, 10, 1000, 1_000_000, 1_000_000_000),
  )
  .map(([seconds, ns, unit]) => {
    const timeNs = seconds * 1_000_000_000n + BigInt(Math.floor(ns / unit) * unit);
    return timeNs > 2n ** 62n ? timeNs % 2n ** 62n : timeNs;
  });

it("writes a time as it is shown elsewhere", () => {
  const stamp = new TimeStamp();
  fc.assert(
    fc.property(time, (timeNs) => {
      stamp.set(Number(timeNs & 0xffff_ffffn), Number(timeNs >> 32n));
      const end = stamp.write(READ_START);
      expect(readText(READ_START, end - READ_START)).toBe(formatTime(timeNs));
      expect(stamp.length).toBe(end - READ_START);
    }),
    { numRuns: 2000 },
  );
});
