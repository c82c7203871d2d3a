/** What the defaults promise, each as one story on the simulated network, with the times they are promised in. */
import { expect, test } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import { meshBreaches } from "./checks.ts";
import { drawScenario, type Topology } from "./scenario.ts";
import { STRANGERS, World } from "./world.ts";

/** A whole mesh of eight servers, ten seconds old; what is dead is noticed by keepalive only after `keepaliveMs`. */
function wholeMesh(seed: number, topology: Topology, keepaliveMs: number): World {
  const random = seededRandom(seed);
  const drawn = drawScenario({ seed, servers: 8, faultSeconds: 0, topology, plainPoolSize: 3 }, random);
  const world = new World({ ...drawn, keepaliveMs }, random);
  world.startAll();
  world.timeline.runUntil(10_000);
  expect(meshBreaches(world)).toEqual([]);
  return world;
}

function halves(world: World): (readonly [string, string])[] {
  const ips = world.running().map((member) => member.ip);
  return ips.slice(0, 4).flatMap((a) => ips.slice(4).map((b) => [a, b] as const));
}

for (const seed of [1, 2, 3, 4, 5]) {
  test(`a server that crashed and restarts is back within 3 s, long before its death would be noticed (${seed})`, () => {
    const world = wholeMesh(seed, "seeds", 600_000);
    const plan = world.scenario.servers[5];
    if (plan === undefined) throw new Error("eight servers expected");
    world.members.get(plan.name)?.crash();
    world.timeline.runUntil(world.timeline.nowMs + 200);
    world.start(plan);
    world.timeline.runUntil(world.timeline.nowMs + 3000);
    expect(meshBreaches(world)).toEqual([]);
  });

  test(`two halves that gave each other up are one mesh again within 5 s of being joined (${seed})`, () => {
    const world = wholeMesh(seed, "seeds", 1000);
    for (const [a, b] of halves(world)) world.network.cut(a, b);
    world.timeline.runUntil(world.timeline.nowMs + 60_000);
    expect(meshBreaches(world)).not.toEqual([]);
    world.network.healAll();
    world.timeline.runUntil(world.timeline.nowMs + 5000);
    expect(meshBreaches(world)).toEqual([]);
  });
}

test("two islands that know only one common balancer find each other", () => {
  const world = wholeMesh(1, "balancer", 1000);
  for (const [a, b] of halves(world)) world.network.cut(a, b);
  world.timeline.runUntil(world.timeline.nowMs + 60_000);
  world.network.healAll();
  world.timeline.runUntil(world.timeline.nowMs + 120_000);
  expect(meshBreaches(world)).toEqual([]);
});

test("a mesh at rest neither dials nor loses a connection", () => {
  const world = wholeMesh(3, "discovered", 1000);
  const { linksMade } = world.network;
  world.timeline.runUntil(world.timeline.nowMs + 600_000);
  expect(world.network.linksMade).toBe(linksMade);
  expect(meshBreaches(world)).toEqual([]);
});

test("a DNS that keeps showing strangers costs each a dial every 5 s, and the mesh nothing", () => {
  const world = wholeMesh(1, "dns", 1000);
  world.timeline.runUntil(600_000);
  const fromMs = 300_000;
  for (const member of world.running()) {
    for (const { host, port } of STRANGERS) {
      const late = member.dialledKeys.filter(({ key, atMs }) => key === `${host}:${port}` && atMs > fromMs);
      expect(late.length).toBeGreaterThan(20);
      expect(late.length).toBeLessThanOrEqual(300 / 5 + 1);
    }
    const said = member.facts.filter(({ atMs }) => atMs > fromMs).map(({ fact }) => fact.kind);
    expect(said.filter((kind) => kind !== "dialFailed" && kind !== "clusterNameConflict")).toEqual([]);
    expect(said.filter((kind) => kind === "clusterNameConflict").length).toBeLessThanOrEqual(1);
  }
  expect(world.outsider?.mesh.snapshot(world.timeline.nowMs).peers).toEqual([]);
  expect(meshBreaches(world)).toEqual([]);
});

test("five thousand dead addresses on every server hold up neither a restart nor a lost route, and cost bounded dials", () => {
  const world = wholeMesh(1, "seeds", 1000);
  const dead = Array.from({ length: 5000 }, (_, i) => ({ host: `10.1.${i >> 8}.${i & 255}`, port: 6222 }));
  for (const member of world.running()) {
    for (const { host } of dead) world.network.cut(member.ip, host);
    member.setSource("dead", "discovered", dead);
  }
  world.timeline.runUntil(world.timeline.nowMs + 5000);
  const plan = world.scenario.servers[5]!;
  world.members.get(plan.name)?.crash();
  world.network.dropOne(world.running()[1]!.ip);
  world.timeline.runUntil(world.timeline.nowMs + 200);
  world.start(plan);
  world.timeline.runUntil(world.timeline.nowMs + 5000);
  expect(meshBreaches(world)).toEqual([]);
  for (const member of world.running()) {
    const { alarms, addresses, peers, dialsInFlight, dialsWaiting } = member.mesh.snapshot(
      world.timeline.nowMs,
    );
    expect(alarms).toBeLessThanOrEqual(addresses.length + peers.length + dialsInFlight + 3);
    expect(dialsWaiting).toBeLessThanOrEqual(addresses.length);
    const lately = member.dialledKeys.filter(({ atMs }) => atMs > world.timeline.nowMs - 1000);
    expect(lately.length).toBeLessThanOrEqual(2 * 128);
  }
});

for (const topology of ["static", "seeds", "discovered", "dns"] as const) {
  test(`who says good-bye is not awaited: the others are a whole mesh again as soon as it is gone (${topology})`, () => {
    const world = wholeMesh(2, topology, 1000);
    const leaving = world.members.get(world.scenario.servers[6]!.name)!;
    world.left.set(leaving.identity.name, world.timeline.nowMs);
    leaving.leave();
    world.discoveryChanged();
    world.timeline.runUntil(world.timeline.nowMs + 500);
    for (const member of world.running()) {
      const { size, complete, addresses } = member.mesh.snapshot(world.timeline.nowMs);
      expect(size.connected).toBe(7);
      // Discovery and DNS show strangers as well, who are awaited.
      if (topology === "static" || topology === "seeds") expect([size.wanted, complete]).toEqual([7, true]);
      const left = addresses.find(({ address }) => address === `${leaving.ip}:6222`);
      expect(left === undefined || left.state === "absent").toBe(true);
    }
  });
}

test("a server that said good-bye and comes back is joined at once, under the address that is still listed", () => {
  const world = wholeMesh(3, "static", 600_000);
  const plan = world.scenario.servers[4]!;
  world.members.get(plan.name)?.leave();
  world.timeline.runUntil(world.timeline.nowMs + 3000);
  world.start(plan);
  world.timeline.runUntil(world.timeline.nowMs + 2000);
  expect(meshBreaches(world)).toEqual([]);
});
