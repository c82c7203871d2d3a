/** Backups between clusters of both kinds: what comes back is what was saved, and a client sees the same of either cluster. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { RequestError, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { JetStreamTrio, trioKinds } from "../support/jetstream-trio.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { PATIENT, TEST_TIMEOUT_MS } from "../support/patience.ts";
import { contents, fill } from "./backed-up-stream.ts";

requireNatsServer();
const program = findNatsCli();
const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
const CHUNK_BYTES = 64 * 1024;

interface Cluster {
  readonly trio: JetStreamTrio;
  readonly client: NatsConnection;
  readonly manager: JetStreamManager;
}

const clusters = new Map<string, Cluster>();

beforeAll(async () => {
  if (program === undefined) return;
  for (const kind of trioKinds) {
    const trio = new JetStreamTrio(kind);
    clusters.set(kind, { trio, ...(await clientOf(await trio.start())) });
  }
}, TEST_TIMEOUT_MS);

afterAll(async () => {
  for (const { trio } of clusters.values()) await trio[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function clientOf(trio: JetStreamTrio): Promise<Omit<Cluster, "trio">> {
  const client = await trio.client("n2");
  return { client, manager: await jetstreamManager(client, PATIENT) };
}

const nats = async ({ trio }: Cluster, ...words: string[]): Promise<unknown> =>
  new NatsCommand(program!, trio.url("n3"), words).done();

/** Where a cluster of this kind has saved the stream. */
const backupOf = (kind: string): string => join(folder, kind.replaceAll(/\W/g, "-"));

async function save(kind: string): Promise<{ readonly messages: object; readonly consumers: unknown }> {
  const cluster = clusters.get(kind)!;
  rmSync(backupOf(kind), { recursive: true, force: true });
  await fill(cluster, 3);
  const { consumers, ...messages } = await settledContents(cluster);
  await nats(cluster, "stream", "backup", "S", backupOf(kind), "--no-progress", "--consumers");
  await cluster.manager.streams.delete("S");
  return { messages, consumers };
}

/** Once the consumers are there: nats-server makes them after it has answered. */
async function settledContents({ manager }: Cluster): Promise<{ readonly consumers: unknown }> {
  await waitFor("two consumers that answer", async () => {
    const infos = ["c", "fresh"].map(async (name) =>
      manager.consumers.info("S", name).catch(() => undefined),
    );
    return (await Promise.all(infos)).every((one) => one !== undefined) ? true : undefined;
  });
  return contents({ manager });
}

/** The answers that a client gets, without what is different each time. */
async function answers({ client, trio }: Cluster, backup: string, replicas: number): Promise<unknown[]> {
  const { config } = JSON.parse(readFileSync(join(backup, "backup.json"), "utf8")) as { config: object };
  const asked = { config: { ...config, num_replicas: replicas }, state: {} };
  const begun = await trio.ask("n2", "STREAM.RESTORE.S", asked);
  const found: unknown[] = [comparable(begun)];
  const bytes = readFileSync(
    join(
      backup,
      readdirSync(backup).find((name) => name.endsWith(".s2"))!,
    ),
  );
  const to = String(begun["deliver_subject"]);
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES)
    found.push((await takenIn(client, to, bytes.subarray(at, at + CHUNK_BYTES))).string());
  const made = (await takenIn(client, to, Buffer.alloc(0))).json<object>();
  found.push(comparable(made));
  found.push(comparable(await trio.ask("n2", "STREAM.RESTORE.S", asked)));
  return found;
}

/** A nats-server answers before the others know that somebody takes chunks. */
const takenIn = async (client: NatsConnection, to: string, chunk: Uint8Array): Promise<Msg> =>
  waitFor("a chunk to be taken in", () =>
    client.request(to, chunk, PATIENT).catch((error: unknown) => {
      if (error instanceof RequestError && error.isNoResponders()) return undefined;
      throw error;
    }),
  );

function comparable(answer: object): unknown {
  const { created, ts, ...rest } = answer as { readonly created?: string; readonly ts?: string };
  for (const time of [created, ts]) if (time !== undefined) expect(Date.parse(time)).toBeGreaterThan(0);
  return JSON.parse(
    JSON.stringify(rest)
      .replaceAll(/(SNAPSHOT\.RESTORE\.S\.)\w{22}/g, "$1ID")
      .replaceAll(/"bytes":\d+/g, '"bytes":0'),
  ) as unknown;
}

async function restore(kind: string, from: string, replicas: number): Promise<Cluster> {
  const cluster = clusters.get(kind)!;
  await nats(cluster, "stream", "restore", backupOf(from), "--no-progress", `--replicas=${replicas}`);
  return cluster;
}

describe.skipIf(program === undefined)("backups of clusters", () => {
  it(
    "of both kinds are restored to one replica and to three",
    async () => {
      for (const from of trioKinds) {
        const saved = await save(from);
        for (const replicas of [1, 3]) {
          const about = `from ${from}, ${replicas} replicas`;
          const cluster = await restore("shoal", from, replicas);
          const { consumers, ...rest } = await settledContents(cluster);
          expect(rest, about).toEqual(saved.messages);
          // nats-server 2.15.3 saves consumers of clusters without their state
          if (from === "shoal") expect(consumers, about).toEqual(saved.consumers);
          const { seq } = await jetstream(cluster.client, PATIENT).publish("s.1", "next");
          expect(seq, about).toBe(301);
          await cluster.manager.streams.delete("S");
        }
      }
    },
    TEST_TIMEOUT_MS,
  );

  it.skipIf(trioKinds.length < 2)(
    "of shoals are restored by nats-servers, and clients see the same of both",
    async () => {
      const [, other = ""] = trioKinds;
      const saved = await save("shoal");
      const cluster = await restore(other, "shoal", 3);
      const { consumers: _consumers, ...rest } = await settledContents(cluster);
      expect(rest).toEqual(saved.messages);
      await cluster.manager.streams.delete("S");
      const seen: unknown[] = [];
      for (const { trio, client, manager } of clusters.values()) {
        seen.push(await answers({ trio, client, manager }, backupOf("shoal"), 3));
        await manager.streams.delete("S");
      }
      expect(seen[0]).toEqual(seen[1]);
    },
    TEST_TIMEOUT_MS,
  );
});
