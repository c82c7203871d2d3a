/** Whole clusters with JetStream under faults; a failing seed prints itself. */
import { describe, expect, it } from "vitest";
import { ClusterWorld } from "./jetstream-cluster/cluster-world.ts";

const COUNT = Number(process.env["SEEDS"] ?? 3);
const FIRST_SEED = Number(process.env["SEED"] ?? 1);
const SEEDS = Array.from({ length: COUNT }, (_, i) => FIRST_SEED + i);

describe("clusters with JetStream", () => {
  it.each(SEEDS)("lose nothing that was acknowledged, and agree in the end, seed %i", (seed) => {
    const world = new ClusterWorld(seed);
    expect(
      world.run(),
      `SEED=${seed} SEEDS=1 npx vitest run --project unit test/sim/jetstream-cluster.test.ts\n${world.log.slice(-40).join("\n")}`,
    ).toEqual([]);
  });
});
