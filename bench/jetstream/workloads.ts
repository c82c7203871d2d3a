/** Workloads on JetStream. Each prepares what it needs, and then does `count` messages as fast as the server lets it. */
import { check, type WireClient } from "./client.ts";

export interface Workload {
  readonly name: string;
  readonly about: string;
  /** Messages of a run, for a server of 100,000 a second or so. */
  readonly count: number;
  /** Done before the clock starts. */
  prepare(target: Target): Promise<void>;
  /** Resolves when the last message was acknowledged or delivered; with round trips in ms where it waits for each. */
  run(target: Target): Promise<readonly number[]>;
}

interface Target {
  readonly client: WireClient;
  readonly count: number;
  readonly storage: "file" | "memory";
}

const INBOX = "_INBOX.bench";
const PULL_BATCH = 500;

function payloadOf(bytes: number): string {
  return "x".repeat(bytes);
}

/** One request to the API. */
async function ask({ client }: Target, subject: string, payload: object): Promise<void> {
  const body = JSON.stringify(payload);
  await new Promise<void>((resolve) => {
    client.onMessage = (_, __, answer) => {
      check(answer);
      resolve();
    };
    client.write(
      `SUB ${INBOX}.api.* 999\r\nPUB $JS.API.${subject} ${INBOX}.api.1 ${body.length}\r\n${body}\r\nUNSUB 999 1\r\n`,
    );
  });
}

async function makeStream(target: Target, more: object = {}): Promise<void> {
  await ask(target, "STREAM.CREATE.BENCH", {
    name: "BENCH",
    subjects: ["bench.>"],
    storage: target.storage,
    allow_direct: true,
    ...more,
  });
}

/** Publishes `count` messages with so many unacknowledged at most. */
function publish(
  { client, count }: Target,
  bytes: number,
  window: number,
  subjectOf: (index: number) => string,
): Promise<readonly number[]> {
  const payload = payloadOf(bytes);
  const times: number[] = [];
  let sent = 0;
  let acknowledged = 0;
  let sentAt = 0;
  client.write(`SUB ${INBOX}.ack.* 1000\r\n`);
  const send = (upTo: number): void => {
    let text = "";
    for (; sent < upTo; sent++)
      text += `PUB ${subjectOf(sent)} ${INBOX}.ack.${sent} ${bytes}\r\n${payload}\r\n`;
    sentAt = performance.now();
    client.write(text);
  };
  return new Promise((resolve) => {
    client.onMessage = (_, __, body) => {
      check(body);
      acknowledged++;
      if (window === 1) times.push(performance.now() - sentAt);
      if (acknowledged === count) {
        client.write("UNSUB 1000\r\n");
        resolve(times);
      } else if (sent < count && sent - acknowledged <= window / 2)
        send(Math.min(count, acknowledged + window));
    };
    send(Math.min(count, window));
  });
}

async function fill(target: Target, bytes: number, subjectOf: (index: number) => string): Promise<void> {
  await makeStream(target);
  await publish(target, bytes, 1000, subjectOf);
}

const oneSubject = (): string => "bench.a";

function publishing(name: string, bytes: number, window: number, count: number, subjects = 1): Workload {
  const subjectOf = subjects === 1 ? oneSubject : (index: number): string => `bench.${index % subjects}`;
  const how = window === 1 ? "each awaited" : `${window} unacknowledged at most`;
  return {
    name,
    about: `publish ${bytes} B, ${how}${subjects === 1 ? "" : `, ${subjects} subjects`}`,
    count,
    prepare: (target) => makeStream(target),
    run: (target) => publish(target, bytes, window, subjectOf),
  };
}

/** Fetches batches and acknowledges each message. */
function pull(target: Target): Promise<readonly number[]> {
  const { client, count } = target;
  const next = (): void => {
    const payload = JSON.stringify({ batch: PULL_BATCH, expires: 30_000_000_000 });
    client.write(`PUB $JS.API.CONSUMER.MSG.NEXT.BENCH.C ${INBOX}.pull ${payload.length}\r\n${payload}\r\n`);
  };
  let got = 0;
  let acks = "";
  client.write(`SUB ${INBOX}.pull 1001\r\n`);
  return new Promise((resolve) => {
    client.onMessage = (_, reply) => {
      if (reply === "") return; // a status
      acks += `PUB ${reply} 0\r\n\r\n`;
      got++;
      if (got % PULL_BATCH !== 0 && got < count) return;
      client.write(acks);
      acks = "";
      if (got < count) return next();
      client.write("UNSUB 1001\r\n");
      void settled(target).then(() => resolve([]));
    };
    next();
  });
}

