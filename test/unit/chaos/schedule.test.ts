/** The schedule of chaos runs: one seed is one schedule, and what destroys data comes alone. */
import { expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { destroys, drawRound, FAULT_KINDS, type Round } from "../../chaos/schedule.ts";

const NAMES = ["n1", "n2", "n3", "n4", "n5"];

function rounds(seed: number): Round[] {
  const random = seededRandom(seed);
  return Array.from({ length: 300 }, () => drawRound(random, NAMES));
}

it("is the same for the same seed", () => {
  expect(rounds(7)).toEqual(rounds(7));
  expect(rounds(7)).not.toEqual(rounds(8));
});

it("has every kind of fault, and what destroys data by itself on one server", () => {
  const all = rounds(1);
  const kinds = new Set(all.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
  expect([...kinds].sort()).toEqual([...FAULT_KINDS].sort());
  for (const { faults } of all.filter(({ faults }) => faults.some(destroys))) {
    expect(faults).toHaveLength(1);
    expect(faults[0]!.servers).toHaveLength(1);
  }
});

it("leaves out what it is told to", () => {
  const random = seededRandom(1);
  const without = new Set(["wipe", "damage"] as const);
  for (let i = 0; i < 300; i++) expect(drawRound(random, NAMES, without).faults.some(destroys)).toBe(false);
});
