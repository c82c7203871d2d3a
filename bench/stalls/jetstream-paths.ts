/** Paths through JetStream whose length a stream, a consumer or a request decides, with a million messages on as many subjects. */
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "./client.ts";
import type { Path } from "./paths.ts";

const MILLION = 1_000_000;
const POLL_MS = 50;

/** A client that asks the API, and understands its answers. */
class Requester {
  readonly client: Client;

  private constructor(client: Client) {
    this.client = client;
  }

  static async open(port: number): Promise<Requester> {
    const requester = new Requester(await Client.open(port));
    requester.client.send("SUB answers.> 1\r\n");
    await requester.client.flush();
    return requester;
  }

  /** Sends a request and waits for its answer. */
  async ask(subject: string, request: object | string = ""): Promise<string> {
    const { client } = this;
    const payload = typeof request === "string" ? request : JSON.stringify(request);
    const before = client.messages;
    client.send(`PUB $JS.API.${subject} answers.x ${Buffer.byteLength(payload)}\r\n${payload}\r\n`);
    client.heard = "";
    await client.received(before + 1);
    if (client.heard.includes('"error":{')) throw new Error(`${subject} was refused: ${client.heard}`);
    return client.heard;
  }

  async messagesOf(stream: string): Promise<number> {
    const answer = await this.ask(`STREAM.INFO.${stream}`);
    return Number(/"messages":\s*(\d+)/.exec(answer)?.[1] ?? Number.NaN);
  }

  async untilThereAre(messages: number): Promise<void> {
    while ((await this.messagesOf("S")) !== messages) await delay(POLL_MS);
  }

  consumer(name: string, config: object): Promise<string> {
    const all = { durable_name: name, ack_policy: "explicit", max_ack_pending: -1, ...config };
    return this.ask(`CONSUMER.DURABLE.CREATE.S.${name}`, { stream_name: "S", config: all });
  }

  /** Pulls and waits until all has come. */
  async pull(name: string, batch: number): Promise<void> {
    const payload = JSON.stringify({ batch, expires: 60e9 });
    const before = this.client.messages;
    this.client.send(
      `PUB $JS.API.CONSUMER.MSG.NEXT.S.${name} answers.${name} ${payload.length}\r\n${payload}\r\n`,
    );
    await this.client.received(before + batch);
  }
}

interface StreamPath {
  readonly name: string;
  readonly stream?: object;
  /** Messages are on so many subjects, one after the other. */
  readonly subjects?: number;
  /** After the messages have been stored. */
  readonly before?: (requester: Requester) => Promise<unknown>;
  /** Before the messages are stored. */
  readonly first?: (requester: Requester) => Promise<unknown>;
  readonly act: (requester: Requester, monitorPort: number) => Promise<unknown>;
}

const STREAM = { name: "S", subjects: ["s.>"], storage: "file" };

/** A stream of a million messages on `s.<number>.<0 or 1>`. */
function path({ name, stream = {}, subjects = MILLION, before, first, act }: StreamPath): Path {
  return {
    name: `JetStream: ${name}`,
    config: `jetstream { store_dir: "<folder>", sync_interval: "2m" }`,
    prepare: async ({ process, monitorPort }) => {
      const requester = await Requester.open(process.port);
      await requester.ask("STREAM.CREATE.S", { ...STREAM, ...stream });
      await first?.(requester);
      const publisher = await Client.open(process.port);
      await publisher.sendMany(MILLION, (i) => `PUB s.${i % subjects}.${i % 2} 8\r\n01234567\r\n`);
      await before?.(requester);
      return async () => void (await act(requester, monitorPort));
    },
  };
}

/** With so many messages that wait for their acknowledgement. */
async function delivered(requester: Requester, config: object = {}): Promise<void> {
  await requester.consumer("c", config);
  await requester.pull("c", MILLION);
}

