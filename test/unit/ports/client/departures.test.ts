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

/** The clients that leave at each millisecond, when the departures are asked as often as they want. */
function played(
  clients: readonly Client[],
  endMs: number,
  {
    endsAfterMs = 0,
    backAfterMs = Number.POSITIVE_INFINITY,
  }: { endsAfterMs?: number; backAfterMs?: number } = {},
): [atMs: number, name: string][] {
  const went: [number, string][] = [];
  let nowMs = 0;
  const wentMs = (one: Client): number => went.find(([, name]) => name === one.name)![0];
  const departures = new Departures({
    clients,
    startMs: 0,
    endMs,
    queueGroupsOf: (one) => one.groups,
    membersElsewhere: (group) =>
      went.filter(
        ([atMs, name]) =>
          atMs + backAfterMs <= nowMs && clients.find((one) => one.name === name)!.groups.includes(group),
      ).length,
    hasEnded: (one) => wentMs(one) + endsAfterMs <= nowMs,
  });
  for (;;) {
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
      [50, "b"],
      [100, "c"],
    ]);
  });

  it("wait for the one before to end its side, but not for one that does not", () => {
    const trio = [client("a"), client("b"), client("c")];
    expect(played(trio, 60_000, { endsAfterMs: 400 }).map(([atMs]) => atMs)).toEqual([0, 400, 800]);
    expect(played(trio, 60_000, { endsAfterMs: 60_000 }).map(([atMs]) => atMs)).toEqual([0, 1000, 2000]);
  });

  it("wait for the one before in their queue group to be back on another server, but not for one that does not come", () => {
    const group = [client("a", "q"), client("b", "q"), client("c", "q"), client("d")];
    expect(played(group, 60_000, { backAfterMs: 300 })).toEqual([
      [0, "a"],
      [50, "d"],
      [300, "b"],
      [600, "c"],
    ]);
    expect(played(group, 60_000).map(([atMs]) => atMs)).toEqual([0, 50, 2000, 4000]);
  });

  it("go farther apart where they are in one queue group, and others go in between", () => {
    const went = played([client("a", "q"), client("b", "q", "r"), client("c", "r"), client("d")], 60_000);
    expect(went).toEqual([
      [0, "a"],
      [50, "c"],
      [100, "d"],
      [2050, "b"],
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

  it("go first, where there is no time, who keep no queue group waiting", () => {
    const few = [client("a", "q"), client("b", "q"), client("c"), client("d")];
    expect(played(few, 40).map(([, name]) => name)).toEqual(["a", "c", "d", "b"]);
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
