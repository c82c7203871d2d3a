/** Rebalancing among many: it comes to rest within the tolerance, moves no more than it must, and nobody is sent to and fro. */
import { describe, expect, it } from "vitest";
import { randomInt, seededRandom } from "../../src/base/random.ts";
import { CALM_MS, RATE_PER_SECOND, RebalanceWorld, ROUND_MS, TOLERANCE } from "./rebalance-world.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

function balanceBreaches({ counts }: RebalanceWorld): string[] {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const most = Math.max(mean * (1 + TOLERANCE), mean + 5);
  return counts.filter((count) => count > most).map((count) => `${count} clients, the mean is ${mean}`);
}

/** No client was asked too soon after it connected, no server asked more than it may, and once at rest nobody asks. */
function conductBreaches({ asked }: RebalanceWorld, restsAfterMs: number): string[] {
  const breaches: string[] = [];
  for (const { atMs, connectedMs, client } of asked) {
    if (atMs - connectedMs < CALM_MS)
      breaches.push(`client ${client} was asked ${atMs - connectedMs} ms after it came`);
    if (atMs > restsAfterMs)
      breaches.push(`client ${client} was asked at ${atMs}, when all should have been at rest`);
  }
  const rounds = new Map<string, number>();
  for (const { atMs, server } of asked)
    rounds.set(`${server} ${atMs}`, (rounds.get(`${server} ${atMs}`) ?? 0) + 1);
  const roundMax = (RATE_PER_SECOND * 1.1 * ROUND_MS) / 1000;
  for (const [round, count] of rounds)
    if (count > roundMax) breaches.push(`${count} asked at once: ${round}`);
  return breaches;
}

describe.each([1, 2, 3, 4])("servers that rebalance (%i)", (seed) => {
  it("come to rest after a scale-up, having moved hardly more clients than they must", () => {
    const random = seededRandom(seed);
    const world = new RebalanceWorld(random);
    const before = 2 + randomInt(random, 4);
    const each = 100 + randomInt(random, 2000);
    for (let i = 0; i < before; i++) world.connect(each, world.join());
    world.timeline.runUntil(10 * MINUTE_MS);
    expect(world.asked).toEqual([]);
    const added = 1 + randomInt(random, before);
    for (let i = 0; i < added; i++) world.join();
    world.timeline.runUntil(2 * HOUR_MS);
    expect(balanceBreaches(world)).toEqual([]);
    const must = (before * each * added) / (before + added);
    expect(world.asked.length).toBeLessThanOrEqual(1.3 * must);
    expect(conductBreaches(world, HOUR_MS)).toEqual([]);
  });

  it("come to rest after rollouts, growth and shrinking, with clients that come and go", () => {
    const random = seededRandom(seed);
    const world = new RebalanceWorld(random);
    for (let i = 0; i < 12; i++) world.connect(200, world.join());
    for (let minute = 1; minute <= 120; minute += 1 + randomInt(random, 12)) {
      world.timeline.at(minute * MINUTE_MS, () => disturb(world, randomInt(random, 5), random));
    }
    world.timeline.runUntil(5 * HOUR_MS);
    expect(balanceBreaches(world)).toEqual([]);
    expect(conductBreaches(world, 4 * HOUR_MS)).toEqual([]);
  });

  it("do not play ping-pong, two of them", () => {
    const world = new RebalanceWorld(seededRandom(seed));
    world.connect(1000, world.join());
    world.join();
    world.timeline.runUntil(3 * HOUR_MS);
    expect(balanceBreaches(world)).toEqual([]);
    const times = new Map<number, number>();
    for (const { client } of world.asked) times.set(client, (times.get(client) ?? 0) + 1);
    expect([...times.values()].filter((count) => count > 1)).toEqual([]);
    expect(world.asked.length).toBeLessThanOrEqual(500);
  });
});

function disturb(world: RebalanceWorld, what: number, random: ReturnType<typeof seededRandom>): void {
  const { up } = world;
  const one = up[randomInt(random, up.length)]!;
  switch (what) {
    case 0:
      return void world.join();
    case 1:
      return up.length > 3 ? world.leave(one) : undefined;
    case 2: // a rollout: each is replaced
      for (const server of up) {
        world.leave(server);
        world.join();
      }
      return;
    case 3:
      return world.connect(300, one);
    default:
      return world.disconnect(300);
  }
}
