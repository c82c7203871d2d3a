/** Subjects are found by text and by bytes alike. */
import { describe, expect, it } from "vitest";
import { randomInt, seededRandom } from "../../../src/base/random.ts";
import { SubjectTable } from "../../../src/store/subject-table.ts";

describe("the subjects of a stream", () => {
  it("have the same numbers, whether they come as texts or as bytes in memory", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = seededRandom(seed);
      const byText = new SubjectTable();
      const byBytes = new SubjectTable();
      byText.seed = byBytes.seed = seed * 77;
      const subjects = Array.from({ length: 200 }, (_, i) => `s.${"é".repeat(i % 3)}${i % 90}`);
      for (let sequence = 1; sequence <= 500; sequence++) {
        const subject = subjects[randomInt(random, subjects.length)]!;
        const memory = Buffer.from(`..${subject}..`, "latin1");
        const expected = byText.add(subject, sequence);
        expect(byBytes.addFrom(memory, 2, subject.length, sequence)).toBe(expected);
        const other = 1 + randomInt(random, byText.numbersEnd - 1);
        if (byText.countOf(other) > 0 && random.next() < 0.1) {
          byText.drop(other);
          byBytes.drop(other);
        }
      }
      for (let number = 1; number < byText.numbersEnd; number++) {
        expect(factsOf(byBytes, number)).toEqual(factsOf(byText, number));
      }
      expect(byBytes.size).toBe(byText.size);
    }
  });
});

function factsOf(table: SubjectTable, number: number): unknown[] {
  return [table.nameOf(number), table.countOf(number), table.firstOf(number), table.lastOf(number)];
}
