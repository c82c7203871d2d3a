/** Streams, consumers, key-value and object stores by the official client, on a server inside this process. */
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type RunningServer } from "../../src/index.ts";
import { PATIENT } from "../support/patience.ts";

describe("JetStream by the official client", () => {
  let server: RunningServer;
  let client: NatsConnection;

  beforeAll(async () => {
    server = await startServer({ jetstream: "memory" });
    client = await connect({ servers: server.url });
  });
  afterAll(async () => {
    await client.close();
    await server.close();
  });

  it("tells clients in INFO that it keeps streams", () => {
    expect(client.info?.jetstream).toBe(true);
  });

  it("stores what is published and hands it out by pulls, each message once", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    const js = jetstream(client, PATIENT);
    await manager.streams.add({ name: "ORDERS", subjects: ["orders.>"] });
    for (let i = 1; i <= 300; i++) {
      const ack = await js.publish(`orders.${i % 3}`, `order ${i}`);
      expect([ack.stream, ack.seq, ack.duplicate]).toEqual(["ORDERS", i, false]);
    }
    await manager.consumers.add("ORDERS", { durable_name: "worker", ack_policy: AckPolicy.Explicit });
    const consumer = await js.consumers.get("ORDERS", "worker");
    const got: string[] = [];
    for await (const message of await consumer.fetch({ max_messages: 300, expires: 10_000 })) {
      got.push(message.string());
      expect(await message.ackAck()).toBe(true);
    }
    expect(got).toEqual(Array.from({ length: 300 }, (_, i) => `order ${i + 1}`));
    const info = await consumer.info();
    expect([info.num_ack_pending, info.num_pending, info.ack_floor.stream_seq]).toEqual([0, 0, 300]);
  });

  it("refuses what it cannot keep, and goes on", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    await manager.streams.add({ name: "ODD", subjects: ["odd"], allow_direct: true, description: "\u0122" });
    const request = async (subject: string, body: object): Promise<string> => {
      const answer = await client.request(`$JS.API.${subject}`, JSON.stringify(body), PATIENT);
      return answer.headers === undefined
        ? answer.string()
        : `${answer.headers.code} ${answer.headers.description}`;
    };
    await client.request("odd", "one", PATIENT);
    expect(await request("STREAM.PURGE.ODD", { seq: 2 ** 53 - 1 })).toContain(
      "is not supported by this server",
    );
    const malformed = [
      { start_time: "noon" },
      { seq: "1" },
      { seq: 1.5 },
      { multi_last: [1] },
      { seq: 1, no_hdr: 1 },
    ];
    for (const body of malformed)
      expect(await request("DIRECT.GET.ODD", body), JSON.stringify(body)).toBe("408 Malformed Request");
    const escaped = await client.request(
      "$JS.API.STREAM.UPDATE.ODD",
      '{"name":"ODD","subjects":["odd"],"allow_direct":true,"description":"\\u0122\\u010a"}',
      PATIENT,
    );
    expect(JSON.parse(escaped.string())).toMatchObject({ config: { description: "\u0122\u010a" } });
    const { seq } = await jetstream(client, PATIENT).publish("odd", "two");
    expect(seq).toBe(2);
  });

  it("delivers again what is refused or not acknowledged, and gives up after max_deliver", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    const js = jetstream(client, PATIENT);
    await manager.streams.add({ name: "AGAIN", subjects: ["again"] });
    await manager.consumers.add("AGAIN", {
      durable_name: "c",
      ack_policy: AckPolicy.Explicit,
      max_deliver: 3,
      ack_wait: 200_000_000,
    });
    const advisories = client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.AGAIN.c", { max: 1 });
    await js.publish("again", "x");
    const consumer = await js.consumers.get("AGAIN", "c");
    const deliveries: number[] = [];
    const messages = await consumer.consume();
    void (async () => {
      for await (const message of messages) {
        deliveries.push(message.info.deliveryCount);
        if (message.info.deliveryCount === 1) message.nak();
      }
    })();
    for await (const advisory of advisories) {
      expect(advisory.json()).toMatchObject({ stream: "AGAIN", consumer: "c", stream_seq: 1, deliveries: 3 });
    }
    expect(deliveries).toEqual([1, 2, 3]);
    await messages.close();
    expect((await manager.streams.info("AGAIN")).state.messages).toBe(1);
  });

  it("keeps a work queue's message until it is acknowledged, and one of interest until all have", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    const js = jetstream(client, PATIENT);
    const policies = [
      ["WORK", RetentionPolicy.Workqueue],
      ["INTEREST", RetentionPolicy.Interest],
    ] as const;
    for (const [name, retention] of policies) {
      await manager.streams.add({ name, subjects: [name.toLowerCase()], retention });
      await manager.consumers.add(name, { durable_name: "one", ack_policy: AckPolicy.Explicit });
    }
    await manager.consumers.add("INTEREST", { durable_name: "two", ack_policy: AckPolicy.Explicit });
    await js.publish("work", "w");
    await js.publish("interest", "i");
    const take = async (stream: string, name: string): Promise<void> => {
      const message = await (await js.consumers.get(stream, name)).next({ expires: 10_000 });
      expect(await message?.ackAck()).toBe(true);
    };
    const count = async (stream: string): Promise<number> =>
      (await manager.streams.info(stream)).state.messages;
    await take("WORK", "one");
    expect(await count("WORK")).toBe(0);
    await take("INTEREST", "one");
    expect(await count("INTEREST")).toBe(1);
    await take("INTEREST", "two");
    expect(await count("INTEREST")).toBe(0);
  });

  it("knows duplicates by their id, and refuses what the publisher did not expect", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    const js = jetstream(client, PATIENT);
    await manager.streams.add({ name: "IDS", subjects: ["ids"] });
    expect((await js.publish("ids", "1", { msgID: "a" })).duplicate).toBe(false);
    expect(await js.publish("ids", "1", { msgID: "a" })).toMatchObject({ seq: 1, duplicate: true });
    await expect(js.publish("ids", "2", { expect: { lastSequence: 7 } })).rejects.toThrow(
      "wrong last sequence: 1",
    );
    await expect(js.publish("ids", "2", { expect: { lastMsgID: "b" } })).rejects.toThrow(
      "wrong last msg ID: a",
    );
    await expect(js.publish("ids", "2", { expect: { streamName: "X" } })).rejects.toThrow(
      "expected stream does not match",
    );
    expect((await manager.streams.info("IDS")).state.messages).toBe(1);
  });

  it("starts consumers where their policy says", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    const js = jetstream(client, PATIENT);
    await manager.streams.add({ name: "START", subjects: ["start.*"] });
    for (let i = 1; i <= 6; i++) await js.publish(`start.${i % 2}`, `${i}`);
    const first = async (
      config: Parameters<typeof manager.consumers.add>[1],
    ): Promise<number | undefined> => {
      const { name } = await manager.consumers.add("START", { ack_policy: AckPolicy.None, ...config });
      return (await (await js.consumers.get("START", name)).next({ expires: 1000 }))?.seq;
    };
    expect(await first({ deliver_policy: DeliverPolicy.All })).toBe(1);
    expect(await first({ deliver_policy: DeliverPolicy.Last })).toBe(6);
    expect(await first({ deliver_policy: DeliverPolicy.LastPerSubject, filter_subject: "start.*" })).toBe(5);
    expect(await first({ deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: 4 })).toBe(4);
    expect(await first({ deliver_policy: DeliverPolicy.All, filter_subject: "start.0" })).toBe(2);
    expect(await first({ deliver_policy: DeliverPolicy.New })).toBeUndefined();
  });

  it("is a key-value store, with history, watchers and compare-and-set", async () => {
    const bucket = await new Kvm(jetstream(client, PATIENT)).create("settings", { history: 3 });
    await bucket.put("color", "red");
    await bucket.put("color", "blue");
    const revision = await bucket.create("size", "small");
    await bucket.update("size", "large", revision);
    await expect(bucket.create("size", "x")).rejects.toThrow("wrong last sequence");
    await expect(bucket.update("size", "x", revision)).rejects.toThrow("wrong last sequence");
    const watcher = await bucket.watch();
    const seen: string[] = [];
    for await (const entry of watcher) {
      seen.push(`${entry.operation} ${entry.key}=${entry.string()}`);
      if (seen.length === 2) await bucket.delete("color");
      if (seen.length === 3) watcher.stop();
    }
    expect(seen).toEqual(["PUT color=blue", "PUT size=large", "DEL color="]);
    const history: string[] = [];
    for await (const entry of await bucket.history({ key: "color" }))
      history.push(`${entry.operation} ${entry.string()}`);
    expect(history).toEqual(["PUT red", "PUT blue", "DEL "]);
    const keys: string[] = [];
    for await (const key of await bucket.keys()) keys.push(key);
    expect(keys).toEqual(["size"]);
    await bucket.purge("color");
    expect((await bucket.get("color"))?.operation).toBe("PURGE");
  });

  it("is an object store", async () => {
    const store = await new Objm(jetstream(client, PATIENT)).create("files");
    const content = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251);
    await store.putBlob({ name: "large" }, content);
    const back = await store.getBlob("large");
    expect(back === null ? -1 : Buffer.compare(back, content)).toBe(0);
    await store.delete("large");
    expect(await store.getBlob("large")).toBeNull();
  });

  it("pushes to a subject that is subscribed later, with headers and the stream's subject", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    const js = jetstream(client, PATIENT);
    await manager.streams.add({ name: "PUSH", subjects: ["push.>"] });
    const extra = headers();
    extra.set("Color", "red");
    await js.publish("push.a", "x", { headers: extra });
    await manager.consumers.add("PUSH", {
      deliver_subject: "here",
      ack_policy: AckPolicy.Explicit,
      durable_name: "p",
    });
    const subscription = client.subscribe("here", { max: 1 });
    for await (const message of subscription) {
      expect([message.subject, message.string(), message.headers?.get("Color")]).toEqual([
        "push.a",
        "x",
        "red",
      ]);
      expect(message.reply).toMatch(/^\$JS\.ACK\.PUSH\.p\.1\.1\.1\.\d{19}\.0$/);
    }
  });

  it("removes what is too old or too much", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    const js = jetstream(client, PATIENT);
    await manager.streams.add({ name: "FEW", subjects: ["few.*"], max_msgs: 5, max_msgs_per_subject: 2 });
    for (let i = 0; i < 4; i++) await js.publish("few.a", `${i}`);
    expect((await manager.streams.info("FEW")).state).toMatchObject({
      messages: 2,
      first_seq: 3,
      last_seq: 4,
    });
    for (let i = 0; i < 10; i++) await js.publish(`few.${i}`, `${i}`);
    expect((await manager.streams.info("FEW")).state).toMatchObject({
      messages: 5,
      first_seq: 10,
      last_seq: 14,
    });
    await manager.streams.add({ name: "SHORT", subjects: ["short"], max_age: 200_000_000 });
    await js.publish("short", "x");
    await expect.poll(async () => (await manager.streams.info("SHORT")).state.messages).toBe(0);
  });

  it("refuses by name what it does not do yet", async () => {
    const manager = await jetstreamManager(client, PATIENT);
    await expect(manager.streams.add({ name: "R", subjects: ["r"], num_replicas: 3 })).rejects.toThrow(
      "replicas > 1 not supported in non-clustered mode",
    );
  });
});