/** All is acknowledged: the server has worked off what was sent. */
async function settled(target: Target): Promise<void> {
  for (;;) {
    const info = await new Promise<{ num_ack_pending: number }>((resolve) => {
      target.client.onMessage = (_, __, body) =>
        resolve(JSON.parse(body.toString()) as { num_ack_pending: number });
      target.client.write(
        `SUB ${INBOX}.info 1002\r\nPUB $JS.API.CONSUMER.INFO.BENCH.C ${INBOX}.info 0\r\n\r\nUNSUB 1002 1\r\n`,
      );
    });
    if (info.num_ack_pending === 0) return;
  }
}

/** A push consumer without acknowledgements delivers the whole stream. */
async function replay(target: Target): Promise<readonly number[]> {
  const { client, count } = target;
  const config = { deliver_subject: `${INBOX}.push`, ack_policy: "none", deliver_policy: "all", name: "P" };
  client.write(`SUB ${INBOX}.push 1003\r\n`);
  const body = JSON.stringify({ stream_name: "BENCH", config });
  let got = 0;
  return new Promise((resolve) => {
    client.onMessage = (_, reply) => {
      if (reply === "" || ++got < count) return;
      client.write("UNSUB 1003\r\n");
      resolve([]);
    };
    client.write(
      `PUB $JS.API.CONSUMER.CREATE.BENCH.P ${INBOX}.none ${Buffer.byteLength(body)}\r\n${body}\r\n`,
    );
  });
}

/** Direct gets of the last message of a subject, 64 under way. */
function get({ client, count }: Target, keys: number): Promise<readonly number[]> {
  let sent = 0;
  let got = 0;
  const send = (n: number): void => {
    let text = "";
    for (; n > 0 && sent < count; n--, sent++)
      text += `PUB $JS.API.DIRECT.GET.BENCH.bench.${(sent * 7919) % keys} ${INBOX}.get 0\r\n\r\n`;
    client.write(text);
  };
  client.write(`SUB ${INBOX}.get 1004\r\n`);
  return new Promise((resolve, reject) => {
    client.onMessage = (_, __, body) => {
      if (body.subarray(0, 12).toString("latin1") === "NATS/1.0 404") return reject(new Error("404"));
      got++;
      if (got === count) {
        client.write("UNSUB 1004\r\n");
        resolve([]);
      } else if (got % 32 === 0) send(32);
    };
    send(64);
  });
}

const KEYS = 1000;

export const WORKLOADS: readonly Workload[] = [
  publishing("sync128", 128, 1, 5000),
  publishing("async16", 16, 1000, 300_000),
  publishing("async128", 128, 1000, 300_000),
  publishing("async1k", 1024, 1000, 200_000),
  publishing("async16k", 16_384, 256, 20_000),
  publishing("async128u", 128, 1000, 300_000, 1000),
  {
    name: "pull128",
    about: `pull 128 B in batches of ${PULL_BATCH}, each acknowledged`,
    count: 200_000,
    async prepare(target) {
      await fill(target, 128, oneSubject);
      const config = { durable_name: "C", name: "C", ack_policy: "explicit", max_ack_pending: 10_000 };
      await ask(target, "CONSUMER.CREATE.BENCH.C", { stream_name: "BENCH", config });
    },
    run: pull,
  },
  {
    name: "push128",
    about: "replay 128 B to a push consumer without acknowledgements",
    count: 300_000,
    prepare: (target) => fill(target, 128, oneSubject),
    run: replay,
  },
  {
    name: "get128",
    about: `direct get of the last of ${KEYS} subjects, 64 under way`,
    count: 100_000,
    prepare: (target) => fill({ ...target, count: KEYS * 10 }, 128, (index) => `bench.${index % KEYS}`),
    run: (target) => get(target, KEYS),
  },
];
