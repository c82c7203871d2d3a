/** What an account keeps of its mappings: bounded, right after it was forgotten, and given back. */
import { afterEach, describe, expect, it } from "vitest";
import { hashBytes } from "../../../src/slab/hash.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { slabSnapshot } from "../../../src/slab/chunks.ts";
import { LINE_MAX } from "../../../src/slab/layout.ts";
import { readText, writeText } from "../../../src/slab/memory.ts";
import { Mappings } from "../../../src/core/mappings.ts";
import { Mapping, type MapDestination } from "../../../src/subject/mapping.ts";

/** Far from where mapped subjects are written. */
const AT = 6 * LINE_MAX;
const before = slabSnapshot().chunksInUse;
let mappings: Mappings;

function start(rules: Readonly<Record<string, string | readonly MapDestination[]>>): void {
  const list = Object.entries(rules).map(([source, rule]) => {
    const destinations = typeof rule === "string" ? [{ subject: rule, weight: 100, cluster: null }] : rule;
    return new Mapping(source, destinations);
  });
  mappings = new Mappings(list, "C", seededRandom(7));
}

function mapped(subject: string): string | null {
  writeText(AT, subject);
  const found = mappings.map(AT, subject.length, hashBytes(AT, subject.length));
  if (found === null) return null;
  expect(found.hash).toBe(hashBytes(found.at, found.length));
  return readText(found.at, found.length);
}

const chunks = (): number => slabSnapshot().chunksInUse - before;

afterEach(() => {
  mappings[Symbol.dispose]();
  expect(chunks()).toBe(0);
});

describe("the mappings of an account", () => {
  it("take the first that covers the subject", () => {
    start({ "a.b": "first", "a.*": "second.$1", "*.*": "third.$1" });
    for (let round = 0; round < 3; round++) {
      expect(["a.b", "a.c", "b.c", "b", "a.b.c"].map(mapped)).toEqual([
        "first",
        "second.c",
        "third.b",
        null,
        null,
      ]);
    }
  });

  it("stay right and within bounds for more subjects than are kept", () => {
    start({ "in.*": "out.$1.{{partition(1000,1)}}" });
    const once = new Map<string, string | null>();
    for (let i = 0; i < 40_000; i++) {
      const subject = i % 3 === 0 ? `free.${i}` : `in.${i}`;
      once.set(subject, mapped(subject));
      if (i % 3 === 0) expect(once.get(subject)).toBeNull();
    }
    expect(chunks()).toBeLessThanOrEqual(16);
    for (const [subject, expected] of once) expect(mapped(subject)).toBe(expected);
    expect(chunks()).toBeLessThanOrEqual(16);
  });

  it("map subjects too long to be kept, and lose what would be longer than any line", () => {
    start({ "in.*": "out.$1", "twice.*": "out.$1.$1" });
    const long = "x".repeat(100_000);
    expect(mapped(`in.${long}`)).toBe(`out.${long}`);
    expect(chunks()).toBe(0);
    expect(mapped(`twice.${"x".repeat(600_000)}`)).toBe("");
  });

  it("choose again for each message", () => {
    start({
      a: [
        { subject: "b", weight: 20, cluster: null },
        { subject: "c", weight: 30, cluster: null },
      ],
      lossy: [{ subject: "lossy", weight: 25, cluster: null }],
      dice: "dice.{{random(2)}}",
    });
    const counts = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      for (const subject of ["a", "lossy", "dice"]) {
        const got = mapped(subject) ?? "unmapped";
        counts.set(got, (counts.get(got) ?? 0) + 1);
      }
    }
    const expected = { b: 800, c: 1200, a: 2000, lossy: 1000, "": 3000, "dice.0": 2000, "dice.1": 2000 };
    expect([...counts.keys()].toSorted()).toEqual(Object.keys(expected).toSorted());
    for (const [subject, share] of Object.entries(expected)) {
      expect(Math.abs(counts.get(subject)! - share), subject).toBeLessThan(160);
    }
  });

  it("follow the name of the cluster", () => {
    start({
      a: [
        { subject: "here", weight: 100, cluster: "D" },
        { subject: "there", weight: 100, cluster: null },
      ],
    });
    expect(mapped("a")).toBe("there");
    mappings.setCluster("D");
    expect(mapped("a")).toBe("here");
  });
});
