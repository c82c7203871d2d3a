/**
 * What clients do all through a chaos run: publishers that repeat a message with its id until it is acknowledged, a consumer that pulls and one
 * that is pushed to, a work queue, and writers who change keys by compare-and-set. Rates are low: the faults are the load.
 */
import { jetstream, type JetStreamClient, type JsMsg } from "@nats-io/jetstream";
import { Kvm, type KV } from "@nats-io/kv";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { randomInt, type Random } from "../../src/base/random.ts";
import { ask, ASK_TIMEOUT_MS, client, pause } from "./clients.ts";
import type { Delivery, History } from "./history.ts";

export const EVENTS = "EVENTS";
export const WORK = "WORK";
export const KEYS = "KV_keys";
export const PULL = "pull";
export const PUSH = "push";
const WORKERS = "workers";
export const CONSUMERS = [
  { stream: EVENTS, consumer: PULL },
  { stream: EVENTS, consumer: PUSH },
  { stream: WORK, consumer: WORKERS },
] as const;
export const STREAMS = [EVENTS, WORK, KEYS] as const;

const HOUR_NS = 3_600_000_000_000;
const ACK_WAIT_NS = 5_000_000_000;
const PUSH_SUBJECT = "pushed";
const BUCKET = "keys";
const KEY_COUNT = 5;
const PUBLISH_EVERY_MS = 40;
const PUT_EVERY_MS = 60;
const RETRY_MS = 100;
const FETCH = 20;
/** Of so many deliveries one is not acknowledged, and comes again. */
const UNACKNOWLEDGED_ONE_OF = 20;

const STREAM_CONFIGS = [
  { name: EVENTS, subjects: ["events.*"] },
  { name: WORK, subjects: ["work.*"], retention: "workqueue" },
  {
    name: KEYS,
    subjects: [`$KV.${BUCKET}.>`],
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
  },
].map((config) => ({ num_replicas: 3, storage: "file", duplicate_window: HOUR_NS, ...config }));

export function streamConfig(stream: string): (typeof STREAM_CONFIGS)[number] {
  return STREAM_CONFIGS.find(({ name }) => name === stream)!;
}

/** Whether the servers made all in time. */
export async function makeAssets(nc: NatsConnection, withinMs: number): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  const until = async (subject: string, body: object, info: string): Promise<boolean> => {
    for (; performance.now() < endMs; await pause(200)) {
      await ask(nc, subject, body);
      const found = await ask(nc, info);
      if (found !== undefined && found.error === undefined) return true;
    }
    return false;
  };
  for (const config of STREAM_CONFIGS)
    if (!(await until(`STREAM.CREATE.${config.name}`, config, `STREAM.INFO.${config.name}`))) return false;
  for (const { stream, consumer } of CONSUMERS) {
    const config = {
      durable_name: consumer,
      ack_policy: "explicit",
      ack_wait: ACK_WAIT_NS,
      max_ack_pending: 500,
      ...(consumer === PUSH ? { deliver_subject: PUSH_SUBJECT } : {}),
    };
    const subject = `CONSUMER.CREATE.${stream}.${consumer}`;
    const body = { stream_name: stream, config };
    if (!(await until(subject, body, `CONSUMER.INFO.${stream}.${consumer}`))) return false;
  }
  return true;
}

export interface WorkloadsOptions {
  readonly servers: readonly string[];
  readonly history: History;
  readonly random: Random;
}

export class Workloads {
  private readonly options: WorkloadsOptions;
  private readonly connections: NatsConnection[] = [];
  private readonly publishing: Promise<void>[] = [];
  private readonly consuming: Promise<void>[] = [];
  private publishes = true;
  private consumes = true;

  constructor(options: WorkloadsOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    for (const stream of [EVENTS, EVENTS, WORK]) {
      const nc = await this.connect();
      this.publishing.push(this.publish(jetstream(nc, { timeout: ASK_TIMEOUT_MS }), stream));
    }
    for (let i = 0; i < 3; i++) this.publishing.push(this.put(await this.connect(), `w${i}`));
    this.consuming.push(this.pull(await this.connect(), EVENTS, PULL));
    for (let i = 0; i < 2; i++) this.consuming.push(this.pull(await this.connect(), WORK, WORKERS));
    await this.listen(await this.connect());
  }

  /** Resolves when the last message of each publisher was answered, or given up. */
  async stopPublishing(): Promise<void> {
    this.publishes = false;
    await Promise.all(this.publishing);
  }

