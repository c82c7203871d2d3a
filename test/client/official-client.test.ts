/** The official client end to end on one server, in this process and as a process of its own: what an application does. */
import {
  AuthorizationError,
  connect,
  type ConnectionOptions,
  headers,
  type Msg,
  type NatsConnection,
  type Status,
} from "@nats-io/transport-node";
import { afterEach, beforeAll, afterAll, describe, expect, it } from "vitest";
import { startTarget, type Target, type TargetKind, type TargetOptions } from "../support/client-target.ts";
import { Inbox, isNoResponders, isUnchanged, publishRun, RunCounter } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

for (const kind of ["library", "process"] as const) {
  describe(`official client, server as a ${kind}`, () => {
    ordinary(kind);
    limits(kind);
    leaving(kind);
    credentials(kind);
  });
}

/** Connections that end with the test. */
const open: NatsConnection[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});

async function join(target: Target, options: ConnectionOptions = {}): Promise<NatsConnection> {
  const client = await connect({ servers: target.url, reconnect: false, ...options });
  open.push(client);
  return client;
}

/** A server for all tests of a block. */
function shared(kind: TargetKind, options: TargetOptions = {}): () => Target {
  let target: Target;
  beforeAll(async () => {
    target = await startTarget(kind, options);
  });
  afterAll(() => target?.[Symbol.asyncDispose]());
  return () => target;
}

