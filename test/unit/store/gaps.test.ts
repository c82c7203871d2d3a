/** Places without a message. */
import { expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { Gaps } from "../../../src/store/block-rows.ts";

it("counts those of a range", () => {
  const random = seededRandom(1);
  const gaps = new Gaps();
  const all = new Set<number>();
  for (let i = 0; i < 400; i++) {
    const place = Math.floor(random.next() * 1000);
    gaps.add(place);
    all.add(place);
  }
  for (let place = 320; place < 384; place++) {
    gaps.add(place);
    all.add(place);
  }
  for (let i = 0; i < 2000; i++) {
    const from = Math.floor(random.next() * 1100);
    const to = from + Math.floor(random.next() * 200);
    const right = [...all].filter((place) => place >= from && place <= to).length;
    expect(gaps.count(from, to), `${from} to ${to}`).toBe(right);
  }
});
