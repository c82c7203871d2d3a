import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sameValues } from "../../../src/base/same-values.ts";

const plain = fc.anything({
  withNullPrototype: false,
  withMap: true,
  withSet: true,
  withDate: true,
  maxDepth: 4,
});

it("plain values are the same where Node says so", () => {
  fc.assert(
    fc.property(plain, plain, (one, other) => {
      expect(sameValues(one, other)).toBe(isDeepStrictEqual(one, other));
      expect(sameValues(one, structuredClone(one))).toBe(isDeepStrictEqual(one, structuredClone(one)));
    }),
    { numRuns: 2000 },
  );
});

it("a key without a value is not a missing key", () => {
  expect(sameValues({ a: undefined }, {})).toBe(false);
  expect(sameValues({ a: undefined }, { b: undefined })).toBe(false);
  expect(sameValues([1, [2, { a: "b" }]], [1, [2, { a: "b" }]])).toBe(true);
  expect(sameValues([1], { 0: 1, length: 1 })).toBe(false);
});
