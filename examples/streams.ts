/**
 * Streams, key-value and object stores with the official client. Without a URL it starts a server in this process, which keeps
 * everything in memory; with one it uses that server, and removes what it made.
 *
 *     npm run streams
 *     npm run streams -- nats://127.0.0.1:4222
 */
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { startServer } from "shoal";

const [url] = process.argv.slice(2);
await using server = url === undefined ? await startServer({ jetstream: "memory" }) : null;
await using client = await connect({ servers: server?.url ?? url! });
const js = jetstream(client);
const manager = await jetstreamManager(client);

// A stream keeps what is published on its subjects.
await manager.streams.add({ name: "EXAMPLE_ORDERS", subjects: ["example.orders.>"] });
for (const item of ["tea", "milk", "bread"]) {
  const { stream, seq } = await js.publish(`example.orders.${item}`, `one ${item}, please`);
  console.log(`published ${item}: message ${seq} of ${stream}`);
}

// A consumer hands it out and remembers what has been acknowledged.
await manager.consumers.add("EXAMPLE_ORDERS", { durable_name: "kitchen", ack_policy: AckPolicy.Explicit });
const kitchen = await js.consumers.get("EXAMPLE_ORDERS", "kitchen");
for await (const message of await kitchen.fetch({ max_messages: 3, expires: 10_000 })) {
  console.log(`read back: ${message.string()}`);
  await message.ackAck();
}
console.log(`left for kitchen: ${(await kitchen.info()).num_pending}`);

// A key-value store keeps the newest values of its keys.
const settings = await new Kvm(client).create("example_settings", { history: 5 });
await settings.put("color", "red");
await settings.put("color", "blue");
const color = await settings.get("color");
console.log(`color is ${color?.string()}, revision ${color?.revision}`);

// An object store keeps what is too large for one message.
const files = await new Objm(client).create("example_files");
const large = new Uint8Array(3_000_000).fill(7);
await files.putBlob({ name: "large" }, large);
const found = await files.getBlob("large");
console.log(`read back an object of ${found?.length} bytes`);

await manager.streams.delete("EXAMPLE_ORDERS");
await settings.destroy();
await files.destroy();
