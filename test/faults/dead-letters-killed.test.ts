/** A server that is killed while its consumer gives messages up: each is kept as a dead letter, and once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, it, onTestFinished } from "vitest";
import { startServer } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

const MESSAGES = 200;
const KILLS = 3;
const command = join(import.meta.dirname, "../../bin/shoal");

it("keeps each message that a consumer gives up, whenever the server is killed", async () => {
  const storeDir = mkdtempSync(join(tmpdir(), "shoal-test-"));
  onTestFinished(() => rmSync(storeDir, { recursive: true, force: true }));
  const start = () => startServer(command, `jetstream { store_dir: ${JSON.stringify(storeDir)} }`);
  let server = await start();
  onTestFinished(() => server.stop());
  let client = await connect({ servers: `127.0.0.1:${server.port}`, reconnect: false });
  const manager = await jetstreamManager(client, PATIENT);
  await manager.streams.add({ name: "DEAD" });
  await manager.streams.add({ name: "S", subjects: ["s"] });
  await manager.consumers.add("S", {
    ...{ durable_name: "c", ack_policy: AckPolicy.Explicit, max_deliver: 1, ack_wait: 50e6 },
    metadata: { "shoal.dead_letter": "DEAD" },
  });
  const js = jetstream(client, PATIENT);
  for (let i = 0; i < MESSAGES; i++) await js.publish("s", `message ${i}`);
  let left = MESSAGES;
  const consumer = await js.consumers.get("S", "c");
  for await (const _ of await consumer.fetch({ max_messages: MESSAGES, expires: 60_000 })) left--;
  expect(left).toBe(0);

  for (let kill = 0; kill < KILLS; kill++) {
    await server.stop(); // by SIGKILL
    await client.closed();
    server = await start();
    client = await connect({ servers: `127.0.0.1:${server.port}`, reconnect: false });
  }
  const afterwards = await jetstreamManager(client, PATIENT);
  await expect.poll(() => pendingOf(afterwards)).toBe(0);
  const kept = new Set<string>();
  const { state } = await afterwards.streams.info("DEAD");
  for (let seq = 1; seq <= state.last_seq; seq++)
    kept.add((await afterwards.streams.getMessage("DEAD", { seq }))!.string());
  expect([state.messages, kept.size]).toEqual([MESSAGES, MESSAGES]);
  await client.close();
});

async function pendingOf(manager: JetStreamManager): Promise<number> {
  return (await manager.consumers.info("S", "c")).num_ack_pending;
}
