/**
 * JetStream on both sides of a leaf connection, each side a domain of its own: clients of one side use the streams of the other one, and
 * streams mirror and take from streams there. Between shoal and nats-servers, old ones among them; the first mix is nats-servers only.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { allReach } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import {
  hasKind,
  LeafWorld,
  type LeafServer,
  type LeafServerKind,
  type LeafServerOptions,
} from "../support/leaf-nodes.ts";
import { PATIENT } from "../support/patience.ts";

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
const MESSAGES = 500;
const APP: ConnectionOptions = { user: "a", pass: "p" };

let world: LeafWorld;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  world = new LeafWorld();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const streams = (name: string, domain: string): string =>
  `jetstream { store_dir: ${JSON.stringify(join(folder, name))}, domain: ${domain} }`;

async function countIn(manager: JetStreamManager, stream: string): Promise<number> {
  return (await manager.streams.info(stream)).state.messages;
}

/** Resolves once the requests for the domain are answered. */
async function answers(nc: NatsConnection, domain: string): Promise<JetStreamManager> {
  return waitFor(`the domain ${domain} to answer`, async () => {
    try {
      const manager = await jetstreamManager(nc, { domain, ...PATIENT });
      await manager.getAccountInfo();
      return manager;
    } catch {
      return false;
    }
  });
}

async function usesStreams(nc: NatsConnection, domain: string): Promise<void> {
  const manager = await answers(nc, domain);
  const stream = `S_${domain}`;
  await manager.streams.add({ name: stream, subjects: [`${domain}.>`], allow_direct: true });
  const js = jetstream(nc, { domain, ...PATIENT });
  for (let n = 0; n < 20; n++)
    expect(await js.publish(`${domain}.${n}`, `${n}`)).toMatchObject({ domain, stream, seq: n + 1 });
  await manager.consumers.add(stream, { durable_name: "d", ack_policy: AckPolicy.Explicit });
  const consumer = await js.consumers.get(stream, "d");
  const seen: string[] = [];
  for await (const message of await consumer.fetch({ max_messages: 20, expires: 10_000 })) {
    seen.push(`${message.subject}=${message.string()}`);
    expect(await message.ackAck(PATIENT)).toBe(true);
  }
  expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => `${domain}.${n}=${n}`));
  expect((await consumer.info()).num_ack_pending).toBe(0);
  expect((await manager.direct.getMessage(stream, { seq: 3 }))?.string()).toBe("2");
}

async function usesBuckets(nc: NatsConnection, domain: string, name: string): Promise<void> {
  await answers(nc, domain);
  const js = jetstream(nc, { domain, ...PATIENT });
  const kv = await new Kvm(js).create(`B_${name}`, { history: 5 });
  const revision = await kv.create("a.b", "1");
  await kv.update("a.b", "2", revision);
  await expect(kv.update("a.b", "3", revision)).rejects.toThrow(/wrong last sequence/i);
  expect((await kv.get("a.b"))?.string()).toBe("2");
  const watched: string[] = [];
  for await (const entry of await kv.watch()) {
    watched.push(`${entry.key}=${entry.string()}`);
    break;
  }
  expect(watched).toEqual(["a.b=2"]);
  const objects = await new Objm(js).create(`O_${name}`);
  const large = Buffer.alloc(300_000, "z");
  await objects.putBlob({ name: "o" }, large);
  expect(large.equals((await objects.getBlob("o"))!)).toBe(true);
}

const from = (domain: string): { api: string } => ({ api: `$JS.${domain}.API` });

async function publish(nc: NatsConnection, to: string): Promise<void> {
  const js = jetstream(nc, PATIENT);
  for (let i = 0; i < MESSAGES; i += 100)
    await Promise.all(
      Array.from({ length: 100 }, async (_, k) => js.publish(`${to}.${(i + k) % 2}`, `${i + k}`)),
    );
}