function ordinary(kind: TargetKind): void {
  const target = shared(kind);

  it("delivers to exact and wildcard subscriptions, of the publisher as well", async () => {
    const [one, other] = [await join(target()), await join(target())];
    const inboxes = [
      ["a.b.c", new Inbox(one, "a.b.c")],
      ["a.*.c", new Inbox(other, "a.*.c")],
      ["a.>", new Inbox(one, "a.>")],
      [">", new Inbox(other, "a.b.>")],
    ] as const;
    const silent = [new Inbox(one, "a.b"), new Inbox(other, "a.b.c.>"), new Inbox(one, "b.*.c")];
    await Promise.all([one.flush(), other.flush()]);
    one.publish("a.b.c", "hello");
    await one.flush();
    await other.flush();
    for (const [subject, inbox] of inboxes) expect(inbox.texts, subject).toEqual(["hello"]);
    for (const inbox of silent) expect(inbox.texts).toEqual([]);
  });

  it("does not echo to a client that wants none", async () => {
    const [deaf, other] = [await join(target(), { noEcho: true }), await join(target())];
    const [own, others] = [new Inbox(deaf, "echo.*"), new Inbox(other, "echo.*")];
    await Promise.all([deaf.flush(), other.flush()]);
    deaf.publish("echo.1");
    await deaf.flush();
    other.publish("echo.2");
    await other.flush();
    await own.received(1);
    expect(own.messages.map(({ subject }) => subject)).toEqual(["echo.2"]);
    expect(others.messages.map(({ subject }) => subject)).toEqual(["echo.1", "echo.2"]);
  });

  it("gives each message to one member of each queue group, and to none alone", async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => join(target())));
    const [from] = clients as [NatsConnection];
    const groups = ["red", "blue"].map((queue) =>
      clients.map((client) => new Inbox(client, "jobs.>", queue)),
    );
    const plain = new Inbox(from, "jobs.*");
    await Promise.all(clients.map((client) => client.flush()));
    await publishRun(from, "jobs.x", 400);
    await plain.received(400);
    await Promise.all(clients.map((client) => client.flush()));
    for (const group of groups) {
      const numbers = group.flatMap((inbox) => inbox.texts).map(Number);
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, index) => index));
      for (const inbox of group) expect(inbox.messages.length).toBeGreaterThan(0);
    }
  });

  it("answers requests, with headers both ways", async () => {
    const [asks, answers] = [await join(target()), await join(target())];
    answers.subscribe("double", {
      callback: (_error, message: Msg) => {
        const heading = headers();
        heading.append("Seen", message.headers?.values("Trace").join("+") ?? "");
        message.respond(String(2 * Number(message.string())), { headers: heading });
      },
    });
    await answers.flush();
    const heading = headers();
    heading.append("Trace", "a");
    heading.append("Trace", "b");
    for (const noMux of [false, true]) {
      const reply = await asks.request("double", "21", { timeout: PATIENCE_MS, headers: heading, noMux });
      expect([reply.string(), reply.headers?.get("Seen")]).toEqual(["42", "a+b"]);
    }
  });

  it("tells a requester at once that there are no responders", async () => {
    const asks = await join(target());
    for (const noMux of [false, true]) {
      const error = await asks
        .request("nobody.home", "", { timeout: PATIENCE_MS, noMux })
        .catch((caught) => caught);
      expect(isNoResponders(error)).toBe(true);
    }
  });

  it.each([
    ["count", { strategy: "count", maxMessages: 3, maxWait: PATIENCE_MS }],
    ["sentinel", { strategy: "sentinel", maxWait: PATIENCE_MS }],
    ["stall", { strategy: "stall", stall: 300, maxWait: PATIENCE_MS }],
    ["timer", { strategy: "timer", maxWait: 500 }],
  ] as const)("collects many replies: %s", async (_name, options) => {
    const [asks, answers] = [await join(target()), await join(target())];
    answers.subscribe("many", {
      callback: (_error, message: Msg) => {
        for (const text of ["1", "2", "3", ""]) message.respond(text);
      },
    });
    await answers.flush();
    // Replies that come after the client's own time are not among those collected.
    const isTimed = options.strategy === "stall" || options.strategy === "timer";
    await waitFor("the replies", async () => {
      const texts: string[] = [];
      for await (const message of await asks.requestMany("many", "", options)) texts.push(message.string());
      if (!isTimed) expect(texts.slice(0, 3)).toEqual(["1", "2", "3"]);
      return !isTimed || texts.join() === "1,2,3,";
    });
  });

  it("stops after the number of messages that unsubscribe names", async () => {
    const client = await join(target());
    const counts = [1, 10].map((max) => {
      const seen: string[] = [];
      const subscription = client.subscribe("limited", { callback: (_e, m) => void seen.push(m.string()) });
      subscription.unsubscribe(max);
      return { max, seen, subscription };
    });
    const late = client.subscribe("limited", { max: 5, callback: () => undefined });
    await publishRun(client, "limited", 20);
    for (const { max, seen, subscription } of counts) {
      expect(seen).toEqual(Array.from({ length: max }, (_, index) => String(index)));
      expect(subscription.isClosed()).toBe(true);
    }
    expect(late.getReceived()).toBe(5);
  });

  it.each([{ verbose: true }, { pedantic: true }, { verbose: true, pedantic: true }])(
    "serves a client with %o",
    async (options) => {
      const client = await join(target(), options);
      const inbox = new Inbox(client, "talk.*");
      await publishRun(client, "talk.a", 100);
      await inbox.received(100);
      const error = await client.request("nobody", "", { timeout: PATIENCE_MS }).catch((caught) => caught);
      expect(isNoResponders(error)).toBe(true);
      expect(client.isClosed()).toBe(false);
    },
  );

  it("carries binary and empty payloads, and odd subjects, unchanged", async () => {
    const client = await join(target());
    const bytes = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
    const inbox = new Inbox(client, "raw.>");
    const subjects = ["raw.ü.ß", "raw.$x.=", "raw.{}", `raw.${"long".repeat(300)}`];
    for (const subject of subjects) client.publish(subject, bytes);
    client.publish("raw.empty");
    await inbox.received(5);
    expect(inbox.messages.map(({ subject }) => subject)).toEqual([...subjects, "raw.empty"]);
    for (const message of inbox.messages.slice(0, 4)) expect(Buffer.compare(message.data, bytes)).toBe(0);
    expect(inbox.messages[4]!.data.length).toBe(0);
  });

  it("keeps the order of what one client publishes, over many subjects", async () => {
    const [from, to] = [await join(target()), await join(target())];
    const run = new RunCounter(to, "run.>");
    await to.flush();
    for (let next = 0; next < 20_000; next++) from.publish(`run.${next % 700}`, String(next));
    await from.flush();
    await run.received(20_000);
    expect(run.firstOutOfOrder).toBeUndefined();
  });

  it("measures the round trip, and answers PINGs of a client that asks often", async () => {
    const client = await join(target(), { pingInterval: 20, maxPingOut: 2 });
    const pongs: Status[] = [];
    const watching = (async () => {
      for await (const status of client.status()) if (status.type === "ping") pongs.push(status);
    })();
    expect(await client.rtt()).toBeGreaterThanOrEqual(0);
    await waitFor("some PINGs of the client", () => pongs.length >= 5);
    expect(client.isClosed()).toBe(false);
    await client.close();
    await watching;
  });
}

