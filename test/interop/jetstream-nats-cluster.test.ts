/** A shoal among nats-servers that keep streams: it follows what they agree on, and never leads it. */
import {
  AckPolicy,
  jetstream,
  jetstreamManager,
  StorageType,
  type JetStreamManager,
} from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingKinds } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import type { InProcessServer } from "../support/in-process-server.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { clusterOf, NatsStreamCluster, TAG } from "../support/nats-stream-cluster.ts";
import { PATIENT } from "../support/patience.ts";

const missing = missingKinds(["nats-new"]);
const tool = findNatsCli();

interface MetaGroup {
  readonly leader?: string;
  readonly replicas?: readonly { readonly name: string; readonly current: boolean; readonly peer: string }[];
}

/** The meta group, as a nats-server reports it. */
async function metaGroup(servers: NatsStreamCluster): Promise<MetaGroup> {
  const admin = await servers.admin(0);
  return waitFor("the report of the leader", async () => {
    const answers = await admin.requestMany(
      "$SYS.REQ.SERVER.PING.JSZ",
      JSON.stringify({ leader_only: true }),
      {
        strategy: "timer",
        maxWait: 1000,
      },
    );
    for await (const answer of answers) {
      const { data } = answer.json<{ data?: { meta_cluster?: MetaGroup } }>();
      if ((data?.meta_cluster?.replicas?.length ?? 0) > 0) return data!.meta_cluster!;
    }
    return undefined;
  });
}

async function isCurrent(servers: NatsStreamCluster, name: string): Promise<boolean> {
  const { replicas = [] } = await metaGroup(servers);
  return replicas.some((one) => one.name === name && one.current);
}

/** The streams and consumers that a shoal knows of, with those who keep them. */
function known(shoal: InProcessServer): string[] {
  return [...clusterOf(shoal).meta.assignments.all()]
    .map(({ assignment: { config, group }, consumers }) =>
      [config.name, `r${group.peers.length}`, ...[...consumers.keys()].toSorted()].join(" "),
    )
    .toSorted();
}

/** The messages of a stream as a shoal has them; undefined: it has no copy. */
function copyOn(shoal: InProcessServer, name: string): string[] | undefined {
  const stream = clusterOf(shoal).assets.replicaOf("$G", name)?.stream;
  if (stream === undefined) return undefined;
  const { store } = stream;
  const found = [`first ${store.first} last ${store.last} messages ${store.messages}`];
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
    const { subject, body, timeNs } = store.read(at)!;
    found.push(`${at} ${subject} ${timeNs / 1_000_000n} ${Buffer.from(body).toString("latin1")}`);
  }
  return found;
}

/** The same, as the leader of the stream has them. */
async function copyOfLeader(manager: JetStreamManager, name: string): Promise<string[]> {
  const { state } = await manager.streams.info(name);
  const found = [`first ${state.first_seq} last ${state.last_seq} messages ${state.messages}`];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(name, { seq });
    if (message === null) continue;
    const head = (message as unknown as { smr: { message: { hdrs?: string } } }).smr.message.hdrs ?? "";
    const body = Buffer.concat([Buffer.from(head, "base64"), message.data]);
    found.push(`${seq} ${message.subject} ${message.time.getTime()} ${body.toString("latin1")}`);
  }
  return found;
}

async function expectSame(
  servers: { shoal: InProcessServer; manager: JetStreamManager },
  name: string,
): Promise<void> {
  const { shoal, manager } = servers;
  let of: readonly (readonly string[] | undefined)[] = [];
  await waitFor(
    `the same messages of ${name} on both`,
    async () => {
      of = [copyOn(shoal, name), await copyOfLeader(manager, name)];
      return of[0]?.join("\n") === of[1]!.join("\n");
    },
    () =>
      JSON.stringify(
        of.map((copy) => copy?.map((line) => line.slice(0, 120))),
        null,
        1,
      ),
  );
}

/** The state of a consumer is the same on a shoal as its leader says. Floors may differ by messages that are gone: they count on one alone. */
async function expectSameState(
  { shoal, manager }: { readonly shoal: InProcessServer; readonly manager: JetStreamManager },
  stream: string,
  name: string,
): Promise<void> {
  let states: readonly string[] = [];
  await waitFor(
    `the same state of ${name} on both`,
    async () => {
      const state = clusterOf(shoal).assets.consumerReplicaOf("$G", stream, name)?.state;
      const info = await manager.consumers.info(stream, name);
      const { delivered, ack_floor: floor, num_ack_pending: pending } = info;
      const told = [delivered.stream_seq, delivered.consumer_seq, floor.consumer_seq, pending];
      const kept = [state?.delivered.stream, state?.delivered.consumer, state?.floor.consumer];
      states = [[...kept, state?.pending.size].join(), told.join()];
      return states[0] === states[1];
    },
    () => states.join(" <> "),
  );
}

