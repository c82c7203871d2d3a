/** Messages that expire by themselves and those that are schedules: by the clock, and after a restart. */
import { describe, expect, it } from "vitest";
import { Deadlines } from "../../../src/jetstream/deadlines.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const SECOND = 1e9;

function stackWith(config: object): JetStreamStack {
  const stack = new JetStreamStack();
  expect(stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], ...config })).not.toHaveProperty(
    "error",
  );
  return stack;
}

const subjectsOf = (stack: JetStreamStack): string[] =>
  [...stack.stream("S").store.subjectsMatching(">")].map(({ subject }) => subject).sort();

describe.each(["file", "memory"])("in a stream on %s", (storage) => {
  it("a message goes when its time is over, neither earlier nor later", () => {
    const stack = stackWith({ storage, allow_msg_ttl: true });
    stack.publish("s.2", "", { "Nats-TTL": "2" });
    stack.publish("s.1", "", { "Nats-TTL": "1" });
    stack.publish("s.ever");
    stack.advance(999);
    expect(subjectsOf(stack)).toEqual(["s.1", "s.2", "s.ever"]);
    stack.advance(1);
    expect(subjectsOf(stack)).toEqual(["s.2", "s.ever"]);
    stack.advance(1000);
    expect(subjectsOf(stack)).toEqual(["s.ever"]);
    stack.stop();
    expect(stack.clock.timerCount).toBe(0);
  });

  it("max_age takes all but those that never expire, and is followed beside other times", () => {
    const stack = stackWith({ storage, allow_msg_ttl: true, max_age: 10 * SECOND });
    stack.publish("s.never", "", { "Nats-TTL": "never" });
    stack.publish("s.long", "", { "Nats-TTL": "1h" });
    stack.advance(5000);
    stack.publish("s.short", "", { "Nats-TTL": "1" });
    stack.publish("s.plain");
    stack.advance(1000);
    expect(subjectsOf(stack)).toEqual(["s.long", "s.never", "s.plain"]);
    stack.advance(4001);
    expect(subjectsOf(stack)).toEqual(["s.never", "s.plain"]);
    stack.advance(5001);
    expect(subjectsOf(stack)).toEqual(["s.never"]);
    stack.publish("s.plain");
    stack.advance(10_001);
    expect(subjectsOf(stack)).toEqual(["s.never"]);
  });

  it("a schedule repeats until it is replaced by a message that is none", () => {
    const stack = stackWith({ storage, allow_msg_schedules: true });
    stack.publish("s.job", "work", { "Nats-Schedule": "@every 10s", "Nats-Schedule-Target": "s.done" });
    stack.advance(35_000);
    expect(stack.stream("S").store.countOf("s.done")).toBe(3);
    stack.publish("s.job", "no schedule");
    stack.advance(35_000);
    expect(stack.stream("S").store.countOf("s.done")).toBe(3);
  });
});

describe("after a restart", () => {
  it("times to live run on", () => {
    const stack = stackWith({ allow_msg_ttl: true });
    stack.publish("s.1", "", { "Nats-TTL": "10" });
    stack.publish("s.2", "", { "Nats-TTL": "20" });
    stack.restart();
    stack.advance(9999);
    expect(subjectsOf(stack)).toEqual(["s.1", "s.2"]);
    stack.advance(1);
    expect(subjectsOf(stack)).toEqual(["s.2"]);
    stack.advance(5000);
    stack.restart();
    stack.advance(5000);
    expect(subjectsOf(stack)).toEqual([]);
  });

  it("a marker of a deleted subject expires, too, and leaves none behind", () => {
    const stack = stackWith({ max_age: 10 * SECOND, subject_delete_marker_ttl: 60 * SECOND });
    stack.publish("s.1");
    stack.advance(10_001);
    expect(stack.stream("S").store.last).toBe(2);
    stack.restart();
    stack.advance(60_000);
    expect([stack.stream("S").store.messages, stack.stream("S").store.last]).toEqual([0, 2]);
  });

  it("schedules are due when they were, and those missed are due once", () => {
    const stack = stackWith({ allow_msg_schedules: true });
    stack.publish("s.job", "x", { "Nats-Schedule": "@every 10s", "Nats-Schedule-Target": "s.done" });
    stack.publish("s.once", "y", {
      "Nats-Schedule": "@at 2026-01-01T00:01:00Z",
      "Nats-Schedule-Target": "s.one",
    });
    stack.advance(25_000);
    const { store } = stack.stream("S");
    expect([store.countOf("s.done"), store.countOf("s.one")]).toEqual([2, 0]);
    stack.restart();
    stack.advance(35_000);
    const after = stack.stream("S").store;
    expect([after.countOf("s.done"), after.countOf("s.one"), after.countOf("s.once")]).toEqual([6, 1, 0]);
    stack.stop();
    stack.clock.advance(100_000);
    stack.restart();
    stack.advance(1);
    expect(stack.stream("S").store.countOf("s.done")).toBe(7);
  });
});

it("deadlines come in the order of their times, and forget what is gone when there is much of it", () => {
  const random = seededRandom(7);
  const deadlines = new Deadlines();
  const times = Array.from({ length: 5000 }, () => Math.floor(random.next() * 1000));
  for (const [i, atMs] of times.entries()) deadlines.add(i, atMs);
  deadlines.trim(1, (sequence) => sequence % 10 === 0);
  expect(deadlines.size).toBe(500);
  const taken: number[] = [];
  for (let next = deadlines.take(999); next !== null; next = deadlines.take(999)) taken.push(next.atMs);
  expect(taken).toEqual(times.filter((_, i) => i % 10 === 0).sort((a, b) => a - b));
});
