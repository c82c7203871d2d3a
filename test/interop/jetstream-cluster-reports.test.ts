/** What servers of a cluster tell of JetStream, and the reports that the nats command makes of it: three shoals and three nats-servers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { requireNatsServer } from "../support/both-servers.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { JetStreamTrio, TRIO, trioKinds } from "../support/jetstream-trio.ts";
import { TEST_TIMEOUT_MS } from "../support/patience.ts";

requireNatsServer();
const cli = findNatsCli();
const trios: JetStreamTrio[] = [];

/** The same on both: R3 led by n1, R1 on n2. */
async function prepare(trio: JetStreamTrio): Promise<void> {
  const made = async (subject: string, body: object): Promise<void> =>
    expect(await trio.ask("n3", subject, body)).not.toHaveProperty("error");
  await made("STREAM.CREATE.three", { name: "three", subjects: ["three.>"], num_replicas: 3 });
  await made("STREAM.CREATE.one", { name: "one", subjects: ["one"] });
  const config = { durable_name: "c", ack_policy: "explicit" };
  for (const stream of ["three", "one"])
    await made(`CONSUMER.CREATE.${stream}.c`, { stream_name: stream, config });
  const client = await trio.client("n1");
  for (const subject of ["three.a", "three.b", "one"])
    await client.request(subject, "hello", { timeout: 20_000 });
  await waitFor("all copies to be current", async () => {
    const { cluster } = await trio.ask("n1", "STREAM.INFO.three");
    return cluster?.replicas?.length === 2 && cluster.replicas.every(({ current }) => current);
  });
  for (const name of TRIO)
    await waitFor(`${name} to be healthy`, async () => (await trio.monitor(name, "healthz")).status === 200);
}

beforeAll(async () => {
  for (const kind of trioKinds) {
    const trio = new JetStreamTrio(kind);
    trios.push(trio);
    await trio.start();
    await prepare(trio);
  }
}, TEST_TIMEOUT_MS);
afterAll(async () => {
  for (const trio of trios) await trio[Symbol.asyncDispose]();
});

/** Which server a report is of, who leads, and times: they differ from run to run. */
const VARIES = new Set([
  ...[
    "server_id",
    "id",
    "now",
    "created",
    "ts",
    "first_ts",
    "last_ts",
    "store_dir",
    "level",
    "_nats.ver",
    "peer",
  ],
  ...[
    "active",
    "lag",
    "leader",
    "leader_since",
    "raft_group",
    "stream_raft_group",
    "consumer_raft_groups",
    "ver",
  ],
  ...[
    "total",
    "errors",
    "pending_entries",
    "pending_size",
    "last_time",
    "last_duration",
    "seq",
    "time",
    "start",
  ],
  ...[
    "storage",
    "memory",
    "bytes",
    "current",
    "name",
    "max_bytes",
    "streams_leader",
    "consumers_leader",
    "_nats.level",
  ],
  ...["_nats.req.level", "last_active", "sync_interval", "sync_always", "compress_ok", "strict"],
]);

/** Fields of one kind alone, and those that are there by chance. */
const ABSENT = new Set([
  "leader_since",
  "sync_interval",
  "sync_always",
  "lag",
  "scrub",
  "streams_leader",
  "consumers_leader",
]);

/** The form of a document: its fields, and what does not vary. */
function form(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = new Map(value.map((one) => [JSON.stringify(form(one)), form(one)]));
    return [...items.keys()].toSorted().map((key) => items.get(key));
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !ABSENT.has(key))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, VARIES.has(key) ? typeof one : form(one)]),
  );
}

/** The names of leaders are the same on all servers. */
async function metaLeader(trio: JetStreamTrio): Promise<string> {
  return waitFor("a leader that all know", async () => {
    const names = new Set<string>();
    for (const name of TRIO) {
      const { body } = await trio.monitor(name, "jsz");
      names.add((body as { meta_cluster?: { leader?: string } }).meta_cluster?.leader ?? "");
    }
    const [only] = names;
    return names.size === 1 && only !== "" ? only : undefined;
  });
}

