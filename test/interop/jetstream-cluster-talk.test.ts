/**
 * Conversations that a single nats-server has, with a cluster of three shoals: streams on one of them, and streams on all. The single server
 * is the reference, since in a cluster of nats-servers whoever has made a stream may be told that nobody listens there yet.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { JetStreamTrio } from "../support/jetstream-trio.ts";
import { startServer } from "../support/nats-server.ts";
import { TEST_TIMEOUT_MS } from "../support/patience.ts";
import { BATCHES } from "./jetstream-batch-conversations.ts";
import { CONVERSATIONS, type Step } from "./jetstream-conversations.ts";
import { FEATURES } from "./jetstream-feature-conversations.ts";
import { ORIGINS } from "./jetstream-origin-conversations.ts";
import { Talk } from "./jetstream-talk.ts";

requireNatsServer();
const natsServer = bothServers[1]?.command;
const trio = new JetStreamTrio("shoal");

beforeAll(async () => void (await trio.start()), TEST_TIMEOUT_MS);
afterAll(async () => trio[Symbol.asyncDispose]());

/** What a single server refuses, or has none of. */
const OF_CLUSTERS = /STEPDOWN|PEER\.|STREAM\.CANCEL_MOVE/;
const isForBoth = ([subject, payload]: Step): boolean =>
  !OF_CLUSTERS.test(subject) && !JSON.stringify(payload ?? "").includes("num_replicas");

async function answersOfCluster(steps: readonly Step[], replicas: number): Promise<unknown[]> {
  const servers = trio.url("n1").replace("a:a@", "");
  const client = await connect({ servers, user: "a", pass: "a", inboxPrefix: "_INBOX.x" });
  const talk = new Talk(client);
  const answers: unknown[] = [];
  for (const step of steps) answers.push(comparable(await talk.take(replicated(step, replicas))));
  await client.close();
  await trio.removeStreams();
  return answers;
}

async function answersOfOne(command: string, steps: readonly Step[]): Promise<unknown[]> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const server = await startServer(command, `jetstream { store_dir: ${JSON.stringify(folder)} }`);
  const client = await connect({ servers: `127.0.0.1:${server.port}`, inboxPrefix: "_INBOX.x" });
  try {
    const talk = new Talk(client);
    const answers: unknown[] = [];
    for (const step of steps) answers.push(comparable(await talk.take(step)));
    return answers;
  } finally {
    await client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The streams that it makes have copies on so many servers. */
function replicated([subject, payload, more]: Step, replicas: number): Step {
  const makes = /\$JS\.API\.STREAM\.(CREATE|UPDATE)\./.test(subject);
  if (replicas === 1 || !makes || typeof payload !== "object") return [subject, payload!, more!];
  return [subject, { ...payload, num_replicas: replicas }, more!];
}

/** These fields say where something is kept, and how much all servers hold and have answered together. */
const OF_PLACES = new Set([
  ...["cluster", "num_replicas", "did_create", "alternates", "api", "memory", "reserved_memory"],
  ...["reserved_storage", "client", "request", "account"],
]);

function comparable(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/^JS_(SRC|MIRROR)_.*/, "JS_$1_NAME");
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(comparable);
  const fields = Object.entries(value).filter(([key, one]) => !OF_PLACES.has(key) && !isUsage(key, one));
  return Object.fromEntries(
    fields.map(([key, one]) => [key, comparable(key === "streams" ? (one ?? []) : one)]),
  );
}

/** Bytes that the account stores, not where a stream is kept. */
const isUsage = (key: string, value: unknown): boolean => key === "storage" && typeof value === "number";

describe.each([1, 3])("with %d replicas", (replicas) => {
  it.each(Object.entries({ ...CONVERSATIONS, ...FEATURES, ...BATCHES, ...ORIGINS }))(
    "%s are answered as by one server",
    async (_name, all) => {
      const steps = all.filter(isForBoth);
      const [shoal, reference] = await Promise.all([
        answersOfCluster(steps, replicas),
        natsServer === undefined ? null : answersOfOne(natsServer, steps),
      ]);
      expect(shoal).toHaveLength(steps.length);
      for (const [i, step] of steps.entries())
        if (reference !== null) expect.soft(shoal[i], JSON.stringify(step)).toEqual(reference[i]);
    },
    TEST_TIMEOUT_MS,
  );
});
