/**
 * Clusters of shoal and real nats-servers, old and new, with each of them as the seed: the mesh forms and messages get
 * through in all directions, each exactly as often and in the order they should. The first mix is nats-servers only: it
 * shows that these expectations are nats-server's own.
 */
import { headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  allReach,
  Clients,
  Inbox,
  isNoResponders,
  publishRun,
  reaches,
  RunCounter,
} from "../support/cluster-clients.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Cluster } from "../support/cluster.ts";

const mixes: ServerKind[][] = [
  ["nats-new", "nats-2.9", "nats-new"],
  ["shoal", "shoal", "shoal"],
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "nats-2.9"],
  ["nats-2.9", "shoal"],
  ["shoal", "nats-new", "nats-new"],
  ["shoal", "nats-new", "nats-2.9"],
  ["nats-new", "shoal", "nats-2.9"],
  ["nats-2.9", "nats-new", "shoal"],
  ["nats-new", "shoal", "shoal"],
  ["nats-2.9", "shoal", "shoal"],
];

const missing = missingKinds(["nats-2.9", "nats-new"]);

for (const kinds of mixes) {
  describe.skipIf(kinds.some((kind) => missing.includes(kind)))(`${kinds.join(" <- ")}`, () => {
    converse(kinds);
  });
}

function converse(kinds: readonly ServerKind[]): void {
  let cluster: Cluster;
  let clients: Clients;
  /** One client per member. */
  let on: NatsConnection[];

  beforeAll(async () => {
    cluster = await Cluster.start(kinds);
    await cluster.fullMesh();
    clients = new Clients();
    on = await clients.connectAll(cluster.members);
    await allReach(on);
  });

  afterAll(async () => {
    await clients?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** Everything published so far has arrived where it goes, duplicates included, and all interest is known everywhere. */
  const settle = () => allReach(on);

  it("delivers to each subscriber exactly once, whichever server the message enters by", async () => {
    const inboxes = on.map((client) => new Inbox(client, "greet.*"));
    await settle();
    on.forEach((client, index) => client.publish("greet.all", `from ${index}`));
    const wanted = on.map((_, index) => `from ${index}`);
    for (const inbox of inboxes) await inbox.received(wanted.length);
    await settle();
    for (const inbox of inboxes) expect(inbox.texts.sort()).toEqual(wanted);
  });

  it("carries headers, reply subjects, empty and binary payloads unchanged", async () => {
    const bytes = Uint8Array.from({ length: 1024 }, (_, index) => index % 256);
    const heading = headers();
    heading.append("Kind", "a");
    heading.append("Kind", "b");
    heading.set("Empty", "");
    for (const [from, to] of pairs(on)) {
      const inbox = new Inbox(to, "parcel.>");
      await reaches(from, to);
      from.publish("parcel.plain", bytes, { reply: "back.here" });
      from.publish("parcel.empty");
      from.publish("parcel.headed", bytes, { headers: heading, reply: "back.there" });
      from.publish("parcel.only.headers", "", { headers: heading });
      await inbox.received(4);
      const data = Buffer.from(bytes).toString("hex");
      const kinds = ["a", "b"];
      expect(inbox.messages.map(unpack)).toEqual([
        { subject: "parcel.plain", reply: "back.here", data },
        { subject: "parcel.empty", reply: "", data: "" },
        { subject: "parcel.headed", reply: "back.there", data, kinds, empty: "" },
        { subject: "parcel.only.headers", reply: "", data: "", kinds, empty: "" },
      ]);
      inbox.stop();
    }
  });

  it("carries the largest payload that servers allow", async () => {
    for (const [from, to] of pairs(on)) {
      const largest = Buffer.alloc(from.info?.max_payload ?? 0, "0123456789");
      const inbox = new Inbox(to, "bulk");
      await reaches(from, to);
      for (let n = 0; n < 3; n++) from.publish("bulk", largest);
      await inbox.received(3);
      expect(inbox.messages.every(({ data }) => largest.equals(data))).toBe(true);
      inbox.stop();
    }
  });

  it("gives each message of a queue group to one member, and all members get some", async () => {
    const each = 300;
    const members = on.map((client) => new Inbox(client, "work.*", "workers"));
    const observers = on.map((client) => new Inbox(client, "work.>"));
    await settle();
    for (const [index, client] of on.entries()) {
      for (let n = 0; n < each; n++) client.publish("work.item", `${index}:${n}`);
    }
    for (const observer of observers) await observer.received(each * on.length);
    await settle();
    const taken = members.flatMap((member) => member.texts);
    expect(new Set(taken).size).toBe(each * on.length);
    expect(taken).toHaveLength(each * on.length);
    for (const member of members) expect(member.texts.length).toBeGreaterThan(each / 10);
    for (const observer of observers) expect(observer.texts).toHaveLength(each * on.length);
  });

  it("prefers queue members of its own as a shoal, and weighs servers by their number of members as a nats-server", async () => {
    const count = 2_000;
    const [near, far] = [on[0]!, on.at(-1)!];
    const mine = new Inbox(near, "load.item", "balance");
    const theirs = [1, 2, 3].map(() => new Inbox(far, "load.item", "balance"));
    await reaches(near, far);
    for (let n = 0; n < count; n++) near.publish("load.item", String(n));
    await waitFor("all messages", () => total([mine, ...theirs]) >= count);
    await settle();
    expect(total([mine, ...theirs])).toBe(count);
    if (kinds[0] === "shoal") return expect(mine.messages).toHaveLength(count);
    // one of four members is near: 500 expected, 20 is a standard deviation
    expect(mine.messages.length).toBeGreaterThan(380);
    expect(mine.messages.length).toBeLessThan(620);
  });

  it("answers requests across servers", async () => {
    on.forEach((client, index) => {
      client.subscribe(`ask.${index}`, {
        callback: (_error, message) => void message.respond(`${index} heard ${message.string()}`),
      });
    });
    await settle();
    for (const client of on) {
      for (const index of on.keys()) {
        const answer = await client.request(`ask.${index}`, "it", { timeout: 5_000 });
        expect(answer.string()).toBe(`${index} heard it`);
      }
    }
  });

  it("tells a requester that nobody responds: before, between and after responders on another server", async () => {
    for (const [from, to] of pairs(on)) {
      await expect(from.request("nobody", "", { timeout: 5_000 })).rejects.toSatisfy(isNoResponders);
      const responder = to.subscribe("nobody", {
        callback: (_error, message) => void message.respond("I do"),
      });
      await reaches(from, to);
      expect((await from.request("nobody", "", { timeout: 5_000 })).string()).toBe("I do");
      responder.unsubscribe();
      await reaches(from, to);
      await expect(from.request("nobody", "", { timeout: 5_000 })).rejects.toSatisfy(isNoResponders);
    }
  });

  it("lets a subscription end itself after its maximum of messages, on all servers", async () => {
    for (const [from, to] of pairs(on)) {
      const got: string[] = [];
      to.subscribe("limited", { max: 2, callback: (_error, message) => void got.push(message.string()) });
      await reaches(from, to);
      for (const text of ["1", "2", "3"]) from.publish("limited", text);
      await reaches(from, to);
      expect(got).toEqual(["1", "2"]);
      await expect(from.request("limited", "", { timeout: 5_000 })).rejects.toSatisfy(isNoResponders);
    }
  });

  it("delivers 100,000 messages in order, none lost and none twice, to every other server", async () => {
    const count = 100_000;
    for (const from of new Set([on[0]!, on.at(-1)!])) {
      const others = on.filter((client) => client !== from);
      const runs = others.map((client) => new RunCounter(client, "run"));
      for (const to of others) await reaches(from, to);
      await publishRun(from, "run", count);
      for (const run of runs) await run.received(count);
      await settle();
      for (const run of runs) {
        expect(run).toMatchObject({ count, firstOutOfOrder: undefined });
        run.stop();
      }
    }
  });
}

/** All ordered pairs of different clients. */
function pairs(clients: readonly NatsConnection[]): [NatsConnection, NatsConnection][] {
  return clients.flatMap((from) =>
    clients.filter((to) => to !== from).map((to) => [from, to] satisfies [unknown, unknown]),
  );
}

function unpack({ subject, reply, data, headers: heading }: Msg): object {
  const parts = { subject, reply: reply ?? "", data: Buffer.from(data).toString("hex") };
  return heading === undefined
    ? parts
    : { ...parts, kinds: heading.values("Kind"), empty: heading.get("Empty") };
}

function total(inboxes: readonly Inbox[]): number {
  return inboxes.reduce((sum, inbox) => sum + inbox.messages.length, 0);
}
