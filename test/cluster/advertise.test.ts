/**
 * What servers say of where they are: to each other for routes, to clients for connections; and what crosses routes where
 * cluster.permissions bound it.
 */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import type { NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { freePort } from "../support/free-port.ts";
import { allReach, Inbox, reaches } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Stage, whole, type RunningServer } from "./stage.ts";

function seen(client: NatsConnection): string {
  return [...(client.info?.connect_urls ?? [])].sort().join();
}

const own = (server: RunningServer): string => `127.0.0.1:${server.clientPort}`;

async function shows(client: NatsConnection, urls: readonly string[]): Promise<void> {
  const wanted = [...urls].sort().join();
  await waitFor(
    `a client to see ${wanted}`,
    () => seen(client) === wanted,
    () => `it sees ${seen(client)}`,
  );
}

describe("connect_urls of INFO", () => {
  it("name every member, and follow when one comes or goes", async () => {
    await using stage = new Stage();
    const [a, b] = (await stage.cluster([{ name: "a" }, { name: "b" }])) as [RunningServer, RunningServer];
    const clients = await stage.clients([a, b]);
    for (const client of clients) await shows(client, [own(a), own(b)]);
    const c = await stage.start({ name: "c", routes: [a.routeUrl()] });
    for (const client of clients) await shows(client, [own(a), own(b), own(c)]);
    await c.stop();
    for (const client of clients) await shows(client, [own(a), own(b)]);
  });

  it("name what client_advertise says in place of the address listened on, with its port or the own one", async () => {
    await using stage = new Stage();
    const [a, b, c] = (await stage.cluster([
      { name: "a", serverLines: ['client_advertise: "a.example:1234"'] },
      { name: "b", serverLines: ['client_advertise: "b.example"'] },
      { name: "c" },
    ])) as [RunningServer, RunningServer, RunningServer];
    for (const server of [a, b, c]) {
      await shows(await stage.client(server), ["a.example:1234", `b.example:${b.clientPort}`, own(c)]);
    }
  });

  it("are kept to itself by a server with no_advertise, in both directions", async () => {
    await using stage = new Stage();
    const [a, b, silent] = (await stage.cluster([
      { name: "a" },
      { name: "b" },
      { name: "silent", clusterLines: ["no_advertise: true"] },
    ])) as [RunningServer, RunningServer, RunningServer];
    await whole([a, b, silent]);
    for (const server of [a, b]) await shows(await stage.client(server), [own(a), own(b)]);
    await shows(await stage.client(silent), []);
  });

  it("lose a server in lame duck mode on all others, while its clients are told", async () => {
    await using stage = new Stage();
    const serverLines = ['lame_duck_duration: "2s"', 'lame_duck_grace_period: "1s"'];
    const members = await stage.cluster(["a", "b", "c"].map((name) => ({ name, serverLines })));
    const [a, b, c] = members as [RunningServer, RunningServer, RunningServer];
    const [onA, onB, onC] = await stage.clients(members);
    for (const client of [onA!, onB!, onC!]) await shows(client, members.map(own));
    const left = c.server.lameDuck();
    for (const client of [onA!, onB!]) await shows(client, [own(a), own(b)]);
    expect(onC!.isClosed()).toBe(false);
    await waitFor("its client to be told", () => (onC!.info as { ldm?: boolean } | undefined)?.ldm === true);
    await left;
    await whole([a, b]);
  });
});

