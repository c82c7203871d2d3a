import fc from "fast-check";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  checksum,
  checksumByWords,
  getDouble,
  getU32,
  getWhole,
  putDouble,
  putText,
  putU32,
  putWhole,
} from "../../../src/store/bytes.ts";

describe("numbers and checksums in memory", () => {
  it("are zlib's checksum, from any place and of any length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700, size: "max" }), fc.nat(20), (memory, skip) => {
        const from = Math.min(skip, memory.length);
        expect(checksum(memory, from, memory.length)).toBe(crc32(memory.subarray(from)));
        const words = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
        expect(checksumByWords(memory, words, from, memory.length)).toBe(crc32(memory.subarray(from)));
      }),
      { numRuns: 500 },
    );
  });

  it("are those that Buffer writes, and are read again", () => {
    const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), whole, fc.double(), (u32, large, double) => {
        const own = Buffer.alloc(24);
        const other = Buffer.alloc(24);
        putU32(own, 1, u32);
        putWhole(own, 5, large);
        putDouble(own, 13, double);
        other.writeUInt32LE(u32, 1);
        other.writeBigUInt64LE(BigInt(large), 5);
        other.writeDoubleLE(double, 13);
        expect(own).toEqual(other);
        expect([getU32(own, 1), getWhole(own, 5), getDouble(own, 13)]).toEqual([u32, large, double]);
      }),
    );
  });

  it("leave texts as they are", () => {
    const memory = Buffer.alloc(128);
    for (const text of ["", "a", "é".repeat(24), "ü".repeat(25), "x".repeat(100)]) {
      putText(memory, 3, text);
      expect(memory.toString("latin1", 3, 3 + text.length)).toBe(text);
    }
  });
});
