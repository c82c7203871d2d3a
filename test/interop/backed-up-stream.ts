/** A stream with all that a backup has to keep, on either server, and what is compared of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { onTestFinished } from "vitest";
import { startServer } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

type Filled = Pick<Started, "client" | "manager"> & { readonly url?: string };

interface Contents {
  readonly consumers: readonly unknown[];
  readonly [field: string]: unknown;
}

export interface Started {
  readonly url: string;
  readonly client: NatsConnection;
  readonly manager: JetStreamManager;
}

export async function start(command: string): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const server = await startServer(command, `jetstream { store_dir: ${JSON.stringify(folder)} }`);
  const url = `nats://127.0.0.1:${server.port}`;
  const client = await connect({ servers: url });
  onTestFinished(async () => {
    await client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { url, client, manager: await jetstreamManager(client, PATIENT) };
}

/** Messages with headers and times to live, large ones, gaps at both ends and between; consumers that wait for some. */
export async function fill({ client, manager }: Filled, replicas = 1): Promise<void> {
  const about = { allow_msg_ttl: true, max_msgs_per_subject: 500, num_replicas: replicas };
  await manager.streams.add({ name: "S", subjects: ["s.>"], ...about });
  const js = jetstream(client, PATIENT);
  for (let i = 1; i <= 300; i++) {
    const extra = headers();
    extra.set("Kind", `k${i}`);
    if (i % 10 === 0) extra.set("Nats-TTL", "1h");
    const size = i % 50 === 0 ? 200_000 : i;
    await js.publish(`s.${i % 7}`, "x".repeat(size), i % 2 === 0 ? { headers: extra } : {});
  }
  for (const seq of [1, 2, 77, 78, 150, 299, 300]) await manager.streams.deleteMessage("S", seq);
  await manager.consumers.add("S", { durable_name: "c", ack_policy: AckPolicy.Explicit, ack_wait: 3600e9 });
  await manager.consumers.add("S", {
    durable_name: "fresh",
    ack_policy: AckPolicy.Explicit,
    filter_subject: "s.3",
  });
  const consumer = await js.consumers.get("S", "c");
  for await (const message of await consumer.fetch({ max_messages: 20, expires: 60_000 }))
    if (message.seq % 3 !== 0) await message.ackAck();
}

/** All that a backup has to keep. */
export async function contents({ manager }: Pick<Started, "manager">): Promise<Contents> {
  const { state, config } = await manager.streams.info("S", { deleted_details: true });
  const messages: unknown[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage("S", { seq });
    if (message === null) continue;
    const { subject, data, header, timestamp } = message;
    const head = header === undefined ? [] : [...header.keys()].map((key) => [key, header.values(key)]);
    messages.push([seq, subject, Buffer.from(data).toString("latin1"), head, timestamp]);
  }
  const consumers: unknown[] = [];
  for await (const {
    name,
    delivered,
    ack_floor: floor,
    num_ack_pending,
    num_pending,
  } of manager.consumers.list("S"))
    consumers.push([
      name,
      delivered.stream_seq,
      delivered.consumer_seq,
      floor.stream_seq,
      floor.consumer_seq,
      num_ack_pending,
      num_pending,
    ]);
  const { first_seq, last_seq, num_deleted, deleted, messages: count } = state;
  return {
    first_seq,
    last_seq,
    num_deleted,
    deleted,
    count,
    messages,
    consumers: consumers.toSorted((a, b) => String(a).localeCompare(String(b))),
    subjects: config.subjects,
  };
}
