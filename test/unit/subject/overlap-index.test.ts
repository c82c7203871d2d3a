/** The index of patterns that meet agrees with the plain rule, whatever is added and removed. */
import { expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { OverlapIndex } from "../../../src/subject/overlap-index.ts";
import { subjectsMeet } from "../../../src/subject/subject.ts";

it("finds what meets a pattern of another owner", () => {
  const random = seededRandom(7);
  const pick = (most: number): number => Math.floor(random.next() * most);
  const pattern = (): string => {
    const tokens = Array.from({ length: 1 + pick(3) }, () => ["a", "b", "*"][pick(3)]!);
    return [...tokens, ...(pick(4) === 0 ? [">"] : [])].join(".");
  };
  const index = new OverlapIndex<number>();
  const there: [string, number][] = [];
  let met = 0;
  for (let i = 0; i < 20_000; i++) {
    const [one, owner] = [pattern(), pick(3)];
    const expected = there.some(([other, by]) => by !== owner && subjectsMeet(one, other));
    expect(index.meets(one, owner)).toBe(expected);
    met += Number(expected);
    if (there.length > 3) index.remove(...there.splice(pick(there.length), 1)[0]!);
    else if (!there.some(([other, by]) => other === one && by === owner)) {
      there.push([one, owner]);
      index.add(one, owner);
    }
  }
  expect(met).toBeGreaterThan(1000);
  for (const [one, owner] of there) index.remove(one, owner);
  expect(index.meets(">", -1)).toBe(false);
});