describe.skipIf(missing.length > 0)("a shoal that joins nats-servers with streams", () => {
  const servers = new NatsStreamCluster();
  let manager: JetStreamManager;
  let shoal: InProcessServer;
  beforeAll(async () => {
    await servers.start();
    manager = await jetstreamManager(await servers.client(2), PATIENT);
    await waitFor("a stream to be made", () =>
      manager.streams.add({ name: "BEFORE", subjects: ["before"], num_replicas: 3 }).catch(() => undefined),
    );
    await manager.consumers.add("BEFORE", { durable_name: "reader" });
    shoal = await servers.startShoal("s1");
    await waitFor("the shoal to be a current member", () => isCurrent(servers, "s1"));
  });
  afterAll(async () => servers[Symbol.asyncDispose]());

  it("becomes a member, and knows everything that is assigned", async () => {
    await waitFor("what was assigned before", () => known(shoal).includes("BEFORE r3 reader"));
    await manager.streams.add({ name: "AFTER", subjects: ["after"], storage: StorageType.Memory });
    await manager.streams.delete("BEFORE");
    await waitFor("what is assigned now", () => known(shoal).join() === "AFTER r1");
    const { leader, replicas } = await metaGroup(servers);
    expect(leader).toMatch(/^n[123]$/);
    expect(replicas).toHaveLength(3);
    if (tool !== undefined)
      await waitFor("the report of the tool to name it as current", async () => {
        await using report = new NatsCommand(tool, servers.adminUrl(0), ["server", "report", "jetstream"]);
        return /s1\s.*│\s*│\s*true/.test(await report.done());
      });
    await manager.streams.delete("AFTER");
    await waitFor("nothing to be assigned", () => known(shoal).length === 0);
  });

  it("keeps a copy of a stream that a nats-server leads, and of its consumer", async () => {
    const placed = { num_replicas: 3, placement: { cluster: "", tags: [TAG] } };
    await waitFor("a stream to be placed on the shoal, too", () =>
      manager.streams
        .add({ name: "S", subjects: ["s.>"], max_msgs_per_subject: 4, allow_rollup_hdrs: true, ...placed })
        .catch(() => undefined),
    );
    const js = jetstream(await servers.client(2), PATIENT);
    await waitFor("the stream to be heard", () => js.publish("s.a", "first").catch(() => undefined));
    for (let i = 0; i < 6; i++) await js.publish("s.a", `hello ${i}`);
    const marked = headers();
    marked.set("Nats-Msg-Id", "one");
    await js.publish("s.headed", "with headers", { headers: marked });
    expect(await js.publish("s.headed", "again", { headers: marked })).toMatchObject({ duplicate: true });
    for (let i = 0; i < 3; i++) await js.publish("s.packed", "0123456789abcdef".repeat(1000 + i));
    await expectSame({ shoal, manager }, "S");
    await manager.streams.deleteMessage("S", 4);
    await manager.streams.purge("S", { filter: "s.packed", keep: 1 });
    const rollup = headers();
    rollup.set("Nats-Rollup", "sub");
    await js.publish("s.headed", "rolled up", { headers: rollup });
    await expectSame({ shoal, manager }, "S");

    await manager.consumers.add("S", { durable_name: "c", ack_policy: AckPolicy.Explicit });
    const consumer = await js.consumers.get("S", "c");
    for (let i = 0; i < 4; i++) {
      const message = await consumer.next();
      if (i !== 1) await message!.ackAck();
    }
    await expectSameState({ shoal, manager }, "S", "c");
  });

  it("gets what it lacks when it comes back, and everything when its disk is empty", async () => {
    const js = jetstream(await servers.client(2), PATIENT);
    await servers.stopShoal("s1");
    for (let i = 0; i < 5; i++) await js.publish("s.c", `while it is away ${i}`);
    shoal = await servers.startShoal("s1");
    await expectSame({ shoal, manager }, "S");
    await expectSameState({ shoal, manager }, "S", "c");
    await servers.stopShoal("s1");
    servers.wipe("s1");
    await manager.streams.purge("S", { filter: "s.a" });
    await js.publish("s.c", "while its disk is lost");
    shoal = await servers.startShoal("s1");
    await expectSame({ shoal, manager }, "S");
    await expectSameState({ shoal, manager }, "S", "c");
    expect((await metaGroup(servers)).replicas).toHaveLength(3);
  });
});