describe("connect_urls of clients outside", () => {
  const external = (line = ""): string => `external { host: 127.0.0.1, port: -1, ${line} }`;

  /** By the second listener. */
  async function outside(stage: Stage, { server }: RunningServer): Promise<NatsConnection> {
    return stage.client({ clientPort: server.externalEndpoint!.port });
  }

  it("name what members advertise outside and nothing else, while those inside are told of addresses inside", async () => {
    await using stage = new Stage();
    const members = (await stage.cluster([
      { name: "a", serverLines: [external('advertise: "a.example:4333"')] },
      { name: "b", serverLines: [external('advertise: "b.example"')] },
      { name: "c", serverLines: ['client_advertise: "c.example:1234"'] },
      { name: "d" },
      { name: "e", serverLines: [external()] },
    ])) as [RunningServer, RunningServer, RunningServer, RunningServer, RunningServer];
    const [a, b, , d, e] = members;
    await whole(members);
    const urlsInside = [own(a), own(b), "c.example:1234", own(d), own(e)];
    const urlsOutside = ["a.example:4333", `b.example:${b.server.externalEndpoint!.port}`, "c.example:1234"];
    for (const member of members) await shows(await stage.client(member), urlsInside);
    for (const member of [a, b, e]) await shows(await outside(stage, member), urlsOutside);
    const client = await outside(stage, a);
    expect(client.info).toMatchObject({ host: "a.example", port: 4333 });
    await allReach([client, await stage.client(d)]);
  });

  it("follow when a member comes, leaves or becomes a lame duck", async () => {
    await using stage = new Stage();
    const serverLines = [external('advertise: "a.example:1"')];
    const a = await stage.start({ name: "a", serverLines });
    const [inside, client] = [await stage.client(a), await outside(stage, a)];
    await shows(client, []);
    const b = await stage.start({
      name: "b",
      serverLines: [external('advertise: "b.example:2"'), "lame_duck_duration: 1s"],
      routes: [a.routeUrl()],
    });
    await shows(client, ["a.example:1", "b.example:2"]);
    const left = b.server.lameDuck();
    await shows(client, ["a.example:1"]);
    await shows(inside, [own(a)]);
    await left;
  });

  it("are none where no_advertise says so", async () => {
    await using stage = new Stage();
    const [a, b] = (await stage.cluster([
      { name: "a", serverLines: [external('advertise: "a.example:1"')] },
      {
        name: "b",
        serverLines: [external('advertise: "b.example:2"')],
        clusterLines: ["no_advertise: true"],
      },
    ])) as [RunningServer, RunningServer];
    await whole([a, b]);
    await shows(await outside(stage, a), ["a.example:1"]);
    await shows(await outside(stage, b), []);
  });
});

describe("cluster.advertise", () => {
  it.each([
    ["with a port", (port: number) => `advertise: "localhost:${port}"`],
    ["without a port", () => 'advertise: "localhost"'],
  ])("%s is where the others find a server that they were told of", async (_what, line) => {
    await using stage = new Stage();
    const clusterPort = await freePort();
    const seed = await stage.start({ name: "seed" });
    const routes = [seed.routeUrl()];
    const hidden = await stage.start({
      name: "hidden",
      clusterPort,
      clusterLines: [line(clusterPort)],
      routes,
    });
    const late = await stage.start({ name: "late", routes });
    await whole([seed, hidden, late]);
    for (const server of [seed, late]) {
      const peer = server.server.cluster!.snapshot()!.peers.find(({ id }) => id === hidden.id);
      expect(peer?.address).toBe(`localhost:${clusterPort}`);
    }
  });
});

describe("cluster.permissions", () => {
  const permissions = ["permissions { import: { allow: [in.>], deny: in.not }, export: [out.*] }"];

  it("let in and out what they allow, in both directions, and nothing else", async () => {
    await using stage = new Stage();
    const members = await stage.cluster([{ name: "bounded", clusterLines: permissions }, { name: "free" }]);
    await whole(members);
    const [inside, outside] = (await stage.clients(members)) as [NatsConnection, NatsConnection];
    const got = new Inbox(inside, ">");
    const inner = ["in.yes", "in.not", "out.yes", "other"].map((subject) => new Inbox(inside, subject));
    const outer = ["in.yes", "out.yes", "out.a.b", "other"].map((subject) => new Inbox(outside, subject));
    await interestArrives(inside, outside);
    for (const subject of ["in.yes", "in.not", "out.yes", "other"]) outside.publish(subject, subject);
    for (const subject of ["in.yes", "out.yes", "out.a.b", "other"]) inside.publish(subject, subject);
    await interestArrives(inside, outside);
    // What it published itself, and of the other's the one that may come in.
    expect(got.texts.filter((text) => text.startsWith("in.")).sort()).toEqual(["in.yes", "in.yes"]);
    expect(inner.map(({ texts }) => texts.length)).toEqual([2, 0, 1, 1]);
    expect(outer.map(({ texts }) => texts.length)).toEqual([1, 2, 0, 1]);
  });

  /** In both directions, by subjects that may cross. */
  async function interestArrives(inside: NatsConnection, outside: NatsConnection): Promise<void> {
    for (const [from, to, subject] of [
      [outside, inside, "in.sync"],
      [inside, outside, "out.sync"],
    ] as const) {
      const inbox = new Inbox(to, subject);
      await waitFor(subject, async () => {
        from.publish(subject);
        await from.flush();
        return inbox.messages.length > 0;
      });
      inbox.stop();
      await to.flush();
    }
  }

  it("of one server concern its own routes, not those of the others", async () => {
    await using stage = new Stage();
    const members = await stage.cluster([
      { name: "bounded", clusterLines: permissions },
      { name: "b" },
      { name: "c" },
    ]);
    await whole(members);
    const [, onB, onC] = await stage.clients(members);
    await allReach([onB!, onC!]);
    const inbox = new Inbox(onC!, "other");
    await reaches(onB!, onC!);
    onB!.publish("other");
    await inbox.received(1);
  });
});