function limits(kind: TargetKind): void {
  describe("sizes", () => {
    const usual = shared(kind);
    const wide = shared(kind, { maxPayloadBytes: 64 * MiB, maxPendingBytes: 256 * MiB });

    it("says how large a message may be, and the client refuses a larger one", async () => {
      const [client, other] = [await join(usual()), await join(wide())];
      expect(client.info?.max_payload).toBe(MiB);
      expect(other.info?.max_payload).toBe(64 * MiB);
      expect(() => client.publish("large", new Uint8Array(MiB + 1))).toThrow(/max_payload/);
    });

    it("carries the largest message that it allows by default", async () => {
      expect(await isUnchanged(await join(usual()), await join(usual()), MiB)).toBe(true);
    });

    it.each([8, 64])("carries a message of %i MB where it is allowed", async (size) => {
      expect(await isUnchanged(await join(wide()), await join(wide()), size * MiB)).toBe(true);
    });

    it("serves 10,000 subscriptions of one client, and forgets them", async () => {
      const client = await join(usual());
      let count = 0;
      const callback = () => void count++;
      const subscriptions = Array.from({ length: 10_000 }, (_, n) =>
        client.subscribe(`s.${n}.x`, { callback }),
      );
      for (let n = 0; n < 10_000; n++) client.publish(`s.${n}.x`);
      await client.flush();
      expect(count).toBe(10_000);
      for (const subscription of subscriptions) subscription.unsubscribe();
      await client.flush();
      const error = await client.request("s.77.x", "", { timeout: PATIENCE_MS }).catch((caught) => caught);
      expect(isNoResponders(error)).toBe(true);
    });
  });
}

