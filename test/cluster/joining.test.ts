/** Joining a cluster: which servers may, under which name and with which credentials, and what the others are told. */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import { describe, expect, it } from "vitest";
import { allReach } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Stage, whole, type RunningServer } from "./stage.ts";

async function work(stage: Stage, members: readonly RunningServer[]): Promise<void> {
  await whole(members);
  await allReach(await stage.clients(members));
}

describe("the name of the cluster", () => {
  it.each([
    ["the seed", ["set", null, null]],
    ["a joiner", [null, null, "set"]],
    ["nobody", [null, null, null, null, null]],
  ])("is agreed on when %s has one configured", async (_who, names) => {
    await using stage = new Stage();
    const members = await stage.cluster(names.map((cluster, i) => ({ name: `m${i}`, cluster })));
    await work(stage, members);
    const agreed = new Set(members.map(({ clusterName }) => clusterName));
    expect(agreed.size).toBe(1);
    expect(agreed.has("set")).toBe(names.includes("set"));
  });

  it("keeps servers of different clusters apart, and both say why", async () => {
    await using stage = new Stage();
    const seed = await stage.start({ name: "m0", cluster: "one" });
    const joiner = await stage.start({ name: "m1", cluster: "two", routes: [seed.routeUrl()] });
    await seed.says('cluster name "two" does not match "one"');
    await seed.says(/Router connection closed: Cluster Name Conflict/);
    await joiner.says(/cluster name .* does not match|Cluster Name Conflict/);
    expect([seed.routes, joiner.routes, seed.clusterName, joiner.clusterName]).toEqual([
      [],
      [],
      "one",
      "two",
    ]);
  });
});

describe("a route to a port that is not for routes", () => {
  it("is closed, and does not disturb the routes that are", async () => {
    await using stage = new Stage();
    const seed = await stage.start({ name: "m0" });
    const routes = [`nats://127.0.0.1:${seed.clientPort}`, seed.routeUrl()];
    const joiner = await stage.start({ name: "m1", routes });
    await joiner.says("Router connection closed: Incorrect Port");
    await work(stage, [seed, joiner]);
    const { sessions } = joiner.server.cluster!;
    const registered = [...sessions.values()].filter(({ registration }) => registration !== null);
    expect(registered.map(({ wire }) => wire.remote.port)).not.toContain(seed.clientPort);
    expect(joiner.logged("Server joined the cluster")).toHaveLength(1);
  });
});

describe("the name of a server", () => {
  it("belongs to one: a second server of the name is turned away, the others go on", async () => {
    await using stage = new Stage();
    const members = await stage.cluster([{ name: "a" }, { name: "b" }]);
    await whole(members);
    const double = await stage.start({ name: "a", routes: [members[0]!.routeUrl()] });
    await double.says('Remote server has a duplicate name: "a"');
    await double.says(/Router connection closed: Duplicate Server Name/);
    expect([double.routes, members[0]!.routesTo(double)]).toEqual([[], []]);
    await double.stop();
    await work(stage, members);
  });

  it("stays with the member that lives, and passes on when that one is gone", async () => {
    await using stage = new Stage();
    const [seed, other] = (await stage.cluster([{ name: "a" }, { name: "b" }])) as [
      RunningServer,
      RunningServer,
    ];
    const before = await stage.start({ name: "c", routes: [seed.routeUrl()] });
    await whole([seed, other, before]);
    const after = await stage.start({ name: "c", routes: [seed.routeUrl(), other.routeUrl()] });
    for (const member of [seed, other]) {
      const line = await member.says('Remote server has a duplicate name: "c"');
      expect(line).toMatchObject({ event: "duplicate_name", name: "c", id: after.id });
      expect(line["msg"]).toContain("--server_name");
      expect(member.routesTo(before).length).toBeGreaterThan(0);
      expect(member.logged("Server left the cluster")).toEqual([]);
    }
    await before.stop();
    for (const member of [seed, other])
      await waitFor("the successor's place", () => member.routesTo(after).length > 0);
    await work(stage, [seed, other, after]);
  });
});

describe("cluster.authorization", () => {
  const guarded = ["authorization { user: r, password: right, timeout: 1 }"];

  it("lets in who has the credentials in the URL, and gives them to what gossip finds", async () => {
    await using stage = new Stage();
    const seed = await stage.start({ name: "m0", clusterLines: guarded });
    const joiners = [];
    for (const name of ["m1", "m2"]) {
      joiners.push(await stage.start({ name, clusterLines: guarded, routes: [seed.routeUrl("r:right")] }));
    }
    await work(stage, [seed, ...joiners]);
  });

  it("is set as well by the URL to listen on", async () => {
    await using stage = new Stage();
    const seed = await stage.start({ name: "m0" }, ["--cluster", "nats://r:right@127.0.0.1:-1"]);
    const stranger = await stage.start({ name: "m1", routes: [seed.routeUrl()] });
    await seed.says("Authorization Violation");
    expect(seed.routes).toEqual([]);
    await stranger.stop();
    const joiner = await stage.start({ name: "m1", routes: [seed.routeUrl("r:right")] });
    await work(stage, [seed, joiner]);
  });

  it.each([
    ["a wrong password", "r:wrong"],
    ["a wrong user", "x:right"],
    ["no credentials", undefined],
  ])("turns away who has %s, and logs no password", async (_what, userInfo) => {
    await using stage = new Stage();
    const seed = await stage.start({ name: "m0", clusterLines: guarded });
    const joiner = await stage.start({ name: "m1", routes: [seed.routeUrl(userInfo)] });
    await seed.says(/Router connection closed: Authentication Failure/);
    await joiner.says(/Route Error|Router connection closed/);
    expect([seed.routes, joiner.routes]).toEqual([[], []]);
    const text = JSON.stringify([seed.lines, joiner.lines]);
    expect(text).toContain("Authorization Violation");
    expect(text).not.toMatch(/wrong@|:wrong|password/);
  });
});
