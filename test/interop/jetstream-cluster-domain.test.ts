/** A cluster whose JetStream has a domain, of shoals and of nats-servers: asked by its domain on its own servers, and by way of a leaf node with another one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { JetStreamTrio, trioKinds } from "../support/jetstream-trio.ts";
import { startServer } from "../support/nats-server.ts";
import { PATIENT, TEST_TIMEOUT_MS } from "../support/patience.ts";
import type { Step } from "./jetstream-conversations.ts";
import { Talk } from "./jetstream-talk.ts";

requireNatsServer();

const STEPS: readonly Step[] = [
  ["$JS.D.API.INFO"],
  ["$JS.D.API.STREAM.CREATE.S", { name: "S", subjects: ["s.>"], num_replicas: 3, allow_direct: true }],
  [
    "$JS.D.API.STREAM.UPDATE.S",
    { name: "S", subjects: ["s.>"], num_replicas: 3, allow_direct: true, max_msgs: 9 },
  ],
  ["$JS.D.API.STREAM.INFO.S"],
  ["s.1", "x"],
  ["s.2", "y", { "Nats-Msg-Id": "i" }],
  ["s.2", "y", { "Nats-Msg-Id": "i" }],
  ["$JS.D.API.STREAM.NAMES"],
  ["$JS.D.API.STREAM.MSG.GET.S", { seq: 1 }],
  ["$JS.D.API.DIRECT.GET.S", { seq: 2 }],
  [
    "$JS.D.API.CONSUMER.CREATE.S.c",
    { stream_name: "S", config: { durable_name: "c", ack_policy: "explicit" } },
  ],
  ["!until", { request: "$JS.D.API.CONSUMER.INFO.S.c", path: "num_pending", is: 2 }],
  ["$JS.D.API.CONSUMER.MSG.NEXT.S.c", "1"],
  ["$JS.D.API.CONSUMER.INFO.S.c"],
  ["$JS.X.API.INFO"],
  ["$JS.API.STREAM.DELETE.S"],
];

/** Without what says on which server something is, and what the kinds of servers count by themselves. */
function comparable(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(comparable);
  const left = new Set([
    "cluster",
    "api",
    "account",
    "client",
    "alternates",
    "storage",
    "bytes",
    "limits",
    "tiers",
  ]);
  const fields = Object.entries(value).filter(([key]) => !left.has(key));
  return Object.fromEntries(fields.map(([key, one]) => [key, comparable(one)]));
}

async function answers(client: NatsConnection): Promise<unknown[]> {
  const talk = new Talk(client);
  const found: unknown[] = [];
  for (const step of STEPS) found.push(comparable(await talk.take(step)));
  return found;
}

/** Resolves once the domain can be asked from there. */
async function reaches(client: NatsConnection): Promise<void> {
  await waitFor("the domain of the hub", () =>
    client.request("$JS.D.API.INFO", "", { timeout: 2000 }).catch(() => undefined),
  );
}

/** On a server of the cluster, and on a leaf node of another one. */
async function answersOf(kind: string): Promise<{ readonly own: unknown[]; readonly leaf: unknown[] }> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  await using trio = await new JetStreamTrio(kind, { domain: "D" }).start();
  const own = await answers(await trio.client("n1"));
  const leaf = await startServer(
    bothServers.find(({ name }) => name === kind)!.command,
    `server_name: l
jetstream { store_dir: ${JSON.stringify(folder)}, domain: L }
leafnodes { remotes: [{ url: ${JSON.stringify(trio.leafUrl("n2"))} }] }`,
  );
  const client = await connect({ servers: `127.0.0.1:${leaf.port}`, inboxPrefix: "_INBOX.x" });
  try {
    await reaches(client);
    const own2 = (await client.request("$JS.API.INFO", "", PATIENT)).json<{ domain: string }>();
    expect(own2.domain).toBe("L");
    return { own, leaf: await answers(client) };
  } finally {
    await client.close();
    await leaf.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("a cluster with a domain", () => {
  it(
    "answers by its domain as nats-servers do, on its servers and to leaf nodes",
    async () => {
      const [shoal, reference] = await Promise.all(trioKinds.map((kind) => answersOf(kind)));
      expect(shoal?.own[0]).toMatchObject({ body: { domain: "D" } });
      expect(shoal?.own[4]).toMatchObject({ body: { stream: "S", domain: "D", seq: 1 } });
      if (reference === undefined) return;
      for (const [i, step] of STEPS.entries()) {
        expect.soft(shoal?.own[i], JSON.stringify(step)).toEqual(reference.own[i]);
        expect.soft(shoal?.leaf[i], `${JSON.stringify(step)} from a leaf node`).toEqual(reference.leaf[i]);
      }
    },
    TEST_TIMEOUT_MS,
  );
});
