/** A map that grows a little at a time: it behaves as a Map does, whatever comes and goes, also while it is iterated. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WideMap } from "../../../src/base/wide-map.ts";

const key = (i: number): string => `orders.${i}.eu`;

function filled(count: number): WideMap<number> {
  const map = new WideMap<number>();
  for (let i = 0; i < count; i++) map.set(key(i), i);
  return map;
}

describe("a wide map", () => {
  it("holds what a Map would hold, whatever is set and deleted", () => {
    const change = fc.tuple(fc.boolean(), fc.nat(3000), fc.nat());
    fc.assert(
      fc.property(fc.nat(2500), fc.array(change, { maxLength: 500 }), (count, changes) => {
        const map = filled(count);
        const model = new Map(Array.from({ length: count }, (_, i) => [key(i), i]));
        for (const [isSet, i, value] of changes) {
          if (isSet) {
            map.set(key(i), value);
            model.set(key(i), value);
          } else expect(map.delete(key(i))).toBe(model.delete(key(i)));
          expect(map.get(key(i))).toBe(model.get(key(i)));
          expect(map.has(key(i))).toBe(model.has(key(i)));
          expect(map.size).toBe(model.size);
        }
        expect(new Map(map)).toEqual(model);
        expect([...map.values()].length).toBe(model.size);
      }),
      { numRuns: 30 },
    );
  });

  it("is empty after everything is deleted, and can be filled again", () => {
    const map = filled(5000);
    for (let i = 0; i < 5000; i++) expect(map.delete(key(i))).toBe(true);
    expect([map.size, [...map]]).toEqual([0, []]);
    map.set("a", 1);
    expect([...map]).toEqual([["a", 1]]);
  });

  it("meets once what stays while it is iterated, and nothing that has gone", () => {
    for (const count of [900, 3000]) {
      const map = filled(count);
      const met: string[] = [];
      let at = 0;
      for (const [name] of map) {
        met.push(name);
        map.delete(key(count - 1 - at));
        for (let i = 0; i < 3; i++) map.set(`new.${at}.${i}`, 0); // it outgrows what it was at the beginning
        map.set(name, -1);
        if (++at === 400) break;
      }
      const rest = [...map];
      expect(new Set(met).size).toBe(met.length);
      expect(met.filter((name) => name.startsWith("orders.")).length).toBeGreaterThan(0);
      expect(rest.length).toBe(map.size);
    }
  });

  it("meets all that stays when it outgrows itself while it is iterated", () => {
    const map = filled(1000);
    const met: string[] = [];
    for (const [name] of map) {
      met.push(name);
      if (met.length === 10) for (let i = 1000; i < 3000; i++) map.set(key(i), i);
      if (met.length === 20) for (let i = 500; i < 600; i++) map.delete(key(i));
    }
    const stays = Array.from({ length: 1000 }, (_, i) => key(i)).filter((_, i) => i < 500 || i >= 600);
    expect(new Set(met).size).toBe(met.length);
    expect(stays.filter((name) => !met.includes(name))).toEqual([]);
    expect(met.filter((name) => !map.has(name))).toEqual([]);
  });
});
