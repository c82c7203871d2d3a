/** Whole clusters with JetStream under faults; a failing seed prints itself. */
import { describe, expect, it } from "vitest";
import { ClusterWorld } from "./jetstream-cluster/cluster-world.ts";

const SEEDS = Number(process.env["SEEDS"] ?? 3);
const FIRST_SEED = Number(process.env["SEED"] ?? 1);

describe("clusters with JetStream", () => {
  it(`lose nothing that was acknowledged, and agree in the end, ${SEEDS} seeds`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const world = new ClusterWorld(seed);
      expect(
        world.run(),
        `seed ${seed}: SEED=${seed} SEEDS=1 npx vitest run --project unit test/sim/jetstream-cluster.test.ts`,
      ).toEqual([]);
    }
  });
});
