import { describe, expect, it } from "vitest";
import { READ_START } from "../../../src/slab/layout.ts";
import { digitsOf, isText, readText, writeBytes, writeNumber, writeText } from "../../../src/slab/memory.ts";

describe("what is written into the slab", () => {
  it("is a number in decimal digits, up to the largest whole one", () => {
    const numbers = [
      0,
      1,
      9,
      10,
      99,
      100,
      999_999_999,
      1e9,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 32,
      1e15,
      2 ** 53 - 1,
    ];
    for (const number of numbers) {
      const end = writeNumber(READ_START, number);
      expect(readText(READ_START, end - READ_START)).toBe(String(number));
      expect(digitsOf(number)).toBe(String(number).length);
    }
    for (const number of [-1, 0.5, 2 ** 53, NaN])
      expect(() => writeNumber(READ_START, number)).toThrow(/^bug: /);
  });

  it.each([0, 1, 23, 24, 25, 63, 64, 65, 1000])("is a text or bytes of length %i", (length) => {
    const text = Array.from({ length }, (_, i) => String.fromCharCode((i * 7) & 0xff)).join("");
    expect(writeText(READ_START, text)).toBe(READ_START + length);
    expect(readText(READ_START, length)).toBe(text);
    expect(isText(READ_START, text)).toBe(true);
    expect(isText(READ_START, `${text.slice(0, -1)}\u0101`)).toBe(false);
    expect(writeBytes(READ_START + 5, Buffer.from(text, "latin1"))).toBe(READ_START + 5 + length);
    expect(readText(READ_START + 5, length)).toBe(text);
  });

  it("is no text with characters above one byte", () => {
    for (const length of [1, 100]) {
      const text = `${"a".repeat(length)}\u0100`;
      expect(() => writeText(READ_START, text)).toThrow("bug: text that goes into the slab is a byte string");
    }
  });
});
