/** Backups by the clock: of streams in files and in memory, in the form of nats-server 2.15 and in the older one, whole and damaged. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { restore, save, type Backup } from "../../support/backups.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

type Json = Record<string, unknown>;

const SAVED = new URL("./saved-by-nats-server-2.14/", import.meta.url);
const read = (name: string): Buffer => readFileSync(new URL(name, SAVED));
const json = (name: string): Json => JSON.parse(read(name).toString("latin1")) as Json;

function savedByNatsServer(storage: string): Backup {
  const { config } = json("backup.json") as { config: Json };
  return { config: { ...config, storage }, bytes: read("stream.tar.s2") };
}

/** As nats-server 2.14 itself describes what it has saved, in `expected.json`. */
function contents(stack: JetStreamStack): Json {
  const { state } = stack.request("STREAM.INFO.S") as { state: { first_seq: number; last_seq: number } };
  const messages: unknown[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const { message } = stack.request("STREAM.MSG.GET.S", { seq }) as { message?: Record<string, string> };
    if (message === undefined) continue;
    const text = (field: string): string => Buffer.from(message[field] ?? "", "base64").toString("latin1");
    const kind = /^Kind: ?(.*)\r$/m.exec(text("hdrs"))?.[1] ?? "";
    messages.push([seq, message["subject"], kind, text("data")]);
  }
  return { first: state.first_seq, last: state.last_seq, messages, consumers: consumersOf(stack) };
}

function consumersOf(stack: JetStreamStack): unknown[] {
  const { consumers } = stack.request("CONSUMER.LIST.S") as { consumers: readonly Json[] };
  const position = (value: unknown): number[] => {
    const { stream_seq, consumer_seq } = value as { stream_seq: number; consumer_seq: number };
    return [stream_seq, consumer_seq];
  };
  return consumers
    .map((one) => [
      one["name"],
      ...position(one["delivered"]),
      ...position(one["ack_floor"]),
      one["num_ack_pending"],
      one["num_pending"],
    ])
    .toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
}

/** Messages with headers and gaps; consumers that wait for some, of which one keeps its state in memory. */
function filled(storage: string, metadata: Json = {}): JetStreamStack {
  const stack = new JetStreamStack();
  stack.request("STREAM.CREATE.S", {
    ...{ name: "S", subjects: ["s.>"], storage, metadata, allow_msg_ttl: true, retention: "interest" },
  });
  for (const name of ["c", "memory"])
    stack.request(`CONSUMER.DURABLE.CREATE.S.${name}`, {
      stream_name: "S",
      config: { durable_name: name, ack_policy: "explicit", mem_storage: name === "memory" },
    });
  for (let i = 1; i <= 300; i++)
    stack.publish(`s.${i % 5}`, `body ${i} `.repeat(i), i % 2 === 0 ? { Kind: `k${i}` } : {});
  for (const seq of [1, 2, 77, 150, 299, 300]) stack.request("STREAM.MSG.DELETE.S", { seq });
  for (const name of ["c", "memory"]) {
    const heard = stack.listen(`inbox.${name}`);
    stack.publish(`$JS.API.CONSUMER.MSG.NEXT.S.${name}`, '{"batch":20}', {}, `inbox.${name}`);
    for (const [i, { reply }] of heard.entries()) if (i % 3 !== 0) stack.publish(reply, "+ACK");
  }
  return stack;
}

const FORMS = [
  ["of nats-server 2.15", {}],
  ["of nats-server 2.14", { "shoal.backup": "2.14" }],
] as const;

