/** How many connections a route has, which account goes over which, and what crosses them: each message once, one hop, no further. */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import { describe, expect, it } from "vitest";
import { allReach, Inbox, reaches } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { Stage, whole, type RunningServer } from "./stage.ts";

const names = ["a", "b", "c"];

describe("the pool of connections between two servers", () => {
  const slots = (from: RunningServer, to: RunningServer) =>
    from.routesTo(to).map(({ account, poolIndex }) => account ?? poolIndex);

  it.each([
    [undefined, [0, 1, 2, "$SYS"]],
    [1, [0, "$SYS"]],
    [3, [0, 1, 2, "$SYS"]],
    [5, [0, 1, 2, 3, 4, "$SYS"]],
    [-1, [0]],
  ])("of pool_size %s, with one more for the system account, is full and no fuller", async (size, wanted) => {
    await using stage = new Stage();
    const clusterLines = size === undefined ? [] : [`pool_size: ${size}`];
    const members = await stage.cluster(names.map((name) => ({ name, clusterLines })));
    await whole(members);
    await allReach(await stage.clients(members));
    const expected = wanted.map(String).sort();
    for (const from of members) {
      for (const to of members) {
        if (from === to) continue;
        await waitFor("the pinned route", () => slots(from, to).length === expected.length);
        expect(slots(from, to).map(String).sort()).toEqual(expected);
      }
    }
  });

  it("is as large as the larger one asks, and is one connection where a side has no pool", async () => {
    await using stage = new Stage();
    const sizes = [2, 5, -1];
    const members = await stage.cluster(
      names.map((name, i) => ({ name, clusterLines: [`pool_size: ${sizes[i]}`] })),
    );
    await whole(members);
    await allReach(await stage.clients(members));
    const [a, b, c] = members as [RunningServer, RunningServer, RunningServer];
    await waitFor("the pinned route", () => slots(a, b).length === 6);
    expect([slots(a, b).length, slots(b, a).length]).toEqual([6, 6]);
    expect([slots(a, c), slots(c, a), slots(b, c), slots(c, b)]).toEqual([[0], [0], [0], [0]]);
  });

  it("leaves a pinned account to a connection of its own", async () => {
    await using stage = new Stage();
    const members = await stage.cluster(
      names.slice(0, 2).map((name) => ({ name, clusterLines: ['accounts: ["$G"]'] })),
    );
    await whole(members);
    const [a, b] = members as [RunningServer, RunningServer];
    await waitFor("the route of the account", () => slots(a, b).includes("$G"));
    const [from, to] = await stage.clients(members);
    const inbox = new Inbox(to!, "pinned");
    await reaches(from!, to!);
    for (let n = 0; n < 10; n++) from!.publish("pinned", String(n));
    await inbox.received(10);
    expect(inbox.texts).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
    const carriers = a.routesTo(b).filter(({ sent }) => sent > 0);
    expect(carriers.map(({ account }) => account)).toEqual(["$G"]);
  });
});

describe("a message", () => {
  it("reaches each subscription on each of three servers once, wherever it enters", async () => {
    await using stage = new Stage();
    const members = await stage.cluster(names.map((name) => ({ name })));
    await whole(members);
    const clients = await stage.clients(members);
    const inboxes = clients.map((client) => new Inbox(client, "hello"));
    await allReach(clients);
    for (const [i, client] of clients.entries()) client.publish("hello", `from ${names[i]}`);
    await Promise.all(inboxes.map((inbox) => inbox.received(3)));
    await allReach(clients);
    for (const inbox of inboxes) expect(inbox.texts.sort()).toEqual(["from a", "from b", "from c"]);
  });

  it("goes to a member of a queue group on its own server as long as there is one", async () => {
    await using stage = new Stage();
    const members = await stage.cluster(names.map((name) => ({ name })));
    await whole(members);
    const clients = await stage.clients(members);
    const [near, far, farther] = clients.map((client) => new Inbox(client, "jobs", "workers"));
    await allReach(clients);
    for (let n = 0; n < 60; n++) clients[0]!.publish("jobs");
    await near!.received(60);
    near!.stop();
    await allReach(clients);
    for (let n = 0; n < 60; n++) clients[0]!.publish("jobs");
    await waitFor("all jobs elsewhere", () => far!.messages.length + farther!.messages.length >= 60);
    await allReach(clients);
    expect(near!.messages.length).toBe(60);
    expect([far!.messages.length, farther!.messages.length]).toEqual([30, 30]);
  });

  it("is never passed on from one route to another", async () => {
    await using stage = new Stage();
    const server = await stage.start({ name: "middle" });
    const [left, right] = [await otherServer(server, "LEFT"), await otherServer(server, "RIGHT")];
    left.send("RS+ $G way.through\r\nRS+ $G way.through many 3\r\nPING\r\n");
    await left.has("PONG\r\n");
    const client = await stage.client(server);
    const inbox = new Inbox(client, "way.through");
    await client.flush();
    await right.has("RS+ $G way.through\r\n");
    right.send("RMSG $G way.through 5\r\nhello\r\nRMSG $G way.through | many 4\r\nmany\r\n");
    await inbox.received(2);
    client.publish("way.through", "own");
    await left.has("own\r\n");
    await left.has("RS+ $G way.through\r\n");
    expect(left.text).not.toContain("hello");
    expect(left.text.match(/R?MSG /g)).toHaveLength(1);
    expect(right.text).not.toContain("MSG ");
    left.destroy();
    right.destroy();
  });
});

/** A connection that has introduced itself as a server without a pool. */
async function otherServer(to: RunningServer, id: string): Promise<RawConnection> {
  const connection = await RawConnection.open(to.clusterPort);
  const info = { server_id: id, server_name: id, host: "127.0.0.1", port: 1, headers: true, cluster: "C" };
  connection.send(
    `CONNECT ${JSON.stringify({ name: id, cluster: "C" })}\r\nINFO ${JSON.stringify(info)}\r\nPING\r\n`,
  );
  await connection.has("PONG\r\n");
  return connection;
}
