/**
 * JetStream in a mixed cluster: three nats-servers have the streams, and clients of shoal use all of it, through the JavaScript
 * client and through the `nats` tool. What is said of deliveries here is the same for a client of a nats-server.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  StorageType,
  type JsMsg,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { headers, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Clients, reaches } from "../support/cluster-clients.ts";
import type { Member } from "../support/cluster-member.ts";
import { missingKinds } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { PATIENT } from "../support/patience.ts";

/** Part of a message, though not of its type. */
const replyOf = (message: JsMsg): string => (message as JsMsg & { reply: string }).reply;

const STREAM_SERVERS = 3;
const REPLICAS = 3;
const missing = missingKinds(["nats-new"]);
const tool = findNatsCli();

/** Three nats-servers with JetStream, then shoals. */
class StreamCluster implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "streams-"));
  readonly clients = new Clients();
  private cluster: Cluster | null = null;

  async start(shoals: number, serverLines: readonly string[] = []): Promise<void> {
    const names = Array.from({ length: STREAM_SERVERS + shoals }, (_, i) => `m${i}`);
    this.cluster = await startMembers(
      names.map((name, i) => {
        const streams = `jetstream { store_dir: ${JSON.stringify(join(this.folder, name))} }`;
        return i < STREAM_SERVERS
          ? { kind: "nats-new", name, clusterLines: ["name: mixed"], serverLines: [streams, ...serverLines] }
          : { kind: "shoal", name, clusterLines: ["name: mixed"], serverLines };
      }),
      { routesOf: (_member, all) => all.slice(0, STREAM_SERVERS).map((other) => other.routeUrl()) },
    );
    await this.cluster.fullMesh();
  }

  member(index: number): Member {
    return this.cluster!.member(index);
  }

  /** Resolves once the streams have a leader who answers. */
  async answers(nc: NatsConnection): Promise<void> {
    await waitFor("JetStream to answer", async () => {
      try {
        const manager = await jetstreamManager(nc, { timeout: 2000 });
        await manager.streams.add({ name: "PROBE", subjects: ["probe"], num_replicas: REPLICAS });
        return await manager.streams.delete("PROBE");
      } catch {
        return false;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clients[Symbol.asyncDispose]();
    await this.cluster?.[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe.skipIf(missing.length > 0)("JetStream of nats-servers, for clients of shoal", () => {
  const cluster = new StreamCluster();
  let nc: NatsConnection;

  beforeAll(async () => {
    await cluster.start(2);
    nc = await cluster.clients.connect(cluster.member(STREAM_SERVERS));
    await cluster.answers(nc);
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  async function newStream(name: string): Promise<Awaited<ReturnType<typeof jetstreamManager>>> {
    const manager = await jetstreamManager(nc, PATIENT);
    await manager.streams.add({ name, subjects: [`${name}.>`], num_replicas: REPLICAS, allow_direct: true });
    return manager;
  }

  it("shows the stream's subject and acknowledges what a pull consumer fetches", async () => {
    const manager = await newStream("pull");
    const js = jetstream(nc, PATIENT);
    const own = headers();
    own.set("Kind", "test");
    for (let i = 0; i < 20; i++) await js.publish(`pull.${i}`, `${i}`, { headers: own });
    await manager.consumers.add("pull", { durable_name: "d@e", ack_policy: AckPolicy.Explicit });
    const consumer = await js.consumers.get("pull", "d@e");
    const seen: string[] = [];
    const batch = await consumer.fetch({ max_messages: 20, expires: 10_000 });
    for await (const message of batch) {
      expect(replyOf(message)).toMatch(/^\$JS\.ACK\.pull\.d@e\.1\.\d+\.\d+\.\d+\.\d+$/);
      expect(message.headers?.get("Kind")).toBe("test");
      seen.push(`${message.subject}=${message.string()}`);
      expect(await message.ackAck()).toBe(true);
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `pull.${i}=${i}`));
    expect((await consumer.info()).num_ack_pending).toBe(0);
  });

  it("carries consume, next, nak, working, term and large messages", async () => {
    const manager = await newStream("words");
    const js = jetstream(nc, PATIENT);
    const large = "x".repeat(300_000);
    await js.publish("words.large", large);
    await manager.consumers.add("words", { durable_name: "d", ack_policy: AckPolicy.Explicit });
    const consumer = await js.consumers.get("words", "d");
    const first = (await consumer.next({ expires: 10_000 }))!;
    expect([first.subject, first.string()]).toEqual(["words.large", large]);
    first.working();
    first.nak();
    const again = (await consumer.next({ expires: 10_000 }))!;
    expect([again.subject, again.info.deliveryCount]).toEqual(["words.large", 2]);
    again.term();
    await js.publish("words.b", "b");
    const messages = await consumer.consume();
    for await (const message of messages) {
      expect([message.subject, message.string()]).toEqual(["words.b", "b"]);
      message.ack();
      break;
    }
  });

  it("carries ordered consumers, push consumers and queue groups of these", async () => {
    const manager = await newStream("push");
    const js = jetstream(nc, PATIENT);
    for (let i = 0; i < 50; i++) await js.publish(`push.${i}`, `${i}`);
    const ordered = await js.consumers.get("push", { deliver_policy: DeliverPolicy.All });
    let next = 0;
    for await (const message of await ordered.consume()) {
      expect([message.subject, message.seq]).toEqual([`push.${next}`, ++next]);
      if (next === 50) break;
    }
    await manager.consumers.add("push", {
      durable_name: "group",
      deliver_subject: "to.group",
      deliver_group: "q",
      ack_policy: AckPolicy.Explicit,
    });
    const other = await cluster.clients.connect(cluster.member(STREAM_SERVERS + 1));
    const seen: string[] = [];
    for (const client of [nc, other]) {
      client.subscribe("to.group", {
        queue: "q",
        callback: (_, m) => {
          seen.push(m.subject);
          m.respond();
        },
      });
    }
    await Promise.all([reaches(nc, other), reaches(other, nc)]);
    await waitFor("all of the stream", () => seen.length >= 50);
    expect(new Set(seen)).toEqual(new Set(Array.from({ length: 50 }, (_, i) => `push.${i}`)));
    await manager.consumers.delete("push", "group");
    await manager.consumers.add("push", {
      durable_name: "flow",
      deliver_subject: "to.flow",
      ack_policy: AckPolicy.None,
      flow_control: true,
      idle_heartbeat: 500_000_000,
    });
    const flow = await (await js.consumers.getPushConsumer("push", "flow")).consume();
    next = 0;
    for await (const message of flow) {
      expect(message.subject).toBe(`push.${next++}`);
      if (next === 50) break;
    }
  });

  it("reads a stream directly, lists, purges and deletes", async () => {
    const manager = await newStream("direct");
    const js = jetstream(nc, PATIENT);
    for (const subject of ["direct.a", "direct.b", "direct.a"]) await js.publish(subject, subject);
    const last = await manager.direct.getMessage("direct", { last_by_subj: "direct.b" });
    expect([last?.subject, last?.seq]).toEqual(["direct.b", 2]);
    const stored = await manager.streams.getMessage("direct", { seq: 3 });
    expect(stored?.string()).toBe("direct.a");
    const names: string[] = [];
    for await (const { config } of manager.streams.list()) names.push(config.name);
    expect(names).toContain("direct");
    expect(await manager.streams.purge("direct", { filter: "direct.a" })).toMatchObject({ purged: 2 });
    expect(await manager.streams.delete("direct")).toBe(true);
  });

  it("keeps key-value buckets: puts, revisions, watches, history", async () => {
    const kv = await new Kvm(jetstream(nc, PATIENT)).create("bucket", { replicas: REPLICAS, history: 5 });
    const revision = await kv.create("a.b", "1");
    await kv.update("a.b", "2", revision);
    await expect(kv.update("a.b", "3", revision)).rejects.toThrow(/wrong last sequence/i);
    expect((await kv.get("a.b"))?.string()).toBe("2");
    await kv.delete("a.b");
    await kv.put("c", "4");
    // A copy that lags may show older values first.
    const latest = new Map<string, string>();
    for await (const entry of await kv.watch()) {
      latest.set(entry.key, `${entry.operation} ${entry.string()}`);
      if (entry.key === "c") break;
    }
    expect([...latest]).toEqual([
      ["a.b", "DEL "],
      ["c", "PUT 4"],
    ]);
    const history: string[] = [];
    for await (const entry of await kv.history({ key: "a.b" })) history.push(entry.operation);
    expect(history).toEqual(["PUT", "PUT", "DEL"]);
  });

  it("keeps objects of many chunks", async () => {
    const os = await new Objm(jetstream(nc, PATIENT)).create("objects", {
      replicas: REPLICAS,
      storage: StorageType.Memory,
    });
    const blob = new Uint8Array(700_000).map((_, i) => i % 251);
    await os.putBlob({ name: "blob" }, blob);
    expect(Buffer.compare(Buffer.from((await os.getBlob("blob"))!), Buffer.from(blob))).toBe(0);
    expect((await os.info("blob"))?.chunks).toBeGreaterThan(1);
    await os.delete("blob");
    expect((await os.info("blob"))?.deleted).toBe(true);
  });

  it.skipIf(tool === undefined)("serves the nats tool: streams, consumers, buckets, objects", async () => {
    const url = `nats://${cluster.member(STREAM_SERVERS).clientUrl}`;
    const run = (...words: string[]): Promise<string> => new NatsCommand(tool!, url, words).done();
    await run("stream", "add", "T", "--subjects=T.>", "--replicas=3", "--defaults", "--allow-direct");
    await run("pub", "T.one", "hello", "--count=3", "-J");
    await run("consumer", "add", "T", "C", "--pull", "--defaults");
    const fetched = await run("consumer", "next", "T", "C", "--count=3");
    expect(fetched.match(/subj: T\.one[^]*?hello/g)).toHaveLength(3);
    expect(await run("stream", "info", "T")).toMatch(/Messages: 3/);
    expect(await run("stream", "get", "T", "2")).toMatch(/hello/);
    expect(await run("consumer", "report", "T")).toMatch(/C .*Pull/);
    const saved = join(cluster.folder, "saved");
    await run("stream", "backup", "T", saved, "--no-progress");
    await run("stream", "rm", "T", "-f");
    await run("stream", "restore", saved, "--no-progress");
    expect(await run("stream", "get", "T", "3")).toMatch(/T\.one[^]*hello/);
    await run("kv", "add", "KV", "--replicas=3");
    await run("kv", "put", "KV", "key", "value");
    expect(await run("kv", "get", "KV", "key", "--raw")).toMatch(/^value/);
    expect(await run("kv", "ls", "KV")).toMatch(/key/);
    await run("object", "add", "OBJ", "--replicas=3");
    const file = join(cluster.folder, "file.txt");
    writeFileSync(file, "an object");
    await run("object", "put", "OBJ", file, "--name=o", "--no-progress", "-f");
    expect(await run("object", "ls", "OBJ")).toMatch(/\bo\b/);
    await run("object", "get", "OBJ", "o", `--output=${file}.back`, "--no-progress", "-f");
    expect(await run("account", "info")).toMatch(/Streams: +\d/);
  });
});

const accountLines = [
  "accounts {",
  `  A { users: [{ user: A, password: p }], jetstream: enabled, exports: [`,
  `    { service: "$JS.API.>", response_type: stream }, { service: "$JS.ACK.>" }`,
  `    { stream: "to.>" }, { service: "$JS.FC.>" } ] }`,
  `  B { users: [{ user: B, password: p }], imports: [`,
  `    { service: { account: A, subject: "$JS.API.>" }, to: "js.A.>" }, { service: { account: A, subject: "$JS.ACK.>" } }`,
  `    { stream: { account: A, subject: "to.>" } }, { service: { account: A, subject: "$JS.FC.>" } } ] }`,
  `  C { users: [{ user: C, password: p }] }`,
  `  SYS { users: [{ user: SYS, password: p }] }`,
  "}",
  "system_account: SYS",
];

describe.skipIf(missing.length > 0)("JetStream of nats-servers, of accounts", () => {
  const cluster = new StreamCluster();
  // The same for clients of a nats-server, which is asked first.
  const servers = [0, STREAM_SERVERS];

  beforeAll(async () => {
    await cluster.start(1, accountLines);
    const nc = await cluster.clients.connect(cluster.member(0), { user: "A", pass: "p" });
    await cluster.answers(nc);
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  const connect = (index: number, user: string): Promise<NatsConnection> =>
    cluster.clients.connect(cluster.member(index), { user, pass: "p" });

  it.each(servers)("an account with JetStream uses it (server %i)", async (index) => {
    const nc = await connect(index, "A");
    const manager = await jetstreamManager(nc, PATIENT);
    await manager.streams.add({ name: `own${index}`, subjects: [`own${index}.>`], num_replicas: REPLICAS });
    await jetstream(nc, PATIENT).publish(`own${index}.x`, "1");
    const ordered = await jetstream(nc, PATIENT).consumers.get(`own${index}`);
    // the first pull may come before the interest of the new consumer
    const message = await waitFor("the message", () =>
      ordered
        .next({ expires: 10_000 })
        .catch((error: unknown) => {
          if (!String(error).includes("no responders")) throw error;
        })
        .then((found) => found ?? undefined),
    );
    expect(message.subject).toBe(`own${index}.x`);
  });

  it.each(servers)(
    "an importing account pulls, is pushed to, and acknowledges (server %i)",
    async (index) => {
      const owner = await connect(index, "A");
      const importer = await connect(index, "B");
      const name = `shared${index}`;
      const manager = await jetstreamManager(owner, PATIENT);
      await manager.streams.add({ name, subjects: [`${name}.>`], num_replicas: REPLICAS });
      for (let i = 0; i < 5; i++) await jetstream(owner, PATIENT).publish(`${name}.${i}`, `${i}`);
      const over = await jetstreamManager(importer, { apiPrefix: "js.A" });
      await over.consumers.add(name, { durable_name: "pull", ack_policy: AckPolicy.Explicit });
      const js = jetstream(importer, { apiPrefix: "js.A" });
      const consumer = await js.consumers.get(name, "pull");
      const seen: string[] = [];
      for await (const message of await consumer.fetch({ max_messages: 5, expires: 10_000 })) {
        expect(replyOf(message)).toMatch(/^\$JS\.ACK\.[^@]*$/);
        seen.push(message.subject);
        message.ack();
      }
      expect(seen).toEqual([0, 1, 2, 3, 4].map((i) => `${name}.${i}`));
      await waitFor("the acknowledgements", async () => {
        return (await manager.consumers.info(name, "pull")).num_ack_pending === 0;
      });

      const pushed: string[] = [];
      importer.subscribe(`to.${name}`, {
        callback: (_, m) => {
          pushed.push(`${m.subject} ${/^\$JS\.ACK\.[^@]*$/.test(m.reply ?? "")}`);
          m.respond();
        },
      });
      await importer.flush();
      const config = { durable_name: "push", deliver_subject: `to.${name}`, ack_policy: AckPolicy.Explicit };
      await manager.consumers.add(name, config);
      await waitFor("what is pushed", () => pushed.length >= 5);
      expect(pushed).toEqual([0, 1, 2, 3, 4].map((i) => `${name}.${i} true`));
      await waitFor("the acknowledgements", async () => {
        return (await manager.consumers.info(name, "push")).num_ack_pending === 0;
      });
    },
  );

  it.each(servers)(
    "an account without JetStream is told so, or that nobody answers (server %i)",
    async (index) => {
      const nc = await connect(index, "C");
      const said = await nc.request("$JS.API.INFO", "", { timeout: 10_000 }).then(
        (answer) => answer.string(),
        (error: unknown) => String(error),
      );
      expect(said).toMatch(/JetStream not enabled for account|no responders/i);
    },
  );
});
