/** In which order clients are let go, and when: the decision alone. */
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { Departures } from "../../../../src/ports/client/departures.ts";

interface Client {
  readonly name: string;
  readonly groups: readonly string[];
}

function client(name: string, ...groups: string[]): Client {
  return { name, groups };
}

/** Who goes at which millisecond, when it is asked as it wants to be. */
function played(clients: readonly Client[], endMs: number): [atMs: number, name: string][] {
  const departures = new Departures({ clients, startMs: 0, endMs, queueGroupsOf: (one) => one.groups });
  const went: [number, string][] = [];
  for (let nowMs = 0; ;) {
    const { clients: due, againInMs } = departures.next(nowMs);
    for (const { name } of due) went.push([nowMs, name]);
    if (againInMs === null) return went;
    expect(againInMs).toBeGreaterThan(0);
    nowMs += againInMs;
  }
}

describe("clients that leave", () => {
  it("go one after the other, a moment apart, in the order in which they came", () => {
    const went = played([client("a"), client("b"), client("c")], 60_000);
    expect(went).toEqual([
      [0, "a"],
      [100, "b"],
      [200, "c"],
    ]);
  });

  it("go farther apart where they are in one queue group, and others go in between", () => {
    const went = played([client("a", "q"), client("b", "q", "r"), client("c", "r"), client("d")], 60_000);
    expect(went).toEqual([
      [0, "a"],
      [100, "c"],
      [200, "d"],
      [700, "b"],
    ]);
  });

  it("go together where there is no time", () => {
    const crowd = Array.from({ length: 1000 }, (_, i) => client(`${i}`, "q"));
    const went = played(crowd, 5000);
    expect(went.at(-1)![0]).toBeLessThanOrEqual(5010);
    for (let ms = 0; ms < 5000; ms += 1000) {
      const inThisSecond = went.filter(([at]) => at >= ms && at < ms + 1000).length;
      expect(inThisSecond).toBeGreaterThanOrEqual(190);
      expect(inThisSecond).toBeLessThanOrEqual(210);
    }
    expect(played([client("a"), client("b")], 0)).toEqual([
      [0, "a"],
      [0, "b"],
    ]);
  });

  it("all go once, by the end, whoever they are", () => {
    const groups = fc.array(fc.constantFrom("q", "r", "s"), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(groups, { maxLength: 200 }), fc.nat(20_000), (list, endMs) => {
        const went = played(
          list.map((each, i) => client(`${i}`, ...each)),
          endMs,
        );
        expect(went.map(([, name]) => Number(name)).sort((a, b) => a - b)).toEqual(list.map((_, i) => i));
        expect(Math.max(0, ...went.map(([at]) => at))).toBeLessThanOrEqual(endMs + 10);
      }),
      { numRuns: 200 },
    );
  });
});
