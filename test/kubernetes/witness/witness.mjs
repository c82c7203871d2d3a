// Publishes, subscribes and requests through official clients, and counts what is lost. Runs in a pod of its own.
//
//     PUBLISH, SUBSCRIBE   host:port of the server that each of the two steady clients connects to
//     ROAM                 host:port that the roaming clients connect to, again and again
//     OPTIONS              JSON of further options of all clients, such as { "user": …, "tls": {} }
//
// GET /report on port 8080 tells what was counted; GET /stop ends publishing, waits for what is under way, and tells.
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";

const { PUBLISH, SUBSCRIBE, ROAM, OPTIONS = "{}" } = process.env;
const report = {
  published: 0,
  received: 0,
  duplicates: 0,
  reconnects: { publisher: 0, subscriber: 0, roaming: 0, requester: 0 },
  roamingReceived: 0,
  requests: 0,
  retries: 0,
  failed: 0,
  problems: [],
  // of what the subscriber missed: what was published while it or the publisher had no server, and the rest
  lostWhileAway: 0,
  lostWhileHere: 0,
  // how long they had none, each time
  awayMs: [],
};
let isStopping = false;
/** When the publisher or the subscriber lost its server, and when it had one again. */
const absences = [];
/** A message that is on its way when a client leaves or returns is under way for this long at most. */
const SLACK_MS = 250;

async function client(role, servers) {
  const connection = await connect({
    servers,
    name: role,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 50,
    waitOnFirstConnect: true,
    ignoreClusterUpdates: true,
    ...JSON.parse(OPTIONS),
  });
  (async () => {
    let absence;
    for await (const status of connection.status()) {
      if (status.type === "disconnect") {
        absence = { from: performance.now(), to: Infinity };
        if (role === "publisher" || role === "subscriber") absences.push(absence);
      }
      if (status.type !== "reconnect") continue;
      report.reconnects[role]++;
      if (absence !== undefined) absence.to = performance.now();
    }
  })();
  return connection;
}

const [publisher, subscriber, roaming, requester] = await Promise.all([
  client("publisher", PUBLISH),
  client("subscriber", SUBSCRIBE),
  client("roaming", ROAM),
  client("requester", ROAM),
]);

const seen = new Set();
/** By message: when it was published. */
const publishedAt = [];
subscriber.subscribe("witness.load", {
  callback(_, message) {
    const n = message.string();
    if (seen.has(n)) report.duplicates++;
    seen.add(n);
    report.received = seen.size;
  },
});
roaming.subscribe("witness.load", { callback: () => void report.roamingReceived++ });
// two of them, so that one is there while the other moves
for (const one of [publisher, subscriber]) {
  one.subscribe("witness.service", { queue: "service", callback: (_, message) => void message.respond() });
}
await Promise.all([publisher, subscriber, roaming].map((one) => one.flush()));
for (let answered = false; !answered;) {
  answered = await publisher.request("witness.service", "", { timeout: 500 }).then(
    () => true,
    () => delay(50),
  );
}
// interest in the load has reached the publisher's server once a message of its own kind came through
for (let n = 0; report.received === 0; n++) {
  publisher.publish("witness.load", `first-${n}`);
  await delay(20);
}
await delay(200);
seen.clear();
report.received = report.roamingReceived = report.duplicates = 0;

async function publish() {
  while (!isStopping) {
    for (let i = 0; i < 5; i++) {
      publishedAt[++report.published] = performance.now();
      publisher.publish("witness.load", `${report.published}`);
    }
    await delay(10);
  }
}

async function request() {
  while (!isStopping) {
    report.requests++;
    try {
      await requester.request("witness.service", "", { timeout: 2000 });
    } catch {
      report.retries++;
      await delay(100);
      await requester.request("witness.service", "", { timeout: 5000 }).catch((error) => {
        report.failed++;
        if (report.problems.length < 10) report.problems.push(String(error));
      });
    }
    await delay(20);
  }
}

const running = Promise.all([publish(), request()]);

function judgeLosses() {
  report.awayMs = absences.map(({ from, to }) => Math.round(to - from));
  report.lostWhileAway = report.lostWhileHere = 0;
  for (let n = 1; n <= report.published; n++) {
    if (seen.has(`${n}`)) continue;
    const at = publishedAt[n];
    const isAway = absences.some(({ from, to }) => at >= from - SLACK_MS && at <= to + SLACK_MS);
    if (isAway) report.lostWhileAway++;
    else report.lostWhileHere++;
  }
}

createServer(async ({ url }, response) => {
  if (url === "/stop") {
    isStopping = true;
    await running;
    await publisher.flush();
    for (let n = 0; n < 100 && report.received < report.published; n++) await delay(50);
    judgeLosses();
  }
  response.end(JSON.stringify(report));
}).listen(8080, "127.0.0.1", () => console.log("under load"));
process.once("SIGTERM", () => process.exit(0));
