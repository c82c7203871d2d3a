/** What every room stands on: clock, randomness, backoff, hash. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffDelayMs } from "../../../src/base/backoff.ts";
import { VirtualClock } from "../../../src/base/clock.ts";
import { endHash, firstBytes, hashBytes, HASH_SEED, mixHash, sameBytes } from "../../../src/slab/hash.ts";
import { randomInt, seededRandom } from "../../../src/base/random.ts";
import { READ_START } from "../../../src/slab/layout.ts";
import { bytes, copy, words } from "../../../src/slab/memory.ts";

describe("the virtual clock", () => {
  it("fires timers in the order they are due, and those that timers set", () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    clock.setTimer(20, () => fired.push(`b ${clock.nowMs()}`));
    clock.setTimer(10, () => {
      fired.push(`a ${clock.nowMs()}`);
      clock.setTimer(5, () => fired.push(`c ${clock.nowMs()}`));
    });
    clock.setTimer(15, () => fired.push("never"))[Symbol.dispose]();
    clock.advance(30);
    expect(fired).toEqual(["a 10", "c 15", "b 20"]);
    expect([clock.nowMs(), clock.timerCount]).toEqual([30, 0]);
  });
});

describe("backoff", () => {
  it("grows up to its bound and never past it", () => {
    const options = { baseMs: 100, maxMs: 1000, factor: 2, jitter: 0 };
    const delays = [1, 2, 3, 4, 5, 1000].map((failures) =>
      backoffDelayMs(options, failures, seededRandom(1)),
    );
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it("is shortened by chance, by its share at most", () => {
    const options = { baseMs: 100, maxMs: 100, factor: 1, jitter: 0.5 };
    const random = seededRandom(1);
    const delays = Array.from({ length: 1000 }, () => backoffDelayMs(options, 1, random));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...delays)).toBeLessThanOrEqual(100);
    expect(new Set(delays).size).toBeGreaterThan(900);
  });
});

describe("seeded randomness", () => {
  it("repeats itself for the same seed alone", () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 20 }, () => randomInt(random, 1000));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((one) => one >= 0 && one < 1000)).toBe(true);
  });
});

const data = fc.uint8Array({ maxLength: 80 });

describe("the hash of a piece of the slab", () => {
  it("depends on its bytes alone, wherever they lie and whatever stands behind them", () => {
    fc.assert(
      fc.property(data, fc.nat(64), fc.nat(255), (piece, shift, behind) => {
        const hashes = [0, shift].map((offset, i) => {
          const at = READ_START + offset;
          bytes.fill(i === 0 ? 0 : behind, at, at + piece.length + 8);
          bytes.set(piece, at);
          return hashBytes(at, piece.length);
        });
        expect(hashes[0]).toBe(hashes[1]);
      }),
    );
  });

  it("can be worked out word by word", () => {
    fc.assert(
      fc.property(data, (piece) => {
        bytes.set(piece, READ_START);
        let hash = HASH_SEED;
        let at = READ_START;
        for (; at + 4 <= READ_START + piece.length; at += 4) hash = mixHash(hash, words.getInt32(at, true));
        const last = firstBytes(words.getInt32(at, true), piece.length & 3);
        expect(endHash(mixHash(hash, last))).toBe(hashBytes(READ_START, piece.length));
      }),
    );
  });

  it("spreads subjects that differ in a few characters", () => {
    const sets = new Set<number>();
    for (let i = 0; i < 1024; i++) {
      const subject = Buffer.from(`orders.${i}`);
      bytes.set(subject, READ_START);
      sets.add(hashBytes(READ_START, subject.length) & 1023);
    }
    expect(sets.size).toBeGreaterThan(580); // 1024 * (1 - 1/e) = 647 by chance
  });
});

describe("comparing and copying in the slab", () => {
  it("looks at every byte and at no other", () => {
    const [a, b] = [READ_START, READ_START + 512];
    fc.assert(
      fc.property(data, fc.nat(80), (piece, where) => {
        bytes.fill(1, a, a + 100);
        bytes.fill(2, b, b + 100);
        bytes.set(piece, a);
        bytes.set(piece, b);
        expect(sameBytes(a, b, piece.length)).toBe(true);
        bytes[a + where]! ^= 1;
        expect(sameBytes(a, b, piece.length)).toBe(where >= piece.length);
      }),
    );
  });

  it("copies every byte, and at most seven more", () => {
    const [from, to] = [READ_START, READ_START + 512];
    fc.assert(
      fc.property(data, (piece) => {
        bytes.fill(0xee, to, to + 100);
        bytes.set(piece, from);
        copy(to, from, piece.length);
        expect(bytes.slice(to, to + piece.length)).toEqual(piece);
        const behind = bytes.subarray(to + piece.length + 7, to + 100);
        expect(behind.every((byte) => byte === 0xee)).toBe(true);
      }),
    );
  });
});
