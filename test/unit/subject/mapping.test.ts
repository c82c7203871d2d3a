/** Mappings with weights: who gets which share. What nats-server does is in test/interop/mappings.test.ts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Mapping, type MapDestination } from "../../../src/subject/mapping.ts";

const to = (subject: string, weight: number, cluster: string | null = null): MapDestination => ({
  subject,
  weight,
  cluster,
});

const shares = (mapping: Mapping, cluster = ""): [string, number][] =>
  mapping.destinationsIn(cluster).map(({ transform, below }) => [transform.destination, below]);

describe("a mapping", () => {
  it("keeps on the source what weights leave of 100", () => {
    expect(shares(new Mapping("a.*", [to("b.$1", 70), to("c.$1", 10)]))).toEqual([
      ["c.$1", 10],
      ["a.$1", 30],
      ["b.$1", 100],
    ]);
    expect(shares(new Mapping("a", []))).toEqual([["a", 100]]);
  });

  it("loses the rest where the source is among the destinations", () => {
    expect(shares(new Mapping("a", [to("a", 20), to("b", 30)]))).toEqual([
      ["a", 20],
      ["b", 50],
    ]);
    expect(shares(new Mapping("a.>", [to("a.>", 0)]))).toEqual([["a.>", 0]]);
  });

  it("has destinations of its own in a cluster, the others elsewhere", () => {
    const mapping = new Mapping("a", [to("b", 100), to("c", 50, "east"), to("d", 100, "west")]);
    expect(shares(mapping)).toEqual([["b", 100]]);
    expect(shares(mapping, "east")).toEqual([
      ["c", 50],
      ["a", 100],
    ]);
    expect(shares(mapping, "west")).toEqual([["d", 100]]);
    expect(shares(new Mapping("a", [to("b", 100, "east")]))).toEqual([["a", 100]]);
    expect(shares(new Mapping("a", [to("a", 100, "east")]))).toEqual([]);
  });

  it("refuses more than 100 in a cluster, and a destination that comes twice", () => {
    expect(() => new Mapping("a", [to("b", 60), to("c", 41)])).toThrow("total weight needs to be <= 100");
    expect(() => new Mapping("a", [to("b", 60), to("c", 41, "east")])).not.toThrow();
    expect(() => new Mapping("a", [to("b", 10), to("b", 10, "east")])).toThrow('duplicate entry for "b"');
  });

  it("gives every roll at most one destination, and all rolls one if nothing is to be lost", () => {
    const weights = fc.array(fc.integer({ min: 0, max: 25 }), { maxLength: 4 });
    fc.assert(
      fc.property(weights, fc.boolean(), (list, isLossy) => {
        const own = isLossy ? [to("a", 0)] : [];
        const mapping = new Mapping("a", [...own, ...list.map((weight, i) => to(`b${i}`, weight))]);
        const limits = shares(mapping).map(([, below]) => below);
        const sum = list.reduce((all, weight) => all + weight, 0);
        expect(limits).toEqual(limits.toSorted((a, b) => a - b));
        expect(limits.at(-1) ?? 0).toBe(isLossy ? sum : 100);
      }),
    );
  });
});