export const JETSTREAM_PATHS: readonly Path[] = [
  path({ name: "a purge of all", act: (ask) => ask.ask("STREAM.PURGE.S") }),
  path({
    name: "a purge of half, by a filter",
    act: (ask) => ask.ask("STREAM.PURGE.S", { filter: "s.*.1" }),
  }),
  path({
    name: "a purge of one of 1,000 subjects",
    subjects: 1000,
    act: (ask) => ask.ask("STREAM.PURGE.S", { filter: "s.500.0" }),
  }),
  path({ name: "a purge that keeps 10", act: (ask) => ask.ask("STREAM.PURGE.S", { keep: 10 }) }),
  path({ name: "a purge up to the middle", act: (ask) => ask.ask("STREAM.PURGE.S", { seq: MILLION / 2 }) }),
  path({
    name: "max_age of all",
    act: async (ask) => {
      await ask.ask("STREAM.UPDATE.S", { ...STREAM, max_age: 1e9 });
      await ask.untilThereAre(0);
    },
  }),
  path({
    name: "max_msgs becomes 10",
    act: async (ask) => {
      await ask.ask("STREAM.UPDATE.S", { ...STREAM, max_msgs: 10 });
      await ask.untilThereAre(10);
    },
  }),
  path({
    name: "max_msgs_per_subject becomes 1, 1,000 subjects",
    subjects: 1000,
    act: async (ask) => {
      await ask.ask("STREAM.UPDATE.S", { ...STREAM, max_msgs_per_subject: 1 });
      await ask.untilThereAre(1000);
    },
  }),
  path({ name: "the stream is deleted", act: (ask) => ask.ask("STREAM.DELETE.S") }),
  path({
    name: "one of two consumers of an interest stream is deleted",
    stream: { retention: "interest" },
    first: async (ask) => {
      await ask.consumer("a", { filter_subject: "s.*.0" });
      await ask.consumer("b", { filter_subject: "s.*.1" });
    },
    act: async (ask) => {
      await ask.ask("CONSUMER.DELETE.S.b");
      await ask.untilThereAre(MILLION / 2);
    },
  }),
  path({
    name: "a consumer with a filter, from the middle",
    act: (ask) =>
      ask.consumer("c", {
        filter_subject: "s.*.1",
        deliver_policy: "by_start_sequence",
        opt_start_seq: MILLION / 2,
      }),
  }),
  path({
    name: "a consumer from a time",
    act: (ask) =>
      ask.consumer("c", {
        filter_subject: "s.*.1",
        deliver_policy: "by_start_time",
        opt_start_time: new Date(Date.now() - 1000).toISOString(),
      }),
  }),
  path({
    name: "a consumer of the last messages of all subjects",
    act: (ask) => ask.consumer("c", { deliver_policy: "last_per_subject", filter_subject: "s.>" }),
  }),
  path({
    name: "a consumer of the last message of a pattern",
    act: (ask) => ask.consumer("c", { deliver_policy: "last", filter_subject: "s.*.1" }),
  }),
  path({
    name: "a consumer with a filter that covers one message at the end",
    before: async (ask) => {
      await ask.consumer("c", { filter_subject: "s.*.*.x" });
      ask.client.send("PUB s.last.1.x 1\r\nx\r\n");
      await ask.client.flush();
    },
    act: (ask) => ask.pull("c", 1),
  }),
  path({ name: "a million messages are delivered", act: (ask) => delivered(ask) }),
  path({
    name: "a million messages are delivered again",
    before: (ask) => delivered(ask, { ack_wait: 3e9 }),
    act: (ask) => ask.pull("c", MILLION),
  }),
  path({
    name: "a million messages are acknowledged by one",
    before: (ask) => delivered(ask, { ack_policy: "all" }),
    act: async (ask) => {
      const reply = ask.client.heard.match(/\$JS\.ACK\.[^ ]*/g)!.at(-1)!;
      ask.client.send(`PUB ${reply} 0\r\n\r\n`);
      await ask.client.flush();
      await delay(500);
    },
  }),
  path({
    name: "a million messages that wait for their acknowledgement are purged",
    before: (ask) => delivered(ask),
    act: (ask) => ask.ask("STREAM.PURGE.S"),
  }),
  path({
    name: "a consumer with a million messages that wait is written, told of and deleted",
    before: (ask) => delivered(ask),
    act: async (ask) => {
      await ask.consumer("c", { description: "another" });
      for (let i = 0; i < 3; i++) await ask.ask("CONSUMER.INFO.S.c");
      await ask.ask("CONSUMER.DELETE.S.c");
    },
  }),
  path({
    name: "stream info with a filter of all subjects",
    act: async (ask) => {
      for (const offset of [0, 400_000, 900_000])
        await ask.ask("STREAM.INFO.S", { subjects_filter: "s.*.1", offset });
    },
  }),
  path({
    name: "stream info with what was deleted",
    before: (ask) => ask.ask("STREAM.PURGE.S", { filter: "s.*.1" }),
    act: (ask) => ask.ask("STREAM.INFO.S", { deleted_details: true }),
  }),
  path({
    name: "/jsz with streams, consumers and configurations",
    before: (ask) => delivered(ask),
    act: async (_, monitorPort) => {
      for (let i = 0; i < 5; i++) {
        const url = `http://127.0.0.1:${monitorPort}/jsz?acc=$G&streams=1&consumers=1&config=1&raft=1`;
        for await (const _piece of (await fetch(url)).body!) continue;
      }
    },
  }),
  path({
    name: "the last messages of all subjects by a direct get",
    stream: { allow_direct: true },
    act: async (ask) => {
      for (const filter of ["s.>", "s.*.1"]) {
        const payload = JSON.stringify({ multi_last: [filter] });
        const before = ask.client.messages;
        ask.client.send(`PUB $JS.API.DIRECT.GET.S answers.d ${payload.length}\r\n${payload}\r\n`);
        await ask.client.received(before + 1);
      }
      await delay(1000);
    },
  }),
  path({
    name: "the next message of a pattern that covers none is asked for",
    act: async (ask) => {
      for (const next of ["s.*.*.x", "s.0.2"]) {
        const payload = JSON.stringify({ seq: 1, next_by_subj: next });
        const before = ask.client.messages;
        ask.client.send(`PUB $JS.API.STREAM.MSG.GET.S answers.x ${payload.length}\r\n${payload}\r\n`);
        await ask.client.received(before + 1);
      }
    },
  }),
  path({
    name: "a million more subjects",
    act: async (ask) => {
      const publisher = ask.client;
      await publisher.sendMany(MILLION, (i) => `PUB s.more.${i} 8\r\n01234567\r\n`);
    },
  }),
  path({
    name: "a rollup of a subject with 1,000 messages",
    subjects: 1000,
    stream: { allow_rollup_hdrs: true },
    act: async (ask) => {
      const block = "NATS/1.0\r\nNats-Rollup: sub\r\n\r\n";
      ask.client.send(`HPUB s.500.0 ${block.length} ${block.length}\r\n${block}\r\n`);
      await ask.client.flush();
      await delay(500);
    },
  }),
];
