/**
 * Leaf nodes of shoal and of real nats-servers, each as the hub and as the spoke, alone, in clusters and in chains: messages reach each
 * subscriber once, whichever server they enter by, requests are answered, and what loops is refused. The first mix is nats-servers
 * only: it shows that these expectations are nats-server's own.
 */
import { headers, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { allReach, Inbox, isNoResponders, reaches } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { hasKind, LeafWorld, type LeafServer, type LeafServerKind } from "../support/leaf-nodes.ts";

requireNatsServer();

const MIXES: readonly (readonly [hub: LeafServerKind, spoke: LeafServerKind])[] = [
  ["nats-server", "nats-server"],
  ["shoal", "nats-server"],
  ["nats-server", "shoal"],
  ["shoal", "shoal"],
  ["shoal", "nats-server 2.14"],
  ["nats-server 2.14", "shoal"],
  ["shoal", "nats-server 2.10"],
  ["nats-server 2.10", "shoal"],
];

let world: LeafWorld;

afterEach(async () => world?.[Symbol.asyncDispose]());

for (const [hubKind, spokeKind] of MIXES) {
  describe.skipIf(!hasKind(hubKind) || !hasKind(spokeKind))(
    `a ${spokeKind} as leaf node of a ${hubKind}`,
    () => {
      const hubOf = (options = {}): Promise<LeafServer> => world.start(hubKind, { name: "hub", ...options });
      const spokeOf = (hub: LeafServer, options = {}): Promise<LeafServer> =>
        world.start(spokeKind, { name: "spoke", hubs: [hub], ...options });

      const pair = async (): Promise<readonly [NatsConnection, NatsConnection]> => {
        world = new LeafWorld();
        const hub = await hubOf();
        const spoke = await spokeOf(hub);
        const both = [await world.connect(hub), await world.connect(spoke)] as const;
        await allReach(both);
        return both;
      };

      it("carries messages both ways, with headers and replies, once to each subscriber", async () => {
        const [up, down] = await pair();
        const heading = headers();
        heading.set("Kind", "a");
        for (const [from, to] of [
          [up, down],
          [down, up],
        ] as const) {
          const there = [new Inbox(to, "parcel.*"), new Inbox(to, "parcel.one"), new Inbox(from, "parcel.>")];
          await reaches(from, to);
          from.publish("parcel.one", "x", { reply: "back.here" });
          from.publish("parcel.one", "y", { headers: heading });
          const large = Buffer.alloc(500_000, "z");
          from.publish("parcel.one", large);
          await reaches(from, to);
          for (const inbox of there) {
            expect(inbox.texts.map((text) => text.slice(0, 3))).toEqual(["x", "y", "zzz"]);
            expect(inbox.messages[0]!.reply).toBe("back.here");
            expect(inbox.messages[1]!.headers?.get("Kind")).toBe("a");
            expect(large.equals(inbox.messages[2]!.data)).toBe(true);
            inbox.stop();
          }
        }
      });

      it("gives each message of a queue group to one member, to those at hand first", async () => {
        const [up, down] = await pair();
        const [near, far] = [new Inbox(up, "work", "group"), new Inbox(down, "work", "group")];
        await allReach([up, down]);
        for (let n = 0; n < 50; n++) up.publish("work", `${n}`);
        for (let n = 50; n < 100; n++) down.publish("work", `${n}`);
        await allReach([up, down]);
        const all = [...near.texts, ...far.texts].map(Number).sort((a, b) => a - b);
        expect(all).toEqual(Array.from({ length: 100 }, (_, n) => n));
        near.stop();
        await allReach([up, down]);
        for (let n = 0; n < 20; n++) up.publish("work", `late ${n}`);
        await allReach([up, down]);
        expect(far.texts.filter((text) => text.startsWith("late"))).toHaveLength(20);
      });

      it("answers requests both ways, and says that nobody responds", async () => {
        const [up, down] = await pair();
        for (const [from, to] of [
          [up, down],
          [down, up],
        ] as const) {
          await expect(from.request("nobody", "", { timeout: 5_000 })).rejects.toSatisfy(isNoResponders);
          const responder = to.subscribe("ask", { callback: (_, message) => void message.respond("yes") });
          const grouped = to.subscribe("ask.all", {
            queue: "q",
            callback: (_, message) => void message.respond("one of us"),
          });
          await reaches(from, to);
          expect((await from.request("ask", "", { timeout: 5_000 })).string()).toBe("yes");
          expect((await from.request("ask.all", "", { timeout: 5_000 })).string()).toBe("one of us");
          responder.unsubscribe();
          grouped.unsubscribe();
          await reaches(from, to);
          await expect(from.request("ask", "", { timeout: 5_000 })).rejects.toSatisfy(isNoResponders);
        }
      });

      // Older series are tried with what every message takes part in.
      if (hubKind.startsWith("nats-server ") || spokeKind.startsWith("nats-server ")) return;

      it("joins two clusters, of which each server has its own connection, without doubling or looping anything", async () => {
        world = new LeafWorld();
        const hub1 = await hubOf({ name: "hub1", cluster: { name: "H", routes: [] } });
        const hub2 = await hubOf({ name: "hub2", cluster: { name: "H", routes: [hub1] } });
        const spoke1 = await spokeOf(hub1, { name: "spoke1", cluster: { name: "S", routes: [] } });
        const spoke2 = await spokeOf(hub2, { name: "spoke2", cluster: { name: "S", routes: [spoke1] } });
        const clients = await Promise.all([hub1, hub2, spoke1, spoke2].map((one) => world.connect(one)));
        await allReach(clients);
        const inboxes = clients.map((client) => new Inbox(client, "greet.*"));
        const members = clients.map((client) => new Inbox(client, "greet.*", "group"));
        await allReach(clients);
        clients.forEach((client, n) => client.publish("greet.all", `from ${n}`));
        for (const inbox of inboxes) await inbox.received(clients.length);
        await allReach(clients);
        const wanted = clients.map((_, n) => `from ${n}`);
        for (const inbox of inboxes) expect(inbox.texts.sort()).toEqual(wanted);
        expect(members.flatMap((member) => member.texts).sort()).toEqual(wanted);
      });

      it("carries messages along a chain of three, and between two leaf nodes of one hub", async () => {
        world = new LeafWorld();
        const hub = await hubOf();
        const middle = await spokeOf(hub, { name: "middle" });
        const end = await world.start(hubKind, { name: "end", hubs: [middle] });
        const other = await spokeOf(hub, { name: "other" });
        const clients = await Promise.all([hub, middle, end, other].map((one) => world.connect(one)));
        await allReach(clients);
        const inboxes = clients.map((client) => new Inbox(client, "greet"));
        await allReach(clients);
        clients.forEach((client, n) => client.publish("greet", `from ${n}`));
        for (const inbox of inboxes) await inbox.received(clients.length);
        await allReach(clients);
        for (const inbox of inboxes) expect(inbox.texts.sort()).toEqual(clients.map((_, n) => `from ${n}`));
      });

      it("binds accounts by the user of the URL", async () => {
        world = new LeafWorld();
        const accounts = `accounts { A { users: [{user: a, password: pa}] }, B { users: [{user: b, password: pb}] } }`;
        const hub = await hubOf({
          config: accounts,
          leafnodes: `authorization { users: [{user: leaf, password: secret, account: B}] }`,
          urlUser: "leaf:secret@",
        });
        const spoke = await spokeOf(hub, { config: accounts, remote: "account: A" });
        const a = { user: "a", pass: "pa" };
        const b = { user: "b", pass: "pb" };
        const [upA, upB] = [await world.connect(hub, a), await world.connect(hub, b)];
        const [downA, downB] = [await world.connect(spoke, a), await world.connect(spoke, b)];
        await allReach([upB, downA]);
        const strangers = [new Inbox(upA, "x"), new Inbox(downB, "x")];
        const here = [new Inbox(upB, "x"), new Inbox(downA, "x")];
        await allReach([upB, downA]);
        upB.publish("x", "1");
        downA.publish("x", "2");
        for (const inbox of here) await inbox.received(2);
        await Promise.all([upA.flush(), downB.flush()]);
        expect(strangers.flatMap((inbox) => inbox.texts)).toEqual([]);
      });

      it("refuses wrong credentials", async () => {
        world = new LeafWorld();
        const hub = await hubOf({
          leafnodes: `authorization { user: leaf, password: secret }`,
          urlUser: "leaf:wrong@",
        });
        const spoke = await spokeOf(hub);
        await waitFor(
          "the refusal",
          () => spoke.process.log().includes("Authorization Violation"),
          () => spoke.process.log(),
        );
        expect(hub.process.log()).toMatch(/Authorization Violation|authentication error/i);
      });

      it("keeps what is denied from crossing", async () => {
        world = new LeafWorld();
        const hub = await hubOf();
        const spoke = await spokeOf(hub, {
          remote: `deny_imports: ["secret.up", "in.>"], deny_exports: "secret.down"`,
        });
        const [up, down] = [await world.connect(hub), await world.connect(spoke)];
        await allReach([up, down]);
        const below = ["secret.up", "in.*", ">"].map((subject) => new Inbox(down, subject));
        const above = ["secret.down", "secret.*"].map((subject) => new Inbox(up, subject));
        await allReach([up, down]);
        up.publish("secret.up");
        up.publish("in.side");
        down.publish("secret.down");
        await allReach([up, down]);
        const seen = below.flatMap(({ messages }) => messages.map(({ subject }) => subject));
        expect(seen.filter((subject) => subject === "secret.up" || subject === "in.side")).toEqual([]);
        const subjectsAbove = above.flatMap(({ messages }) => messages.map(({ subject }) => subject));
        expect(subjectsAbove.filter((subject) => subject === "secret.down")).toEqual([]);
      });

      it("follows the permissions of the user at the hub", async () => {
        world = new LeafWorld();
        const hub = await hubOf({
          config: `authorization { users: [
          {user: leaf, password: p, permissions: {publish: ["up.>", "_INBOX.>", "probe.>"], subscribe: ["down.>", "probe.>"]}}
          {user: c, password: p} ] }`,
          urlUser: "leaf:p@",
        });
        const spoke = await spokeOf(hub);
        const [up, down] = [await world.connect(hub, { user: "c", pass: "p" }), await world.connect(spoke)];
        await allReach([up, down]);
        const above = new Inbox(up, ">");
        const below = new Inbox(down, ">");
        await allReach([up, down]);
        down.publish("up.one");
        up.publish("down.one");
        up.publish("other.down");
        await allReach([up, down]);
        const subjects = (inbox: Inbox): string[] =>
          inbox.messages
            .map(({ subject }) => subject)
            .filter((subject) => !subject.startsWith("probe."))
            .sort();
        expect(subjects(above)).toEqual(["down.one", "other.down", "up.one"]);
        expect(subjects(below)).toEqual(["down.one", "up.one"]);
      });

      it("comes back when the hub was away", async () => {
        const [, down] = await pair();
        const [hub, spoke] = world.servers;
        hub!.process.signal("SIGSTOP");
        hub!.process.signal("SIGKILL");
        await waitFor("the end of the connection", () =>
          /leafnode connection closed/i.test(spoke!.process.log()),
        );
        await down.flush();
        expect(down.isClosed()).toBe(false);
      });
    },
  );
}

for (const kind of ["nats-server", "shoal"] as const) {
  describe.skipIf(!hasKind(kind))(`a ${kind}`, () => {
    it("finds out that leaf connections make a circle, and ends one", async () => {
      world = new LeafWorld();
      const first = await world.start(kind, { name: "first" });
      const second = await world.start(kind, { name: "second", hubs: [first] });
      await world.start(kind, { name: "third", hubs: [first, second] });
      await waitFor(
        "the loop",
        () =>
          world.servers.some(({ process }) => process.log().includes("Loop detected for leafnode account")),
        () => world.servers.map(({ process }) => process.log()).join("\n"),
      );
    });

    it("takes the newer of two connections of one server, and says so to the older", async () => {
      world = new LeafWorld();
      const hub = await world.start(kind, { name: "hub" });
      await world.start(kind, { name: "same", hubs: [hub] });
      await world.start(kind, { name: "same", hubs: [hub] });
      await waitFor(
        "the duplicate",
        () => hub.process.log().includes("Duplicate Remote LeafNode Connection"),
        () => hub.process.log(),
      );
    });

    it("refuses leaf nodes of its own cluster's name, and those that are too old", async () => {
      world = new LeafWorld();
      const cluster = { name: "C", routes: [] };
      const hub = await world.start(kind, { name: "hub", cluster });
      const strict = await world.start(kind, { name: "strict", leafnodes: "min_version: 2.99.0" });
      const spoke = await world.start(kind, { name: "spoke", cluster, hubs: [hub] });
      await waitFor("the refusal", () =>
        spoke.process.log().includes("remote leafnode has same cluster name"),
      );
      const old = await world.start(kind, { name: "old", hubs: [strict] });
      await waitFor("the refusal", () => old.process.log().includes("minimum version required is"));
    });
  });
}
