/** Which pull request gets the next message, and how fast a consumer delivers. */
import { describe, expect, it } from "vitest";
import { JetStreamStack, type Heard } from "../../support/jetstream-stack.ts";

const SECOND = 1e9;

function stackWith(config: object): JetStreamStack {
  const stack = new JetStreamStack();
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"] });
  const made = stack.request("CONSUMER.CREATE.S.c", {
    stream_name: "S",
    config: { name: "c", ack_policy: "explicit", ...config },
  });
  expect(made).not.toHaveProperty("error");
  return stack;
}

function pull(stack: JetStreamStack, inbox: string, body: object): Heard[] {
  const heard = stack.listen(inbox);
  stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", JSON.stringify({ group: "a", ...body }), {}, inbox);
  return heard;
}

const texts = (heard: readonly Heard[]): string[] =>
  heard.map(({ text, headers }) => (text === "" ? (headers.split("\r\n")[0] ?? "") : text));
const pinOf = (heard: Heard | undefined): string =>
  /Nats-Pin-Id: (\S+)/.exec(heard?.headers ?? "")?.[1] ?? "";

describe("a consumer with priority groups", () => {
  it("serves requests of a higher priority first, in turn within one", () => {
    const stack = stackWith({ priority_policy: "prioritized", priority_groups: ["a"] });
    const low = pull(stack, "low", { batch: 10, expires: 60 * SECOND, priority: 5 });
    const first = pull(stack, "first", { batch: 2, expires: 60 * SECOND, priority: 1 });
    const second = pull(stack, "second", { batch: 2, expires: 60 * SECOND, priority: 1 });
    for (let i = 1; i <= 6; i++) stack.publish("s.1", String(i));
    expect([texts(first), texts(second), texts(low)]).toEqual([
      ["1", "3"],
      ["2", "4"],
      ["5", "6"],
    ]);
  });

  it("serves overflow requests only where so much is pending", () => {
    const stack = stackWith({ priority_policy: "overflow", priority_groups: ["a"] });
    const overflow = pull(stack, "over", { batch: 10, expires: 60 * SECOND, min_ack_pending: 2 });
    const main = pull(stack, "main", { batch: 2, expires: 60 * SECOND });
    for (let i = 1; i <= 4; i++) stack.publish("s.1", String(i));
    expect([texts(main), texts(overflow)]).toEqual([
      ["1", "2"],
      ["3", "4"],
    ]);
  });

  it("delivers to one client until it does not ask in time, then to another", () => {
    const stack = stackWith({
      priority_policy: "pinned_client",
      priority_groups: ["a"],
      priority_timeout: 10 * SECOND,
    });
    const events = stack.listen("$JS.EVENT.ADVISORY.CONSUMER.>");
    const one = pull(stack, "one", { batch: 2, expires: 100 * SECOND });
    const two = pull(stack, "two", { batch: 10, expires: 100 * SECOND });
    for (let i = 1; i <= 3; i++) stack.publish("s.1", String(i));
    expect([texts(one), texts(two)]).toEqual([["1", "2"], []]);
    const pin = pinOf(one[0]);
    expect(pin).toHaveLength(22);
    stack.advance(9000);
    const again = pull(stack, "again", { batch: 1, expires: 100 * SECOND, id: pin });
    expect(texts(again)).toEqual(["3"]);
    stack.publish("s.1", "4");
    stack.advance(9999);
    expect(texts(two)).toEqual([]);
    stack.advance(1);
    expect(texts(two)).toEqual(["4"]);
    expect(pinOf(two[0])).not.toBe(pin);
    expect(texts(pull(stack, "late", { batch: 1, expires: SECOND, id: pin }))).toEqual([
      "NATS/1.0 423 Nats-Pin-Id mismatch",
    ]);
    const told = events.map(({ subject, text }) => [
      subject.split(".")[4],
      (JSON.parse(text) as { reason?: string }).reason,
    ]);
    expect(told).toEqual([
      ["PINNED", undefined],
      ["UNPINNED", "timeout"],
      ["PINNED", undefined],
    ]);
  });
});

describe("a push consumer", () => {
  it("keeps to its rate in bits a second", () => {
    const stack = stackWith({ deliver_subject: "d", rate_limit_bps: 80_000, max_ack_pending: 100_000 });
    const heard = stack.listen("d");
    for (let i = 0; i < 200; i++) stack.publish("s.1", "x".repeat(20_000));
    const burst = heard.length;
    expect(burst).toBeGreaterThan(50);
    expect(burst).toBeLessThan(54);
    for (let i = 0; i < 100; i++) stack.advance(1000);
    const bytes = heard
      .slice(burst)
      .reduce((sum, { text, reply }) => sum + text.length + reply.length + 3, 0);
    expect(Math.round(bytes / 100_000) * 1000).toBe(10_000);
  });

  it("replays what was there at the pace at which it came, and then delivers at once", () => {
    const stack = new JetStreamStack();
    stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"] });
    for (const waitMs of [0, 3000, 500]) {
      stack.advance(waitMs);
      stack.publish("s.1", String(waitMs));
    }
    stack.advance(60_000);
    const heard = stack.listen("d");
    stack.request("CONSUMER.CREATE.S.c", {
      stream_name: "S",
      config: { name: "c", deliver_subject: "d", replay_policy: "original" },
    });
    expect(texts(heard)).toEqual(["0"]);
    stack.advance(2999);
    expect(heard).toHaveLength(1);
    stack.advance(1);
    expect(texts(heard)).toEqual(["0", "3000"]);
    stack.advance(500);
    stack.publish("s.1", "new");
    expect(texts(heard)).toEqual(["0", "3000", "500", "new"]);
  });

  it("takes answers to flow control for acknowledgements, where its policy is that", () => {
    const stack = stackWith({ ack_policy: "flow_control", deliver_subject: "d", max_ack_pending: 3 });
    const heard = stack.listen("d");
    for (let i = 1; i <= 5; i++) stack.publish("s.1", String(i));
    expect(texts(heard)).toEqual(["1", "2", "3", "NATS/1.0 100 FlowControl Request"]);
    stack.publish(heard[3]!.reply, "", { "Nats-Last-Consumer": "3", "Nats-Last-Stream": "3" });
    expect(texts(heard.slice(4))).toEqual(["4", "5"]);
    stack.advance(1000);
    expect(texts(heard.slice(6))).toEqual([
      "NATS/1.0 100 Idle Heartbeat",
      "NATS/1.0 100 FlowControl Request",
    ]);
    stack.publish(heard[7]!.reply, "", { "Nats-Last-Stream": "5" });
    expect(stack.request("CONSUMER.INFO.S.c")).toMatchObject({
      num_ack_pending: 0,
      ack_floor: { stream_seq: 5 },
    });
  });
});
