/** How a stream follows its origins: when it asks, what it takes, what it tells of them. The origin is here, or played by the test. */
import { afterEach, describe, expect, it } from "vitest";
import { JetStreamStack, type Heard } from "../../support/jetstream-stack.ts";

type Json = Record<string, unknown>;

let stack = new JetStreamStack();
afterEach(() => {
  stack.stop();
  stack = new JetStreamStack();
});

function create(name: string, config: object): void {
  expect(stack.request(`STREAM.CREATE.${name}`, { name, ...config })["error"]).toBeUndefined();
}

function payloads(name: string): string[] {
  const { store } = stack.stream(name);
  const found: string[] = [];
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
    const view = store.read(at)!;
    found.push(`${at} ${view.body.subarray(view.headerLength).toString()}`);
  }
  return found;
}

function sourceOf(name: string): Json {
  return (stack.request(`STREAM.INFO.${name}`)["sources"] as Json[])[0]!;
}

describe("a stream with a source of the same account", () => {
  it("says what is missing, and begins when the stream is made", () => {
    create("S", { sources: [{ name: "O" }] });
    stack.advance(100);
    expect(sourceOf("S")).toMatchObject({ active: -1, error: { err_code: 10059 } });
    create("O", { subjects: ["o"] });
    stack.publish("o", "one");
    stack.advance(2000);
    expect(payloads("S")).toEqual(["1 one"]);
    expect(sourceOf("S")["error"]).toBeUndefined();
  });

  it("has a consumer there, which counts for the account and is in no list", () => {
    create("O", { subjects: ["o"] });
    create("S", { sources: [{ name: "O" }] });
    stack.advance(100);
    expect(stack.request("INFO")["consumers"]).toBe(1);
    expect(stack.request("CONSUMER.NAMES.O")["total"]).toBe(0);
  });

  it("takes a stream that was made again from its beginning", () => {
    create("O", { subjects: ["o"] });
    create("S", { sources: [{ name: "O" }] });
    for (const text of ["one", "two", "three"]) stack.publish("o", text);
    stack.advance(100);
    stack.request("STREAM.DELETE.O");
    stack.advance(1000);
    create("O", { subjects: ["o"] });
    stack.publish("o", "again");
    stack.advance(5000);
    stack.advance(5000);
    expect(payloads("S")).toEqual(["1 one", "2 two", "3 three", "4 again"]);
    stack.restart();
    stack.advance(5000);
    expect(payloads("S")).toHaveLength(4);
  });

  it("tells that it is full, and goes on when there is room", () => {
    create("O", { subjects: ["o"] });
    create("S", { sources: [{ name: "O" }], max_msgs: 2, discard: "new" });
    for (const text of ["one", "two", "three"]) stack.publish("o", text);
    stack.advance(100);
    expect(payloads("S")).toEqual(["1 one", "2 two"]);
    expect(sourceOf("S")).toMatchObject({ seq: 2, error: { description: "maximum messages exceeded" } });
    stack.request("STREAM.MSG.DELETE.S", { seq: 1 });
    stack.advance(3000);
    expect(payloads("S")).toEqual(["2 two", "3 three"]);
    expect(sourceOf("S")["error"]).toBeUndefined();
  });

  it("asks for another consumer when somebody has deleted the one that it had", () => {
    create("O", { subjects: ["o"] });
    create("S", { sources: [{ name: "O" }] });
    stack.publish("o", "one");
    stack.advance(100);
    const there = stack.assets.streams.get("O")!;
    stack.assets.deleteConsumer(there, [...there.consumers.values()][0]!);
    stack.publish("o", "two");
    stack.advance(12_000); // nobody says so: its silence does
    expect(payloads("S")).toEqual(["1 one", "2 two"]);
  });

  it("knows where it was when its messages are gone from the disk", () => {
    create("O", { subjects: ["o"] });
    create("S", { sources: [{ name: "O" }] });
    for (const text of ["one", "two", "three"]) stack.publish("o", text);
    stack.advance(100);
    for (const seq of [1, 2, 3]) stack.request("STREAM.MSG.DELETE.S", { seq });
    stack.restart();
    stack.advance(5000);
    expect(payloads("S")).toEqual([]);
    stack.publish("o", "four");
    stack.advance(100);
    expect(payloads("S")).toEqual(["4 four"]);
  });
});

