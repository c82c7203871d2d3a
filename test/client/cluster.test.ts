/**
 * The official client on a cluster of three: messages cross once, groups and replies work across servers, clients learn of
 * the members and move on by themselves when theirs goes.
 */
import { connect, headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ClientCluster } from "../support/client-cluster.ts";
import type { TargetKind } from "../support/client-target.ts";
import {
  allReach,
  Inbox,
  isNoResponders,
  publishRun,
  reaches,
  RunCounter,
} from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { PATIENCE_MS } from "../support/patience.ts";

for (const kind of ["library", "process"] as const) {
  describe(`three servers, each a ${kind}`, () => {
    messages(kind);
    members(kind);
  });
}

function messages(kind: TargetKind): void {
  let cluster: ClientCluster;
  let on: [NatsConnection, NatsConnection, NatsConnection];

  beforeAll(async () => {
    cluster = await ClientCluster.start(kind);
    on = await cluster.clients();
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  /** All that was published has arrived, in every direction, duplicates included. */
  const settle = () => allReach(on);

  it("takes each message to each subscription once, wherever it enters", async () => {
    const inboxes = on.flatMap((client) => [new Inbox(client, "news.*"), new Inbox(client, "news.>")]);
    await settle();
    for (const [index, client] of on.entries()) client.publish("news.x", `from ${index}`);
    for (const inbox of inboxes) await inbox.received(3);
    await settle();
    for (const inbox of inboxes) expect(inbox.texts.sort()).toEqual(["from 0", "from 1", "from 2"]);
  });

  it("gives a message to one member of a queue group, wherever they are", async () => {
    for (const where of [[0, 1, 2], [1, 2], [2], [0, 0, 1, 1]]) {
      const inboxes = where.map((at) => new Inbox(on[at]!, "jobs", "workers"));
      await settle();
      await publishRun(on[0], "jobs", 300);
      await waitFor("all jobs", () => inboxes.flatMap(({ messages }) => messages).length >= 300);
      await settle();
      const numbers = inboxes.flatMap(({ texts }) => texts).map(Number);
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index));
      for (const inbox of inboxes) inbox.stop();
    }
  });

  it("keeps the order of a publisher across servers", async () => {
    const runs = on.map((client) => new RunCounter(client, "run"));
    await settle();
    await publishRun(on[1], "run", 20_000);
    for (const run of runs) await run.received(20_000);
    await settle();
    for (const run of runs) expect([run.count, run.firstOutOfOrder]).toEqual([20_000, undefined]);
  });

  it("carries requests and replies across servers, with headers", async () => {
    const answer = on[2].subscribe("upper", {
      callback: (_error, message: Msg) => {
        const heading = headers();
        heading.set("Seen", message.headers?.get("Trace") ?? "");
        message.respond(message.string().toUpperCase(), { headers: heading });
      },
    });
    await settle();
    for (const client of on) {
      const heading = headers();
      heading.set("Trace", "t1");
      const reply = await client.request("upper", "hello", { timeout: PATIENCE_MS, headers: heading });
      expect([reply.string(), reply.headers?.get("Seen")]).toEqual(["HELLO", "t1"]);
    }
    answer.unsubscribe();
    await settle();
    for (const client of on) {
      expect(await client.request("upper", "", { timeout: PATIENCE_MS }).catch(isNoResponders)).toBe(true);
    }
  });

  it("carries the largest message that is allowed, to all", async () => {
    const inboxes = on.map((client) => new Inbox(client, "large"));
    await settle();
    const payload = Buffer.alloc(1024 * 1024, "payload ");
    on[0].publish("large", payload);
    for (const inbox of inboxes) {
      await inbox.received(1);
      expect(Buffer.compare(inbox.messages[0]!.data, payload)).toBe(0);
    }
  });

  it("forgets the interest of a client that is gone", async () => {
    const guest = await cluster.client(cluster.member(1));
    guest.subscribe("guest.*", { callback: (_error, message) => void message.respond("here") });
    await reaches(on[0], guest);
    expect((await on[0].request("guest.x", "", { timeout: PATIENCE_MS })).string()).toBe("here");
    await guest.close();
    await waitFor("the interest to be gone", async () => {
      const outcome = await on[0].request("guest.x", "", { timeout: 1000 }).catch((error: unknown) => error);
      return isNoResponders(outcome);
    });
  });
}

function members(kind: TargetKind): void {
  it("tells clients of all members, and a client moves on by itself when its server is killed", async () => {
    await using cluster = await ClientCluster.start(kind);
    const [, second, third] = cluster.members;
    const client = await connect({
      servers: cluster.member(0).url,
      reconnectTimeWait: 20,
      maxReconnectAttempts: -1,
    });
    const inbox = new Inbox(client, "moved");
    const events: { type: string; deleted?: string[] }[] = [];
    void (async () => {
      for await (const status of client.status()) events.push(status);
    })();
    await cluster.member(0).kill();
    await waitFor("the client to be elsewhere", () => events.some(({ type }) => type === "reconnect"));
    expect([`127.0.0.1:${second!.port}`, `127.0.0.1:${third!.port}`]).toContain(client.getServer());
    const other = await cluster.client(client.getServer() === `127.0.0.1:${second!.port}` ? third! : second!);
    await reaches(other, client);
    other.publish("moved", "and still here");
    await inbox.received(1);
    await client.close();
  });

  it("tells connected clients of members that leave, join, and go lame", async () => {
    await using cluster = await ClientCluster.start(kind, { lameDuckMs: 1000 });
    const [first, second, third] = cluster.members;
    const client = await cluster.client(first!);
    const urls = (): string[] => client.info?.connect_urls ?? [];
    const shows = (...ports: number[]): Promise<boolean> =>
      waitFor(
        `INFO with ${ports.join(", ")}`,
        () => urls().length === ports.length && ports.every((port) => urls().includes(`127.0.0.1:${port}`)),
        () => urls().join(", "),
      );
    await shows(first!.port, second!.port, third!.port);
    await third!.kill();
    await shows(first!.port, second!.port);
    await third!.start();
    await shows(first!.port, second!.port, third!.port);
    second!.lameDuck();
    await shows(first!.port, third!.port);
    // Put in front of its own, as the others are told.
    expect(urls()[0]).toBe(`127.0.0.1:${first!.port}`);
  });
}
