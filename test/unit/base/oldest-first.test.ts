import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { OldestFirst } from "../../../src/base/oldest-first.ts";

it("the oldest entry is the first one of the map, whatever came and went", () => {
  const act = fc.tuple(fc.constantFrom("set", "delete", "oldest", "again"), fc.nat(6));
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60, size: "max" }), (acts) => {
      const map = new OldestFirst<number, object>();
      for (const [what, key] of acts) {
        if (what === "delete" || what === "again") map.delete(key);
        if (what === "again" || (what === "set" && !map.has(key))) map.set(key, {});
        if (what === "oldest") expect(map.oldest()).toEqual([...map][0] ?? null);
      }
      expect(map.oldest()).toEqual([...map][0] ?? null);
    }),
    { numRuns: 500 },
  );
});

it("one walk serves all, where the oldest goes whenever a new one comes", () => {
  const begun = vi.spyOn(Map.prototype, "entries");
  try {
    const map = new OldestFirst<number, object>();
    for (let i = 0; i < 100_000; i++) {
      map.set(i, {});
      if (map.size > 1000) map.delete(map.oldest()![0]);
    }
    expect(map.oldest()![0]).toBe(99_000);
    expect(begun.mock.calls.length).toBe(1);
  } finally {
    begun.mockRestore();
  }
});
