/** Servers that leave a cluster with JetStream for good: what they keep goes to the others, and they may come back as new ones. And those that ask whether they may end. */
import { expect, it } from "vitest";
import type { JetStreamCluster } from "../../src/jetstream/cluster.ts";
import { CalmWorld } from "./jetstream-cluster/calm-world.ts";

interface Answer {
  readonly error?: { readonly description: string };
  readonly state?: { readonly messages: number };
  readonly seq?: number;
}

const MESSAGES = 20;
const LEAVE_MS = 120_000;

const leaderOf = (world: CalmWorld): JetStreamCluster | undefined =>
  world.servers.find(({ cluster }) => cluster?.meta.leads)?.cluster ?? undefined;

/** The names of the servers that the leader has in the group of all. */
function membersOf(world: CalmWorld): string[] {
  const leader = leaderOf(world);
  const peers = leader?.meta.group?.peers.peers ?? [];
  return peers.map((peer) => leader!.figuresHost.nameOf(peer)).toSorted();
}

/** Ten streams, with one replica and with three, and a consumer of each; whoever leaves keeps some of them. */
function fill(world: CalmWorld): string[] {
  world.until("a leader", () => leaderOf(world) !== undefined && membersOf(world).length === 5);
  const names = Array.from({ length: 10 }, (_, i) => `S${i}`);
  for (const [i, name] of names.entries()) {
    const config = { name, subjects: [`${name}.>`], num_replicas: i % 2 === 0 ? 1 : 3 };
    expect(world.ask<Answer>("n1", `$JS.API.STREAM.CREATE.${name}`, config).error).toBeUndefined();
    const consumer = { stream_name: name, config: { durable_name: "c", ack_policy: "explicit" } };
    expect(world.ask<Answer>("n1", `$JS.API.CONSUMER.CREATE.${name}.c`, consumer).error).toBeUndefined();
    for (let n = 0; n < MESSAGES; n++) world.ask<Answer>("n1", `${name}.a`, `message ${n}`);
  }
  return names;
}

/** The result of leaving, once it is known. */
function leaving(world: CalmWorld, name: string): () => string | undefined {
  let result: string | undefined;
  void world
    .get(name)
    .cluster!.leave(LEAVE_MS)
    .then((how) => (result = how));
  return () => result;
}

/** Promises of the servers are kept between steps of the clock. */
async function settled<T>(world: CalmWorld, what: string, find: () => T | undefined | false): Promise<T> {
  for (let n = 0; n < 3000; n++) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    world.pass(100);
    await Promise.resolve();
  }
  throw new Error(`in vain: ${what}\n${world.log.slice(-20).join("\n")}`);
}

it("moves all streams of two servers to the three that stay, and takes both in when they start again", async () => {
  const world = new CalmWorld(5);
  const names = fill(world);
  const results = [leaving(world, "n4"), leaving(world, "n5")];
  await settled(world, "both to leave", () => results.every((result) => result() !== undefined));
  expect(results.map((result) => result())).toEqual(["left", "left"]);
  for (const name of ["n4", "n5"]) world.get(name).kill();
  expect(membersOf(world)).toEqual(["n1", "n2", "n3"]);
  for (const [i, name] of names.entries()) {
    const { assignment } = leaderOf(world)!.meta.assignments.stream("A", name)!;
    expect(assignment.group.peers).toHaveLength(i % 2 === 0 ? 1 : 3);
    const info = world.ask<Answer>("n1", `$JS.API.STREAM.INFO.${name}`, "");
    expect(info.state?.messages).toBe(MESSAGES);
    expect(world.ask<Answer>("n2", `${name}.a`, "one more").seq).toBe(MESSAGES + 1);
  }
  for (const name of ["n4", "n5"]) world.get(name).start();
  await settled(world, "both to be members again", () => membersOf(world).length === 5);
});

it("does not lose the stream that nobody else may keep: the server stays a member", async () => {
  const world = new CalmWorld(3);
  world.until("a leader", () => membersOf(world).length === 3);
  world.get("n3").tags = ["disk:big"];
  world.pass(3000);
  const config = { name: "S", subjects: ["s"], num_replicas: 1, placement: { tags: ["disk:big"] } };
  expect(world.ask<Answer>("n1", "$JS.API.STREAM.CREATE.S", config).error).toBeUndefined();
  const result = leaving(world, "n3");
  await settled(world, "an end of its attempts", result);
  expect(result()).toBe("stuck");
  expect(membersOf(world)).toEqual(["n1", "n2", "n3"]);
});

it("tells a server that groups need it while another one is missing, and not when that one is back", async () => {
  const world = new CalmWorld(3);
  world.until("a leader", () => membersOf(world).length === 3);
  const config = { name: "S", subjects: ["s"], num_replicas: 3 };
  expect(world.ask<Answer>("n1", "$JS.API.STREAM.CREATE.S", config).error).toBeUndefined();
  const needed = async (name: string): Promise<number> => {
    let count: number | undefined;
    void world
      .get(name)
      .cluster!.neededBy()
      .then((told) => (count = told.count));
    return settled(world, "the number of groups", () => count);
  };
  expect(await needed("n2")).toBe(0);
  world.get("n1").kill();
  world.pass(10_000);
  expect(await needed("n2")).toBe(2); // the stream, and the group of all servers
  world.get("n1").start();
  world.pass(20_000);
  expect(await needed("n2")).toBe(0);
});

it("begins no second cluster of servers that only join", () => {
  const world = new CalmWorld(0);
  const late = ["n4", "n5", "n6"].map((name) => world.add(name, Infinity));
  world.pass(60_000);
  expect(late.map(({ cluster }) => cluster!.meta.group)).toEqual([null, null, null]);
  for (const name of ["n1", "n2", "n3"]) world.add(name, 3);
  world.until("all to be members of one group", () => membersOf(world).length === 6);
});