for (const [hubKind, spokeKind] of MIXES) {
  describe.skipIf(!hasKind(hubKind) || !hasKind(spokeKind))(
    `a ${spokeKind} with streams as leaf node of a ${hubKind} with streams`,
    () => {
      const hubOptions = (leafPort?: number): LeafServerOptions => ({
        name: "hub",
        config: streams("hub", "top"),
        ...(leafPort === undefined ? {} : { leafPort }),
      });

      async function pair(): Promise<{
        readonly clients: readonly [up: NatsConnection, down: NatsConnection];
        readonly servers: readonly [hub: LeafServer, spoke: LeafServer];
      }> {
        const hub = await world.start(hubKind, hubOptions());
        const spoke = await world.start(spokeKind, {
          name: "spoke",
          hubs: [hub],
          config: streams("spoke", "edge"),
        });
        const clients = [await world.connect(hub), await world.connect(spoke)] as const;
        await allReach(clients);
        return { clients, servers: [hub, spoke] };
      }

      it("lets clients of either side use streams of either domain", async () => {
        const { clients } = await pair();
        const [up, down] = clients;
        await usesStreams(up, "edge");
        await usesStreams(down, "top");
        for (const [nc, domain] of [
          [up, "top"],
          [down, "edge"],
        ] as const) {
          const info = await (await jetstreamManager(nc, PATIENT)).getAccountInfo();
          expect(info).toMatchObject({ domain, streams: 1 });
        }
      });

      it("lets clients of either side use buckets of either domain", async () => {
        const [up, down] = (await pair()).clients;
        // Objects are published on their subjects in whatever domain: a name of its own for each.
        await usesBuckets(up, "edge", "below");
        await usesBuckets(down, "top", "above");
        await usesBuckets(up, "top", "near");
      });

      it("mirrors streams of the other side, and takes from them", async () => {
        const [up, down] = (await pair()).clients;
        const [top, edge] = [await answers(up, "top"), await answers(down, "edge")];
        await edge.streams.add({ name: "EDGE", subjects: ["of.edge.>"] });
        await top.streams.add({ name: "TOP", subjects: ["of.top.>"] });
        await top.streams.add({ name: "M", mirror: { name: "EDGE", external: from("edge") } });
        await edge.streams.add({
          name: "T",
          sources: [{ name: "TOP", filter_subject: "of.top.1", external: from("top") }],
        });
        await Promise.all([publish(down, "of.edge"), publish(up, "of.top")]);
        await waitFor("the mirror", async () => (await countIn(top, "M")) === MESSAGES);
        await waitFor("the source", async () => (await countIn(edge, "T")) === MESSAGES / 2);
        const mirrored = await top.streams.getMessage("M", { seq: 7 });
        const there = await edge.streams.getMessage("EDGE", { seq: 7 });
        expect([mirrored?.subject, mirrored?.string(), mirrored?.time]).toEqual([
          there?.subject,
          there?.string(),
          there?.time,
        ]);
        expect((await edge.streams.getMessage("T", { seq: 3 }))?.subject).toBe("of.top.1");
      });

      // Mirrors of nats-server take most of a minute to begin again.
      it.skipIf(hubKind !== "shoal" || spokeKind !== "shoal")(
        "goes on with mirrors and sources where they were after a restart",
        async () => {
          const { clients, servers } = await pair();
          const [up, down] = clients;
          const [top, edge] = [await answers(up, "top"), await answers(down, "edge")];
          await edge.streams.add({ name: "EDGE", subjects: ["of.edge.>"] });
          await top.streams.add({ name: "TOP", subjects: ["of.top.>"] });
          await top.streams.add({ name: "M", mirror: { name: "EDGE", external: from("edge") } });
          await edge.streams.add({ name: "T", sources: [{ name: "TOP", external: from("top") }] });
          await Promise.all([publish(down, "of.edge"), publish(up, "of.top")]);
          await waitFor("the mirror", async () => (await countIn(top, "M")) === MESSAGES);
          const [hub] = servers;
          await hub.process.stop();
          await publish(down, "of.edge");
          const again = await world.start(hubKind, hubOptions(hub.leafPort));
          const back = await world.connect(again);
          await publish(back, "of.top");
          const topAgain = await answers(back, "top");
          await waitFor(
            "the rest in the mirror",
            async () => (await countIn(topAgain, "M")) === 2 * MESSAGES,
          );
          await waitFor("the rest of the source", async () => (await countIn(edge, "T")) === 2 * MESSAGES);
        },
      );
    },
  );
}

describe.each(["nats-server", "shoal"] as const)("the default domain of an account of a %s", (kind) => {
  it.skipIf(!hasKind("nats-server")).each(["nats-server", "shoal"] as const)(
    "that has streams at a hub of %s",
    async (hubKind) => {
      const users = `accounts { A { jetstream: true, users: [{user: a, password: p}] } }`;
      const hub = await world.start(hubKind, {
        name: "hub",
        config: `${streams("hub", "top")}\n${users}`,
        leafnodes: `authorization { users: [{user: leaf, password: p, account: A}] }`,
        urlUser: "leaf:p@",
      });
      const spoke = await world.start(kind, {
        name: "spoke",
        hubs: [hub],
        remote: "account: A",
        config: `accounts { A { users: [{user: a, password: p}] } }\ndefault_js_domain: { A: top }`,
      });
      const [up, down] = [await world.connect(hub, APP), await world.connect(spoke, APP)];
      await allReach([up, down]);
      const manager = await waitFor("requests to be answered", async () => {
        try {
          return await jetstreamManager(down, { checkAPI: true, ...PATIENT });
        } catch {
          return false;
        }
      });
      await manager.streams.add({ name: "S", subjects: ["s.>"] });
      expect(await jetstream(down, PATIENT).publish("s.1", "x")).toMatchObject({
        stream: "S",
        domain: "top",
      });
      const kv = await new Kvm(jetstream(down, PATIENT)).create("B");
      await kv.put("k", "v");
      expect((await kv.get("k"))?.string()).toBe("v");
      const names: string[] = [];
      for await (const { config } of (await jetstreamManager(up, PATIENT)).streams.list())
        names.push(config.name);
      expect(names.sort()).toEqual(["KV_B", "S"]);
    },
  );
});
