/**
 * A dozen seeds of the simulation; `npm run sim -- --seeds 1000` plays as many as one likes. docs/clustering.md tells what is checked,
 * and by which breaches of the code of production it was seen to fail.
 */
import { expect, test } from "vitest";
import { simulate } from "./simulation.ts";

const SEEDS = 12;

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}: the mesh is whole again after faults, with one route per slot, in order and without loss`, () => {
    const verdict = simulate({
      seed,
      servers: undefined,
      faultSeconds: 10,
      topology: undefined,
      plainPoolSize: undefined,
    });
    expect(verdict.breaches, `npm run sim -- --seed ${seed} --seconds 10 --log`).toEqual([]);
  });
}

test("a mesh of 20 servers that know three of them is whole within 2 s of the start", () => {
  const verdict = simulate({ seed: 7, servers: 20, faultSeconds: 0, topology: "seeds", plainPoolSize: 3 });
  expect(verdict.breaches).toEqual([]);
  expect(verdict.convergedMs).toBeLessThan(2000);
});

test("the same seed gives the same history", () => {
  const run = () =>
    simulate({ seed: 11, servers: 8, faultSeconds: 5, topology: "seeds", plainPoolSize: undefined });
  expect(run()).toEqual(run());
});