function leaving(kind: TargetKind): void {
  describe("coming and going", () => {
    const target = shared(kind);

    it("drains a subscription: all that was on its way arrives, nothing after it", async () => {
      const client = await join(target());
      const seen: string[] = [];
      const callback = (_error: Error | null, message: Msg) => void seen.push(message.string());
      const subscription = client.subscribe("drained", { callback });
      for (let n = 0; n < 500; n++) client.publish("drained", String(n));
      const drained = subscription.drain();
      await drained;
      expect(seen.length).toBe(500);
      const error = await client.request("drained", "", { timeout: PATIENCE_MS }).catch((caught) => caught);
      expect(isNoResponders(error)).toBe(true);
      expect(seen.length).toBe(500);
    });

    it("drains a connection: replies in hand are still sent", async () => {
      const [asks, answers] = [await join(target()), await join(target())];
      let held: Msg | undefined;
      answers.subscribe("slow", {
        callback: (_error, message: Msg) => {
          held = message;
          void answers.drain();
          message.respond("done");
        },
      });
      await answers.flush();
      expect((await asks.request("slow", "", { timeout: PATIENCE_MS })).string()).toBe("done");
      expect(await answers.closed()).toBeUndefined();
      expect(held).toBeDefined();
    });

    it("closes without an error, and the client says so once", async () => {
      const client = await join(target());
      const types: string[] = [];
      const watching = (async () => {
        for await (const status of client.status()) types.push(status.type);
      })();
      await client.close();
      await watching;
      expect(await client.closed()).toBeUndefined();
      expect(types).toEqual(["close"]);
    });

    it("takes 1000 connections at once", async () => {
      const [from] = [await join(target())];
      const clients = await Promise.all(Array.from({ length: 1000 }, () => join(target())));
      let count = 0;
      for (const client of clients) client.subscribe("all", { callback: () => void count++ });
      await Promise.all(clients.map((client) => client.flush()));
      from.publish("all");
      await waitFor("all to hear", () => count >= 1000);
      await from.flush();
      expect(count).toBe(1000);
      await Promise.all(clients.map((client) => client.close()));
    });

    // This client throws away what it has not sent when it dials again; so nothing is published in between here.
    it("takes a client back after a restart on the same port, with all its subscriptions", async () => {
      await using own = await startTarget(kind);
      const client = await join(own, { reconnect: true, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
      const [inbox, group] = [new Inbox(client, "after.>"), new Inbox(client, "after.*", "workers")];
      await client.flush();
      const types: string[] = [];
      void (async () => {
        for await (const status of client.status()) types.push(status.type);
      })();
      await own.kill();
      await waitFor("the client to notice", () => types.includes("disconnect"));
      await own.start();
      await waitFor("the client to be back", () => types.includes("reconnect"));
      client.publish("after.all");
      await Promise.all([inbox.received(1), group.received(1)]);
      expect(await client.request("nobody", "", { timeout: PATIENCE_MS }).catch(isNoResponders)).toBe(true);
    });

    it("says at lame duck that it is leaving, then ends connections", async () => {
      await using own = await startTarget(kind, { lameDuckMs: 1000 });
      const client = await join(own);
      const types: string[] = [];
      const watching = (async () => {
        for await (const status of client.status()) types.push(status.type);
      })();
      own.lameDuck();
      await client.closed();
      await watching;
      expect(types).toContain("ldm");
    });
  });
}

function credentials(kind: TargetKind): void {
  describe("credentials", () => {
    const withToken = shared(kind, { token: "s3cret" });
    const withUser = shared(kind, { user: "ann", password: "pa55" });

    it.each([
      ["token", withToken, { token: "s3cret" }],
      ["user", withUser, { user: "ann", pass: "pa55" }],
    ] as const)("lets in who has the right %s", async (_name, target, options) => {
      const client = await join(target(), options);
      expect(client.info?.auth_required).toBe(true);
      const inbox = new Inbox(client, "in");
      client.publish("in");
      await inbox.received(1);
    });

    it.each([
      ["no token", withToken, {}],
      ["a wrong token", withToken, { token: "s3cre" }],
      ["a token in place of a user", withUser, { token: "pa55" }],
      ["a wrong password", withUser, { user: "ann", pass: "pa5" }],
      ["a wrong user", withUser, { user: "an", pass: "pa55" }],
      ["no user", withUser, {}],
    ] as const)("turns away who has %s", async (_name, target, options) => {
      const error = await join(target(), options).catch((caught) => caught);
      expect(error).toBeInstanceOf(AuthorizationError);
      expect(String(error)).toContain("Authorization Violation");
    });

    it("takes credentials that nobody asked for", async () => {
      await using own = await startTarget(kind);
      const client = await join(own, { user: "x", pass: "y" });
      await expect(client.flush()).resolves.toBeUndefined();
    });
  });

  it("serves IPv6", async () => {
    await using own = await startTarget(kind, { host: "::1" });
    const client = await join(own);
    expect(client.info?.client_ip).toBe("::1");
    const inbox = new Inbox(client, "six");
    client.publish("six");
    await inbox.received(1);
  });
}