  async stop(): Promise<void> {
    this.publishes = this.consumes = false;
    await Promise.all([...this.publishing, ...this.consuming]);
    await Promise.all(this.connections.map((nc) => nc.close()));
  }

  private async connect(): Promise<NatsConnection> {
    const nc = await client(this.options.servers);
    this.connections.push(nc);
    return nc;
  }

  private async publish(js: JetStreamClient, stream: string): Promise<void> {
    const { history } = this.options;
    const publisher = this.publishing.length;
    for (let i = 0; this.publishes; i++) {
      const record = history.publish(`p${publisher}.${i}`, stream);
      const subject = `${stream.toLowerCase()}.${publisher}`;
      while (record.acknowledged === undefined) {
        const options = { msgID: record.id, timeout: ASK_TIMEOUT_MS, retries: 0 };
        const ack = await js.publish(subject, `${record.id} of ${stream}`, options).catch(() => undefined);
        if (ack !== undefined) record.acknowledged = { atMs: performance.now(), seq: ack.seq };
        else if (!this.publishes) return;
        else await pause(RETRY_MS);
      }
      await pause(PUBLISH_EVERY_MS);
    }
  }

  /** Reads a key and changes it, unless somebody else was faster. */
  private async put(nc: NatsConnection, writer: string): Promise<void> {
    const { history, random } = this.options;
    const js = jetstream(nc, { timeout: ASK_TIMEOUT_MS });
    let keys: KV | undefined;
    for (let i = 0; this.publishes; i++) {
      await pause(PUT_EVERY_MS);
      try {
        keys ??= await new Kvm(js).open(BUCKET);
        const key = `k${randomInt(random, KEY_COUNT)}`;
        const revision = (await keys.get(key))?.revision ?? 0;
        const record = history.put(`${writer}.${i}`, key, revision);
        const seq = await keys.put(key, record.id, { previousSeq: revision, timeout: ASK_TIMEOUT_MS });
        record.acknowledged = { atMs: performance.now(), seq };
      } catch {
        await pause(RETRY_MS);
      }
    }
  }

  private async pull(nc: NatsConnection, stream: string, name: string): Promise<void> {
    const js = jetstream(nc, { timeout: ASK_TIMEOUT_MS });
    while (this.consumes) {
      try {
        const consumer = await js.consumers.get(stream, name);
        const messages = await consumer.fetch({ max_messages: FETCH, expires: 1000 });
        const acks: Promise<void>[] = [];
        for await (const message of messages)
          acks.push(this.take(stream, name, message.seq, message.string(), () => confirmed(message)));
        await Promise.all(acks);
      } catch {
        await pause(RETRY_MS);
      }
    }
  }

  /** The subscription of the push consumer, which stays through reconnections. */
  private async listen(nc: NatsConnection): Promise<void> {
    nc.subscribe(PUSH_SUBJECT, {
      callback: (error, message) => {
        if (error !== null || !this.consumes) return;
        const seq = sequenceOf(message.reply ?? "");
        void this.take(EVENTS, PUSH, seq, message.string(), () => answered(nc, message));
      },
    });
    await nc.flush().catch(() => undefined); // it subscribes again with the next connection
  }

  private async take(
    stream: string,
    consumer: string,
    seq: number,
    text: string,
    acknowledge: () => Promise<boolean>,
  ): Promise<void> {
    const { history, random } = this.options;
    const id = text.split(" ", 1)[0]!;
    const delivery: Delivery = history.deliver({ stream, consumer, seq, id });
    if (randomInt(random, UNACKNOWLEDGED_ONE_OF) === 0) return;
    if (await acknowledge()) delivery.confirmedMs = performance.now();
  }
}

/** The sequence in an ack reply in the short or the long form, which names domain and account as well. */
function sequenceOf(reply: string): number {
  const tokens = reply.split(".");
  return Number(tokens[tokens.length > 9 ? 7 : 5]);
}

function confirmed(message: JsMsg): Promise<boolean> {
  return message.ackAck({ timeout: ASK_TIMEOUT_MS }).catch(() => false);
}

async function answered(nc: NatsConnection, message: Msg): Promise<boolean> {
  const answer = await nc
    .request(message.reply ?? "", "+ACK", { timeout: ASK_TIMEOUT_MS })
    .catch(() => undefined);
  return answer !== undefined;
}
