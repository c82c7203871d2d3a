/** Backups between clusters of both kinds: what comes back is what was saved, and a client sees the same of either cluster. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
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

async function save(kind: string): Promise<unknown> {
  const cluster = clusters.get(kind)!;
  await fill(cluster, 3);
  const saved = await settledContents(cluster);
  await nats(cluster, "stream", "backup", "S", backupOf(kind), "--no-progress", "--consumers");
  await cluster.manager.streams.delete("S");
  return saved;
}

/** Once the consumers are there: nats-server makes them after it has answered. */
async function settledContents({ manager }: Cluster): Promise<unknown> {
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
    found.push((await client.request(to, bytes.subarray(at, at + CHUNK_BYTES), PATIENT)).string());
  const made = (await client.request(to, "", PATIENT)).json<object>();
  found.push(comparable(made));
  found.push(comparable(await trio.ask("n2", "STREAM.RESTORE.S", asked)));
  return found;
}

function comparable(answer: object): unknown {
  const { created, ts, ...rest } = answer as Record<string, unknown>;
  for (const time of [created, ts])
    if (time !== undefined) expect(Date.parse(String(time))).toBeGreaterThan(0);
  return JSON.parse(
    JSON.stringify(rest)
      .replaceAll(/(SNAPSHOT\.RESTORE\.S\.)\w{22}/g, "$1ID")
      .replaceAll(/"bytes":\d+/g, '"bytes":0'),
  ) as unknown;
}

describe.skipIf(program === undefined)("backups of clusters", () => {
  it(
    "are restored by clusters of both kinds, to one replica and to three, and clients see the same",
    async () => {
      for (const from of trioKinds) {
        const saved = await save(from);
        for (const replicas of [1, 3]) {
          const seen: unknown[] = [];
          for (const to of trioKinds) {
            const about = `from ${from} to ${to}, ${replicas} replicas`;
            const cluster = clusters.get(to)!;
            await nats(
              cluster,
              "stream",
              "restore",
              backupOf(from),
              "--no-progress",
              `--replicas=${replicas}`,
            );
            expect(await settledContents(cluster), about).toEqual(saved);
            const { seq } = await jetstream(cluster.client, PATIENT).publish("s.1", "next");
            expect(seq, about).toBe(301);
            await expect(nats(cluster, "stream", "restore", backupOf(from), "--no-progress")).rejects.toThrow(
              /in use|exist/,
            );
            await cluster.manager.streams.delete("S");
            seen.push(await answers(cluster, backupOf(from), replicas));
            await cluster.manager.streams.delete("S");
          }
          if (seen.length === 2) expect(seen[0], `${from}, ${replicas} replicas`).toEqual(seen[1]);
        }
      }
    },
    TEST_TIMEOUT_MS,
  );
});
