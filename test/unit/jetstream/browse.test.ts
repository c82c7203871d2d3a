/** Looking into a stream: what is shown from where on, in both directions, and where a look ends. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  browse,
  BROWSED_BYTES_MAX,
  type Browsed,
  type BrowseOptions,
} from "../../../src/jetstream/browse.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";
import { subjectMatches } from "../../../src/subject/subject.ts";

const WHOLE: BrowseOptions = {
  sequence: 0,
  time: "",
  subject: "",
  direction: "newer",
  messages: 100,
  payloadBytes: 100,
};

function stackWith(config: object = {}): JetStreamStack {
  const stack = new JetStreamStack();
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_direct: false, ...config });
  return stack;
}

function look(stack: JetStreamStack, options: Partial<BrowseOptions>): Browsed & { steps: number } {
  const walk = browse(stack.stream("S"), { ...WHOLE, ...options }, () => true);
  for (let steps = 1; ; steps++) {
    const { done, value } = walk.next();
    if (done === true) return { ...value!, steps };
  }
}

const shown = ({ messages }: Browsed): number[] => messages.map(({ sequence }) => sequence);

describe("a look into a stream", () => {
  it("shows messages with subject, time, headers and payload, and says where to go on", () => {
    const stack = stackWith();
    stack.publish("s.1", "one", { Kind: "test" });
    stack.advance(1000);
    for (let i = 2; i <= 5; i++) stack.publish(`s.${i}`, `${i}`);
    const { messages, next, first, last } = look(stack, { messages: 2 });
    expect([first, last, next]).toEqual([1, 5, 3]);
    expect(messages[0]).toMatchObject({ sequence: 1, subject: "s.1", time: "2026-01-01T00:00:00Z" });
    expect(messages[0]!.headers.toString()).toBe("NATS/1.0\r\nKind: test\r\n\r\n");
    expect(messages[0]!.payload.toString()).toBe("one");
    expect(messages[1]).toMatchObject({ sequence: 2, headerBytes: 0, payloadBytes: 1 });
    expect(shown(look(stack, { sequence: next }))).toEqual([3, 4, 5]);
    expect(look(stack, { sequence: next }).next).toBe(0);
    const older = look(stack, { direction: "older", messages: 2 });
    expect([shown(older), older.next]).toEqual([[5, 4], 3]);
    expect(shown(look(stack, { time: "2026-01-01T00:00:00.5Z" }))).toEqual([2, 3, 4, 5]);
    expect(shown(look(stack, { time: "2027-01-01T00:00:00Z" }))).toEqual([]);
  });

  it("shows nothing of a stream without messages, nor beyond its ends", () => {
    const stack = stackWith();
    expect(look(stack, {})).toMatchObject({ messages: [], next: 0 });
    expect(look(stack, { direction: "older" })).toMatchObject({ messages: [], next: 0 });
    for (let i = 1; i <= 5; i++) stack.publish("s.1");
    stack.request("STREAM.PURGE.S", { seq: 3 });
    expect(look(stack, { sequence: 6 })).toMatchObject({ messages: [], next: 0 });
    expect(look(stack, { sequence: 2, direction: "older" })).toMatchObject({ messages: [], next: 0 });
    expect(shown(look(stack, { sequence: 1 }))).toEqual([3, 4, 5]);
    expect(shown(look(stack, { sequence: 99, direction: "older" }))).toEqual([5, 4, 3]);
  });

  it("shows as much of a payload as was asked for, and says how long it is", () => {
    const stack = stackWith();
    stack.publish("s.1", "x".repeat(200_000));
    const [message] = look(stack, { payloadBytes: 10 }).messages;
    expect([message!.payload.length, message!.payloadBytes]).toEqual([10, 200_000]);
  });

  it("ends where it has found a megabyte", () => {
    const stack = stackWith();
    for (let i = 0; i < 40; i++) stack.publish("s.1", "x".repeat(BROWSED_BYTES_MAX));
    const { messages, next } = look(stack, { payloadBytes: BROWSED_BYTES_MAX });
    expect([messages.length, next]).toEqual([16, 17]);
  });

  it("looks at a bounded number of messages in a step and in all, and says how far it has come", () => {
    const stack = stackWith({ storage: "memory" });
    const payload = Buffer.from("x");
    const { store } = stack.stream("S");
    for (let i = 1; i <= 205_000; i++)
      store.append({ subject: i === 1 ? "s.rare" : "s.1", headerLength: 0, body: payload, timeNs: 1n });
    stack.publish("s.1"); // all is committed then
    for (const [options, from] of [
      [{ direction: "older", subject: "*.rare" }, 0],
      [{ direction: "newer", subject: "*.none" }, 1],
    ] as const) {
      const first = look(stack, { ...options, sequence: from });
      expect(first.messages).toEqual([]);
      expect(first.steps).toBeGreaterThan(40);
      expect(first.next).toBeGreaterThan(0);
      const second = look(stack, { ...options, sequence: first.next });
      expect([shown(second), second.next]).toEqual([options.direction === "older" ? [1] : [], 0]);
    }
  });

  it("leaves out what is damaged", () => {
    const stack = stackWith();
    for (let i = 1; i <= 3; i++) stack.publish("s.1", `message ${i}`);
    const path = "/js/A/streams/S/msgs/000000000001.blk";
    const content = Buffer.from(stack.disk.read(path)!);
    content[content.indexOf("message 2")]! ^= 1;
    stack.restart(() => stack.disk.replace(path, content));
    expect(shown(look(stack, {}))).toEqual([1, 3]);
    expect(shown(look(stack, { direction: "older" }))).toEqual([3, 1]);
  });

  it("ends where the stream has gone meanwhile", () => {
    const stack = stackWith();
    for (let i = 0; i < 5; i++) stack.publish("s.1", "x".repeat(300_000));
    let isThere = true;
    const walk = browse(stack.stream("S"), WHOLE, () => isThere);
    expect(walk.next().done).toBe(false);
    isThere = false;
    expect(walk.next()).toEqual({ done: true, value: null });
  });

  it("finds what a simple list of messages has, page by page, in both directions", () => {
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 4 }) },
      { weight: 1, arbitrary: fc.tuple(fc.nat(60)) },
    );
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 60 }),
        fc.constantFrom("", "s.1", "s.*", "s.none"),
        fc.constantFrom("newer" as const, "older" as const),
        fc.integer({ min: 1, max: 7 }),
        (actions, subject, direction, messages) => {
          const stack = stackWith();
          const kept = new Map<number, string>();
          let last = 0;
          for (const one of actions) {
            if (typeof one === "number") {
              stack.publish(`s.${one}`, "x");
              kept.set(++last, `s.${one}`);
            } else {
              stack.request("STREAM.MSG.DELETE.S", { seq: one[0] });
              kept.delete(one[0]);
            }
          }
          const found: number[] = [];
          for (let at = 0, isFirst = true; isFirst || at !== 0; isFirst = false) {
            const page = look(stack, { sequence: at, subject, direction, messages });
            expect(page.messages.length).toBeLessThanOrEqual(messages);
            found.push(...shown(page));
            at = page.next;
          }
          const wanted = [...kept].filter(([, on]) => subject === "" || subjectMatches(subject, on));
          const sequences = wanted.map(([sequence]) => sequence);
          expect(found).toEqual(direction === "newer" ? sequences : sequences.toReversed());
        },
      ),
      { numRuns: 60 },
    );
  });
});
