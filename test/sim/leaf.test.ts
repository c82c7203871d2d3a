/** Clusters joined by leaf connections under faults, many seeds; and leaf connections that make a circle. */
import { expect, it } from "vitest";
import { STEADY_SUBJECT } from "./clients.ts";
import { LeafChaos } from "./leaf-world.ts";
import type { LeafPlan } from "./leaf-member.ts";

const SEEDS = Number(process.env["SHOAL_LEAF_SEEDS"] ?? 10);
const FIRST = Number(process.env["SHOAL_LEAF_SEED"] ?? 1);
const FAULT_SECONDS = 15;

for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
  it(`seed ${seed}: nothing is doubled, and all get everything once the faults are over`, () => {
    const world = new LeafChaos(seed);
    const replay = `SHOAL_LEAF_SEED=${seed} SHOAL_LEAF_SEEDS=1 npx vitest run --project unit test/sim/leaf.test.ts`;
    expect(() => world.run(FAULT_SECONDS), `replay: ${replay}`).not.toThrow();
    world.dispose();
  });
}

it("a circle of leaf connections is noticed, and what goes around in it ends", () => {
  const plan = (name: string, n: number, hubs: readonly number[]): LeafPlan => ({
    ...{ name, cluster: name, ip: `10.${n}.0.1`, leafIp: `10.${n}.1.1`, routes: [] },
    hubs: hubs.map((hub) => [`10.${hub}.1.1`]),
  });
  const world = new LeafChaos(1, [plan("a", 1, []), plan("b", 2, [1]), plan("c", 3, [1, 2])]);
  for (const one of world.plans) world.start(one);
  world.timeline.runUntil(10_000);
  const down = world.running().flatMap(({ port }) => [...port.unconnectedRemotes()]);
  expect(down.length).toBeGreaterThan(0);
  for (let second = 10; second < 100; second++) {
    const sent = world.running().map((member) => {
      const sequence = world.nextSequence();
      world.publish(member, STEADY_SUBJECT, `${member.server.id} ${sequence}`);
      return { member, sequence };
    });
    world.timeline.runUntil(second * 1000);
    for (const { member, sequence } of sent)
      for (const copies of world.copiesOf(member, sequence)) expect(copies).toBeLessThan(3);
  }
  world.dispose();
});