describe("a server with a folder", () => {
  it("has streams, consumers and their state again when it is started again", async () => {
    const storeDir = mkdtempSync(join(tmpdir(), "shoal-test-"));
    const use = async <T>(act: (client: NatsConnection) => Promise<T>): Promise<T> => {
      const server = await startServer({ jetstream: { storeDir } });
      const client = await connect({ servers: server.url });
      try {
        return await act(client);
      } finally {
        await client.close();
        await server.close();
      }
    };
    try {
      await use(async (client) => {
        const manager = await jetstreamManager(client, PATIENT);
        const js = jetstream(client, PATIENT);
        await manager.streams.add({ name: "KEPT", subjects: ["kept"] });
        for (let i = 1; i <= 20; i++) await js.publish("kept", `${i}`, { msgID: `id ${i}` });
        await manager.streams.deleteMessage("KEPT", 7);
        await manager.consumers.add("KEPT", { durable_name: "c", ack_policy: AckPolicy.Explicit });
        const consumer = await js.consumers.get("KEPT", "c");
        for await (const message of await consumer.fetch({ max_messages: 5, expires: 10_000 }))
          await message.ackAck();
      });
      await use(async (client) => {
        const manager = await jetstreamManager(client, PATIENT);
        const js = jetstream(client, PATIENT);
        const { state } = await manager.streams.info("KEPT");
        expect(state).toMatchObject({ messages: 19, first_seq: 1, last_seq: 20, num_deleted: 1 });
        expect((await js.publish("kept", "20", { msgID: "id 20" })).duplicate).toBe(true);
        const consumer = await js.consumers.get("KEPT", "c");
        const got: number[] = [];
        for await (const message of await consumer.fetch({ max_messages: 14, expires: 10_000 }))
          got.push(message.seq);
        expect(got).toEqual([6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
      });
    } finally {
      rmSync(storeDir, { recursive: true, force: true });
    }
  });
});
