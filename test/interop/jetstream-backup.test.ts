/** Backups by the `nats` tool, from each server to each: the stream that comes back is the one that was saved. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { startServer } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

requireNatsServer();
const program = findNatsCli();

interface Started {
  readonly url: string;
  readonly client: NatsConnection;
  readonly manager: JetStreamManager;
}

async function start(command: string): Promise<Started> {
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
async function fill({ client, manager }: Started): Promise<void> {
  await manager.streams.add({ name: "S", subjects: ["s.>"], allow_msg_ttl: true, max_msgs_per_subject: 500 });
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
async function contents({ manager }: Started): Promise<unknown> {
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

const pairs = bothServers.flatMap((from) => bothServers.map((to) => [from, to] as const));

describe.skipIf(program === undefined)("nats stream backup and restore", () => {
  it.each(pairs.map(([from, to]) => [from.name, to.name, from, to] as const))(
    "from %s to %s",
    async (_from, _to, from, to) => {
      const backup = mkdtempSync(join(tmpdir(), "shoal-test-"));
      onTestFinished(() => rmSync(backup, { recursive: true, force: true }));
      const [source, target] = [await start(from.command), await start(to.command)];
      await fill(source);
      const saved = await contents(source);
      const nats = (url: string, ...words: string[]) => new NatsCommand(program!, url, words).done();
      await nats(source.url, "stream", "backup", "S", join(backup, "S"), "--no-progress", "--consumers");
      await nats(target.url, "stream", "restore", join(backup, "S"), "--no-progress");
      expect(await contents(target)).toEqual(saved);
      const { seq } = await jetstream(target.client, PATIENT).publish("s.1", "next");
      expect(seq).toBe(301);
      await expect(nats(target.url, "stream", "restore", join(backup, "S"), "--no-progress")).rejects.toThrow(
        /in use|exist/,
      );
    },
  );

  it("refuses what is damaged, says why, leaves nothing behind, and takes the backup that is whole", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { url, client, manager } = await start("bin/shoal");
    await fill({ url, client, manager });
    const backup = join(folder, "S");
    const nats = (...words: string[]) => new NatsCommand(program!, url, words).done();
    const restore = async (): Promise<unknown> => nats("stream", "restore", backup, "--no-progress");
    await nats("stream", "backup", "S", backup, "--no-progress", "--consumers");
    await manager.streams.delete("S");
    const file = join(
      backup,
      readdirSync(backup).find((name) => name.endsWith(".s2"))!,
    );
    const whole = readFileSync(file);
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1]! ^= 1;
    const damaged = [
      ["cut off", whole.subarray(0, whole.length >> 1)],
      ["cut off", Buffer.alloc(0)],
      ["checksum is wrong", flipped],
    ] as const;
    for (const [reason, content] of damaged) {
      writeFileSync(file, content);
      await expect(restore()).rejects.toThrow(reason);
      expect(await manager.streams.names().next()).toEqual([]);
    }
    writeFileSync(file, whole);
    await restore();
    expect((await manager.streams.info("S")).state.messages).toBe(293);
  });
});
