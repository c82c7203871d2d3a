/** What a workload has: a server, clients, and a stream that it makes. */
import { check, type WireClient } from "./client.ts";
import { madeAndLed, type REPLICAS } from "./replicated.ts";

export interface Target {
  readonly port: number;
  readonly client: WireClient;
  readonly count: number;
  readonly storage: "file" | "memory";
  /** 3: of three servers, of which clients use the one that leads. */
  readonly replicas: 1 | typeof REPLICAS;
  /** Clients beside the first one; they are closed in the end. */
  readonly others: WireClient[];
}

/** How much better than nats-server shoal is to be; absent: not asked. Times and processor time are shares of nats-server's. */
export interface Bar {
  readonly throughput?: number;
  readonly cpu?: number;
  readonly p50?: number;
  readonly p99?: number;
}

/** What a workload does. */
export interface Doing {
  /** Of so many messages one counts. Absent: each does. */
  readonly oneOf?: number;
  /** Done before the clock starts. */
  prepare(target: Target): Promise<void>;
  /** Resolves when the last message was acknowledged or delivered; with round trips in ms where it waits for each. */
  run(target: Target): Promise<readonly number[]>;
}

export interface Workload extends Doing {
  readonly name: string;
  readonly about: string;
  /** Messages of a run, for a server of 100,000 a second or so. */
  readonly count: number;
  readonly bar: Bar;
  /** "always": nats-server syncs before it acknowledges, and shoal has its default. */
  readonly policy?: "always";
  /** Absent: a file. */
  readonly storage?: "memory";
}

export const INBOX = "_INBOX.bench";
const STREAM = "BENCH";

/** One request to the API. */
export async function ask(client: WireClient, subject: string, payload: object): Promise<Buffer> {
  const body = JSON.stringify(payload);
  return new Promise((resolve) => {
    client.onMessage = (all, from, to) => {
      check(all, from, to);
      resolve(Buffer.from(all.subarray(from, to)));
    };
    client.write(
      `SUB ${INBOX}.api.* 999\r\nPUB $JS.API.${subject} ${INBOX}.api.1 ${body.length}\r\n${body}\r\nUNSUB 999 1\r\n`,
    );
  });
}

export async function makeStream({ client, storage, replicas }: Target, more: object = {}): Promise<void> {
  const config = {
    name: STREAM,
    subjects: ["bench.>"],
    storage,
    allow_direct: true,
    num_replicas: replicas,
    ...more,
  };
  const subject = `STREAM.CREATE.${STREAM}`;
  if (replicas === 1) await ask(client, subject, config);
  else await madeAndLed(client, { subject, config }, "STREAM", STREAM);
}

export async function makeConsumer({ client, replicas }: Target, config: object): Promise<void> {
  const named = { durable_name: "C", name: "C", max_ack_pending: 20_000, ...config };
  const subject = `CONSUMER.CREATE.${STREAM}.C`;
  const request = { stream_name: STREAM, config: named };
  if (replicas === 1) await ask(client, subject, request);
  else await madeAndLed(client, { subject, config: request }, "CONSUMER", `${STREAM}.C`);
}
