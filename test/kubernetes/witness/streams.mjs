// Keeps streams under load through official clients, and counts what is lost. Runs in a pod of its own.
//
//     ROAM       host:port that the clients connect to, again and again
//     REPLICAS   of the stream that is published to
//
// A publish that fails is repeated under the same message id, as clients do; one that nobody takes for minutes is a problem. A second stream has one
// replica and is only written at the start. GET /report on port 8080 tells what was counted; GET /stop ends publishing, reads both streams
// from their beginning, and tells.
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const { ROAM, REPLICAS = "3" } = process.env;
const STREAM = "ORDERS";
const ALONE = "ALONE";
const ALONE_MESSAGES = 200;
const PUBLISHERS = 4;
const TIMEOUT_MS = 10_000;
const REPEAT_AFTER_MS = 250;
const GIVE_UP_MS = 120_000;
const report = {
  acknowledged: 0,
  consumed: 0,
  // attempts to publish that failed, by reason
  failed: {},
  // the longest time from the first attempt to the acknowledgement
  slowestMs: 0,
  reconnects: 0,
  problems: [],
  // the server that keeps the stream of one replica
  aloneOn: "",
  // known in the end
  lost: 0,
  doubled: 0,
  unconsumed: 0,
  lostAlone: 0,
};
let isStopping = false;

function problem(text) {
  if (report.problems.length < 10) report.problems.push(text);
}

async function client(name) {
  const connection = await connect({
    servers: ROAM,
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 50,
    waitOnFirstConnect: true,
    ignoreClusterUpdates: true,
  });
  (async () => {
    for await (const { type } of connection.status()) if (type === "reconnect") report.reconnects++;
  })();
  return connection;
}

const [publisher, consumer] = await Promise.all([client("publisher"), client("consumer")]);
const manager = await jetstreamManager(publisher, { timeout: GIVE_UP_MS });
const js = jetstream(publisher, { timeout: GIVE_UP_MS });
await manager.streams.add({ name: STREAM, subjects: ["orders.>"], num_replicas: Number(REPLICAS) });
await manager.streams.add({ name: ALONE, subjects: ["alone"], num_replicas: 1 });
for (let n = 1; n <= ALONE_MESSAGES; n++) await js.publish("alone", `${n}`);
await manager.consumers.add(STREAM, { durable_name: "kitchen", ack_policy: AckPolicy.Explicit });

/** By number: the sequence that an acknowledgement told. */
const acknowledged = new Map();
const consumed = new Set();
let last = 0;

async function publish(n) {
  const since = performance.now();
  for (;;) {
    try {
      const { seq } = await js.publish(`orders.${n % 10}`, `${n}`, { msgID: `${n}`, timeout: TIMEOUT_MS });
      acknowledged.set(n, seq);
      report.acknowledged = acknowledged.size;
      report.slowestMs = Math.max(report.slowestMs, Math.round(performance.now() - since));
      return;
    } catch (error) {
      report.failed[error] = (report.failed[error] ?? 0) + 1;
      if (performance.now() - since > GIVE_UP_MS) return problem(`publish ${n}: ${error}`);
      await delay(REPEAT_AFTER_MS);
    }
  }
}

async function keepPublishing() {
  while (!isStopping) {
    await publish(++last);
    await delay(10);
  }
}

async function keepConsuming() {
  const durable = await jetstream(consumer, { timeout: GIVE_UP_MS }).consumers.get(STREAM, "kitchen");
  const messages = await durable.consume({ max_messages: 100, expires: 5000 });
  for await (const message of messages) {
    consumed.add(Number(message.string()));
    report.consumed = consumed.size;
    message.ack();
  }
  problem("the consumer has ended");
}

const publishing = Promise.all(Array.from({ length: PUBLISHERS }, keepPublishing));
keepConsuming().catch((error) => problem(`consume: ${error}`));

/** What a stream holds, by sequence. */
async function contents(stream) {
  const { state } = await manager.streams.info(stream);
  const held = new Map();
  if (state.messages === 0) return held;
  const ordered = await js.consumers.get(stream);
  const messages = await ordered.consume();
  for await (const message of messages) {
    held.set(message.seq, message.string());
    if (message.seq >= state.last_seq) break;
  }
  return held;
}

async function judge() {
  const held = await contents(STREAM);
  const times = new Map();
  for (const n of held.values()) times.set(n, (times.get(n) ?? 0) + 1);
  for (const [n, seq] of acknowledged) if (held.get(seq) !== `${n}`) report.lost++;
  for (const count of times.values()) if (count > 1) report.doubled++;
  for (const n of acknowledged.keys()) if (!consumed.has(n)) report.unconsumed++;
  const alone = new Set((await contents(ALONE)).values());
  for (let n = 1; n <= ALONE_MESSAGES; n++) if (!alone.has(`${n}`)) report.lostAlone++;
}

createServer(async ({ url }, response) => {
  if (url === "/stop") {
    isStopping = true;
    await publishing;
    for (let n = 0; n < 600 && [...acknowledged.keys()].some((each) => !consumed.has(each)); n++)
      await delay(100);
    await judge().catch((error) => problem(`judge: ${error}`));
  }
  report.aloneOn = await manager.streams.info(ALONE).then(
    ({ cluster }) => cluster?.leader ?? "",
    () => "",
  );
  response.end(JSON.stringify(report));
}).listen(8080, "127.0.0.1", () => console.log("under load"));
process.once("SIGTERM", () => process.exit(0));