describe("a backup", () => {
  it.each(FORMS.flatMap(([name, metadata]) => ["file", "memory"].map((to) => [name, to, metadata] as const)))(
    "in the form %s is restored to a stream in %s, as it was",
    (_name, storage, metadata) => {
      const source = filled("memory", metadata);
      const saved = save(source, "S");
      const target = new JetStreamStack();
      expect(restore(target, { ...saved, config: { ...saved.config, storage } })).not.toHaveProperty("error");
      expect(contents(target)).toEqual(contents(source));
      expect(target.ask("s.1", "next")?.text).toContain('"seq":301');
      const { config } = target.request("STREAM.INFO.S") as { config: Json };
      expect(config["storage"]).toBe(storage);
    },
  );

  it("keeps times to live in memory going", () => {
    const source = new JetStreamStack();
    const config = { name: "S", subjects: ["s"], storage: "memory", allow_msg_ttl: true };
    source.request("STREAM.CREATE.S", config);
    source.publish("s", "short", { "Nats-TTL": "60" });
    source.publish("s", "long");
    const target = new JetStreamStack();
    restore(target, save(source, "S"));
    const count = (): unknown => (target.request("STREAM.INFO.S") as { state: Json }).state["messages"];
    expect(count()).toBe(2);
    target.advance(61_000);
    expect(count()).toBe(1);
  });

  it("in memory does not go beyond what there is room for", () => {
    const saved = save(filled("memory"), "S");
    const tight = new JetStreamStack({ bytesLeft: (storage) => (storage === "memory" ? 100_000 : Infinity) });
    const { error } = restore(tight, saved) as { error: Json };
    expect(error["err_code"]).toBe(10_028);
    expect(tight.request("STREAM.NAMES")["streams"]).toBeNull();
  });

  it("does not take the name of a stream that was made meanwhile", () => {
    const { config, bytes } = save(filled("memory"), "S");
    const target = new JetStreamStack();
    const { deliver_subject: to } = target.request("STREAM.RESTORE.S", { config }) as {
      deliver_subject: string;
    };
    target.ask(to, bytes.toString("latin1"));
    target.request("STREAM.CREATE.S", { name: "S", subjects: ["other"], storage: "memory" });
    expect(target.ask(to)?.text).toContain('"err_code":10130');
    expect((target.request("STREAM.INFO.S") as { config: Json }).config["subjects"]).toEqual(["other"]);
  });

  it("may be of the older form only", () => {
    const stack = new JetStreamStack();
    const config = { name: "S", subjects: ["s"], storage: "memory", metadata: { "shoal.backup": "2.13" } };
    expect(stack.request("STREAM.CREATE.S", config)["error"]).toMatchObject({ err_code: 10_052 });
  });
});

describe("a backup that nats-server 2.14 has made", () => {
  it.each(["file", "memory"])("is restored to a stream in %s", (storage) => {
    const stack = new JetStreamStack();
    expect(restore(stack, savedByNatsServer(storage))).not.toHaveProperty("error");
    expect(contents(stack)).toEqual(json("expected.json"));
  });

  it("is refused where a bit of it is flipped, or it is cut off, and leaves nothing behind", () => {
    const stack = new JetStreamStack();
    const whole = savedByNatsServer("file");
    let refused = 0;
    /** A bit of what compresses may be flipped without a change of what it stands for. */
    const check = (bytes: Buffer): void => {
      const answer = restore(stack, { ...whole, bytes });
      if (answer["error"] === undefined) {
        expect(contents(stack)).toEqual(json("expected.json"));
        stack.request("STREAM.DELETE.S");
      } else {
        expect(answer).toMatchObject({ error: { err_code: 10_062 } });
        refused++;
      }
      expect(stack.request("STREAM.NAMES")["streams"]).toBeNull();
      expect(stack.disk.names("/js/A/restoring")).toEqual([]);
    };
    for (let at = 10; at < whole.bytes.length; at += 41) {
      const flipped = Buffer.from(whole.bytes);
      flipped[at]! ^= 1 << (at % 8);
      check(flipped);
      check(whole.bytes.subarray(0, at));
    }
    expect(refused).toBeGreaterThan(150);
    expect(restore(stack, whole)).not.toHaveProperty("error");
  });

  it("is refused for a stream of another name", () => {
    const stack = new JetStreamStack();
    const { config, bytes } = savedByNatsServer("file");
    const answer = restore(stack, { config: { ...config, name: "T" }, bytes });
    expect(answer).toMatchObject({ error: { description: "restore failed: stream names do not match" } });
  });
});
