import { describe, expect, it } from "vitest";
import { clearSpareHeads, hasSpareHeads, releaseHead, takeHead } from "../../../src/slab/heads.ts";
import { AREA, checkAreas, LINE_MAX, READ_SIZE } from "../../../src/slab/layout.ts";
import { bytes } from "../../../src/slab/memory.ts";

describe("the areas of the slab", () => {
  it("are disjoint, in order, and within the memory", () => {
    const areas = Object.values(AREA);
    expect(() => checkAreas(areas)).not.toThrow();
    expect(areas.at(-1)!.end).toBe(bytes.length);
    for (const [i, area] of areas.entries()) expect(area.at).toBe(i === 0 ? 0 : areas[i - 1]!.end);
  });

  it.each([
    ["overlap", [AREA.hashed, { at: AREA.hashed.at + 8, size: 8, end: AREA.hashed.at + 16 }]],
    ["begin within a word", [{ at: 4, size: 8, end: 12 }]],
    ["reach past the memory", [{ at: 0, size: bytes.length + 8, end: bytes.length + 8 }]],
    ["end elsewhere than behind their size", [{ at: 0, size: 8, end: 24 }]],
  ])("are refused where they %s", (_name, areas) => {
    expect(() => checkAreas(areas)).toThrow(/^bug: /);
  });

  it("have room for the longest line wherever a subject lies", () => {
    for (const name of ["hashed", "mapped", "shownHead", "shadowHead"] as const)
      expect(AREA[name].size).toBeGreaterThan(LINE_MAX);
    expect(AREA.headroom.size).toBeGreaterThanOrEqual(LINE_MAX);
    expect(AREA.readWindow.size).toBe(READ_SIZE);
  });

  it("hold four heads of the longest subject without reaching into another area", () => {
    clearSpareHeads();
    const length = LINE_MAX + 32;
    const heads = [1, 2, 3, 4].map(() => takeHead(length));
    for (const [i, at] of heads.entries()) {
      expect(at).toBeGreaterThanOrEqual(AREA.spareHeads.at);
      expect(at + length).toBeLessThanOrEqual(AREA.spareHeads.end);
      if (i > 0) expect(at).toBeGreaterThanOrEqual(heads[i - 1]! + length);
      releaseHead(at, length); // nothing to give back
    }
    expect(hasSpareHeads()).toBe(true);
    clearSpareHeads();
    expect(hasSpareHeads()).toBe(false);
  });
});