describe("a mirror whose origin is elsewhere", () => {
  let asked: Heard[] = [];

  /** The mirror asks; the test answers in the name of the origin. */
  function begin(): void {
    asked = stack.listen("ext.api.CONSUMER.CREATE.O");
    create("M", { mirror: { name: "O", external: { api: "ext.api", deliver: "ext.to" } } });
    stack.advance(0);
  }

  function answer(body: object): void {
    stack.publish(asked.at(-1)!.reply, JSON.stringify(body));
  }

  function follow(sequence: number): void {
    const { config } = JSON.parse(asked.at(-1)!.text) as { config: Json };
    answer({ name: "c", config, delivered: { consumer_seq: 0, stream_seq: sequence }, num_pending: 9 });
  }

  function deliver(sequence: number, consumerSequence: number): void {
    const { config } = JSON.parse(asked.at(-1)!.text) as { config: Json };
    const reply = `$JS.ACK.O.c.1.${sequence}.${consumerSequence}.1700000000123456789.0`;
    stack.publish(String(config["deliver_subject"]), `message ${sequence}`, {}, reply);
  }

  function configAsked(): Json {
    return (JSON.parse(asked.at(-1)!.text) as { config: Json }).config;
  }

  it("asks older servers for less", () => {
    begin();
    const levels = (): (string | undefined)[] =>
      asked.map(({ headers }) => /Nats-Required-Api-Level: (\d)/.exec(headers)?.[1]);
    answer({ error: { code: 412, err_code: 10185, description: "JetStream minimum api level required" } });
    stack.settle();
    answer({ error: { code: 400, err_code: 10025, description: "invalid JSON" } });
    stack.settle();
    expect(levels()).toEqual(["5", "4", undefined]);
    expect(configAsked()).toMatchObject({ direct: true, flow_control: true, deliver_policy: "all" });
    expect(configAsked()["sourcing"]).toBeUndefined();
  });

  it("keeps sequences, times and gaps, and begins again behind the last where one is missing", () => {
    begin();
    follow(4);
    deliver(5, 1);
    deliver(8, 2);
    deliver(9, 4);
    expect(payloads("M")).toEqual(["5 message 5", "8 message 8"]);
    expect(stack.stream("M").store.timeOf(8)).toBe(1_700_000_000_123_456_789n);
    stack.advance(2000);
    expect(configAsked()).toMatchObject({ deliver_policy: "by_start_sequence", opt_start_seq: 9 });
    follow(8);
    deliver(9, 1);
    expect(payloads("M")).toEqual(["5 message 5", "8 message 8", "9 message 9"]);
    expect(stack.stream("M").store.first).toBe(5);
  });

  it("asks again after ten seconds of silence", () => {
    begin();
    follow(0);
    deliver(1, 1);
    stack.advance(9999);
    expect(asked).toHaveLength(1);
    stack.advance(1);
    stack.advance(0);
    expect(asked).toHaveLength(2);
    expect(configAsked()).toMatchObject({ opt_start_seq: 2 });
  });

  it("answers flow control with what it has, and nobody else's subjects", () => {
    begin();
    follow(0);
    deliver(1, 1);
    const question = (reply: string): void =>
      stack.publishStatus(String(configAsked()["deliver_subject"]), "100 FlowControl Request", reply);
    const [flow, other] = [stack.listen("$JS.FC.O.c.x"), stack.listen("somewhere")];
    question("somewhere");
    question("$JS.FC.O.c.x");
    stack.advance(0);
    expect(other).toEqual([]);
    expect(flow.map(({ headers }) => headers)).toEqual([
      "NATS/1.0\r\nNats-Last-Consumer: 1\r\nNats-Last-Stream: 1\r\n\r\n",
    ]);
  });

  it("tells that it is ahead of an origin that was set back", () => {
    begin();
    follow(0);
    deliver(1, 1);
    deliver(2, 2);
    stack.advance(12_000);
    follow(1);
    const { mirror } = stack.request("STREAM.INFO.M") as { mirror: Json };
    expect(mirror["error"]).toMatchObject({ err_code: 10029 });
    deliver(2, 1);
    deliver(3, 2);
    expect(payloads("M")).toEqual(["1 message 1", "2 message 2", "3 message 3"]);
  });
});
