/** Floods of requests by one client: how much one turn does, whose turn comes when, and what is dropped where there is no room. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { RequestQueue } from "../../../src/jetstream/api/request-queue.ts";
import { consumerShape, type ConsumerConfig } from "../../../src/jetstream/consumer/config.ts";
import { PullQueue, type PullQueueHost } from "../../../src/jetstream/consumer/pull-queue.ts";
import { readObject } from "../../../src/jetstream/codec.ts";
import { DEFAULT_SERVER_LIMITS } from "../../../src/jetstream/server-limits.ts";
import { Message, type MessageOrigin } from "../../../src/protocol/message.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const CREATES = 200;
let stack: JetStreamStack;
beforeEach(() => void (stack = new JetStreamStack()));
afterEach(() => stack.stop());

function clientOf(name: string): MessageOrigin {
  return { account: { name }, roundTripMs: 0, details: () => ({ name }), serverDetails: () => ({}) };
}

/** Sends requests of a client without waiting for the answers. */
function send(client: MessageOrigin, count: number, subject: (i: number) => string, body: object): void {
  const message = Object.assign(new Message(), { origin: client });
  for (let i = 0; i < count; i++) {
    const at = subject(i);
    const payload = JSON.stringify({ ...body, name: at.split(".").at(-1) });
    stack.queue(`$JS.API.${at}`, payload, `answers.${client.account.name}`, message);
  }
}

describe("a flood of creates", () => {
  it("does one of them in a turn, and lets others' requests go between", () => {
    const [flooder, other] = [clientOf("flooder"), clientOf("other")];
    send(flooder, CREATES, (i) => `STREAM.CREATE.S${i}`, {});
    send(other, 1, () => "INFO", {});
    const answers = stack.listen("answers.other");
    let turns = 0;
    for (; answers.length === 0; turns++) {
      const before = stack.assets.streams.size;
      stack.turn();
      expect(stack.assets.streams.size - before).toBeLessThanOrEqual(1);
    }
    expect(turns).toBeLessThanOrEqual(3);
    stack.settle();
    expect(stack.assets.streams.size).toBe(CREATES);
  });

  it("loses requests of its own where there is no room", () => {
    stack.stop();
    stack = new JetStreamStack({ serverLimits: { ...DEFAULT_SERVER_LIMITS, requests: 100 } });
    const told = stack.listen("$JS.EVENT.ADVISORY.API.LIMIT_REACHED");
    const answers = stack.listen("answers.other");
    send(clientOf("flooder"), 500, (i) => `STREAM.CREATE.S${i}`, {});
    send(clientOf("other"), 10, (i) => `STREAM.CREATE.T${i}`, {});
    stack.settle();
    expect(answers).toHaveLength(10);
    expect(stack.assets.streams.size).toBe(100);
    expect(told.map(({ text }) => (JSON.parse(text) as { dropped: number }).dropped)).toContain(410);
  });
});

it("requests say in their audit who made them", () => {
  const audits = stack.listen("$JS.EVENT.ADVISORY.API");
  send(clientOf("ann"), 1, () => "INFO", {});
  stack.settle();
  expect(JSON.parse(audits[0]!.text)).toMatchObject({
    subject: "$JS.API.INFO",
    client: { name: "ann", acc: "ann" },
  });
});

describe("a queue that is fair", () => {
  it("takes from each in turn, in the order of each", () => {
    const queue = new RequestQueue<string>();
    const [a, b] = [{}, {}];
    for (const item of ["a1", "a2", "a3", "a4"]) queue.push(a, item);
    for (const item of ["b1", "b2"]) queue.push(b, item);
    queue.push(null, "c1");
    const taken = Array.from({ length: queue.size + 1 }, () => queue.shift());
    expect(taken).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4", undefined]);
  });

  it("makes room at the expense of the one who has most, never of the last one of anybody", () => {
    const queue = new RequestQueue<string>();
    const [a, b] = [{}, {}];
    for (const item of ["a1", "a2", "a3"]) queue.push(a, item);
    expect(queue.makeRoomFor(a)).toBeUndefined();
    expect(queue.makeRoomFor(b)).toBe("a3");
    queue.push(b, "b1");
    expect(queue.makeRoomFor(b)).toBe("a2");
    expect(queue.makeRoomFor(null)).toBeUndefined();
    expect([queue.shift(), queue.shift(), queue.size]).toEqual(["a1", "b1", 0]);
  });
});

describe("a flood of pull requests", () => {
  const config: ConsumerConfig = { ...readObject(consumerShape, {}), maxWaiting: 100 };
  function queueOf(isAwaited: () => boolean): { clock: VirtualClock; pulls: PullQueue } {
    const clock = new VirtualClock();
    const lane = { subject: "", begin: () => 0, writeSid: () => 0, end: () => {} };
    const host: PullQueueHost = {
      clock,
      pin: { id: "", dueMs: Infinity } as PullQueueHost["pin"],
      lane: () => Object.defineProperty(lane, "isAwaited", { get: isAwaited, configurable: true }) as never,
      config: () => config,
      say: () => {},
      beat: () => {},
    };
    return { clock, pulls: new PullQueue(host) };
  }

  it("looks once whether those that wait are still there", () => {
    const isAwaited = vi.fn<() => boolean>(() => true);
    const { clock, pulls } = queueOf(isAwaited);
    const answers = Array.from({ length: 1000 }, () => pulls.add("1", "inbox", config));
    expect(answers.filter((answer) => answer === "409 Exceeded MaxWaiting")).toHaveLength(900);
    expect(isAwaited).toHaveBeenCalledTimes(100);
    clock.advance(1);
    expect(pulls.add("1", "inbox", config)).toBe("409 Exceeded MaxWaiting");
    expect(isAwaited).toHaveBeenCalledTimes(200);
  });

  it("takes the place of those that have gone", () => {
    const { pulls } = queueOf(() => false);
    const answers = Array.from({ length: 1000 }, () => pulls.add("1", "inbox", config));
    expect(answers.every((answer) => answer === null)).toBe(true);
    expect(pulls.size).toBeLessThanOrEqual(100);
  });
});
