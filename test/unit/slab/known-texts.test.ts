import fc from "fast-check";
import { expect, it } from "vitest";
import { KnownTexts } from "../../../src/slab/known-texts.ts";
import { hashBytes } from "../../../src/slab/hash.ts";
import { READ_START } from "../../../src/slab/layout.ts";
import { writeText } from "../../../src/slab/memory.ts";

it("finds the text that lies there, whichever had the same hash before", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60, size: "max" }), fc.boolean(), (words, hasOneHash) => {
      const known = new KnownTexts();
      for (const text of words) {
        writeText(READ_START, text);
        const hash = hasOneHash ? 7 : hashBytes(READ_START, text.length);
        expect(known.find(READ_START, text.length, hash)).toBe(text);
      }
    }),
    { numRuns: 300 },
  );
});