describe("monitoring of a cluster with JetStream", () => {
  it.each([
    "jsz",
    "jsz?raft=1&acc=A",
    "jsz?acc=A&streams=1",
    "jsz?acc=A&streams=1&config=1&raft=1",
    "healthz",
    "healthz?details=1",
    "healthz?js-enabled-only=1",
    "healthz?js-server-only=1",
    "healthz?js-meta-only=1",
    "healthz?account=A&stream=three",
    "healthz?account=A&stream=three&consumer=c",
    "healthz?account=A&stream=three&consumer=none",
    "healthz?account=A&stream=none&details=1",
    "healthz?account=none",
  ])("%s of the leader has the same form", async (path) => {
    const [shoal, natsServer] = await Promise.all(
      trios.map(async (trio) => {
        const { status, body } = await trio.monitor(await metaLeader(trio), path);
        return { status, body: withoutLocal(form(body)) };
      }),
    );
    if (natsServer !== undefined) expect(shoal).toEqual(natsServer);
    expect(shoal!.status).toBeLessThan(500);
  });

  it("varz tells of the group of all servers", async () => {
    const [shoal, natsServer] = await Promise.all(
      trios.map(async (trio) => {
        const { body } = await trio.monitor(await metaLeader(trio), "varz");
        return form((body as { jetstream: { meta: unknown } }).jetstream.meta);
      }),
    );
    if (natsServer !== undefined) expect(shoal).toEqual(natsServer);
    expect(shoal).toMatchObject({ cluster_size: 3, quorum_needed: 2 });
  });

  it("only the leader answers who asks for it", async () => {
    for (const trio of trios) {
      const leader = await metaLeader(trio);
      for (const name of TRIO) {
        const { status, body } = await trio.monitor(name, "jsz?leader-only=1");
        expect([status, typeof body]).toEqual(name === leader ? [200, "object"] : [400, "string"]);
        if (name !== leader) expect(body).toBe("filtered response: not leader");
      }
    }
  });

  it("tells of groups by name, and of the consumers of followers", async () => {
    for (const trio of trios) {
      for (const name of TRIO) {
        const { body } = await trio.monitor(name, "jsz?acc=A&consumers=1&raft=1");
        const details = (body as JszBody).account_details[0]!.stream_detail ?? [];
        const three = details.find((one) => one.name === "three")!;
        expect(three.stream_raft_group).toMatch(/^S-R3F-/);
        expect(three.cluster.raft_group).toBe(three.stream_raft_group);
        expect(three.consumer_detail?.map((one) => one.name)).toEqual(["c"]);
        expect(three.consumer_raft_groups?.map((one) => one.name)).toEqual(["c"]);
        // followers of nats-server may not have counted
        if (trio.isShoal) expect(three.consumer_detail?.[0]?.num_pending).toBe(2);
      }
    }
  });
});

interface JszBody {
  readonly account_details: readonly {
    readonly stream_detail?: readonly {
      readonly name: string;
      readonly stream_raft_group?: string;
      readonly cluster: { readonly raft_group?: string };
      readonly consumer_raft_groups?: readonly { readonly name: string }[];
      readonly consumer_detail?: readonly { readonly name: string; readonly num_pending: number }[];
    }[];
  }[];
}

/** The server that leads by chance keeps other streams than another one. */
function withoutLocal(document: unknown): unknown {
  if (typeof document !== "object" || document === null) return document;
  const { account_details: details, ...rest } = document as Record<string, unknown>;
  for (const key of ["streams", "consumers", "messages", "ha_assets"])
    if (key in rest) rest[key] = typeof rest[key];
  const accounts = Array.isArray(details)
    ? details.map((one: Record<string, unknown>) => ({
        ...one,
        stream_detail: keptBy3(one["stream_detail"]),
      }))
    : details;
  return { ...rest, account_details: accounts };
}

function keptBy3(streams: unknown): unknown {
  if (!Array.isArray(streams)) return streams;
  return streams.filter((one: { cluster?: { replicas?: unknown } }) => one.cluster?.replicas !== undefined);
}

describe.skipIf(cli === undefined)("the nats command", () => {
  it.each([
    ["server report jetstream", "s"],
    ["server report health", "s"],
    ["server list", "s"],
    ["stream report", "a"],
    ["consumer report three", "a"],
    ["stream info three", "a"],
    ["consumer info three c", "a"],
    ["stream ls", "a"],
    ["account info", "a"],
  ] as const)("nats %s prints the same", async (words, user) => {
    const [shoal, natsServer] = await Promise.all(
      trios.map(async (trio) => {
        await using command = new NatsCommand(cli!, trio.url("n2", user), words.split(" "));
        return lines(await command.done());
      }),
    );
    if (natsServer !== undefined) expect(shoal).toEqual(natsServer);
    expect(shoal!.length).toBeGreaterThan(2);
  });

  it("steps leaders down", async () => {
    for (const trio of trios) {
      for (const words of [
        ["stream", "cluster", "step-down", "three"],
        ["consumer", "cluster", "step-down", "three", "c"],
      ]) {
        const consumer = words[0] === "consumer" ? "c" : "";
        const before = await trio.leaderOf("n2", "three", consumer);
        await using command = new NatsCommand(cli!, trio.url("n2"), words);
        expect(await command.done()).toMatch(/New leader elected/);
        expect(await trio.leaderOf("n2", "three", consumer, before)).not.toBe(before);
      }
    }
  });
});

/** Tables without what varies: numbers, times, names of servers, marks of leaders, and the widths that follow from them. */
function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) =>
      line
        .replaceAll(/[│╭╮╰╯├┤┬┴┼─═╞╡╪]/g, " ")
        .replaceAll(/\b[0-9A-Z]{56}\b|\b[0-9A-Za-z]{22}\b|\bS-R3F-\w+|\bC-R3F-\w+/g, "ID")
        .replaceAll(/20\d\d-\d\d-\d\d \d\d:\d\d:\d\d/g, "T")
        .replaceAll(/\b\d+(\.\d+)?(ns|µs|ms|s|m|h|d)?\b/g, "N")
        .replaceAll(/\bn[123]\*?/g, "SERVER")
        .replaceAll(/\s+/g, " ")
        .replaceAll(" yes true", " true")
        .trim(),
    )
    .filter((line) => line !== "")
    .toSorted();
}
