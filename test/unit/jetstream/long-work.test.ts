/** What takes long is done in steps: how much one turn does is bounded, whatever there is to do, and the result is as if it were done at once. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Stream } from "../../../src/jetstream/stream/stream.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const MESSAGES = 40_000;
const REMOVED_PER_TURN = 500;

let stack: JetStreamStack;
beforeEach(() => void (stack = new JetStreamStack()));
afterEach(() => stack.stop());

/** A stream with messages on this many subjects, in turn. */
function filled(subjects: number, config: object = {}): Stream {
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage: "memory", ...config });
  const stream = stack.stream("S");
  const body = Buffer.from("x");
  for (let i = 0; i < MESSAGES; i++)
    stream.store.append({ subject: `s.${i % subjects}.${i % 2}`, headerLength: 0, body, timeNs: 1n });
  stream.touch();
  stack.settle();
  return stream;
}

/** The most calls of a method of the store that one turn made, and how many turns there were. */
function watch(
  stream: Stream,
  method: "remove" | "nextWithin" | "visitSome",
): { most: number; turns: number } {
  const seen = { most: 0, turns: 1 };
  let inTurn = 0;
  const { store, host } = stream;
  const original = store[method].bind(store) as (...given: unknown[]) => never;
  vi.spyOn(store, method).mockImplementation((...given: unknown[]) => {
    seen.most = Math.max(seen.most, ++inTurn);
    return original(...given);
  });
  const soon = host.soon.bind(host);
  vi.spyOn(host, "soon").mockImplementation((work) =>
    soon(() => {
      inTurn = 0;
      seen.turns++;
      work();
    }),
  );
  return seen;
}

function expectSteps(seen: { most: number; turns: number }, most: number): void {
  expect(seen.most).toBeLessThanOrEqual(most);
  expect(seen.turns).toBeGreaterThan(2);
}

it("a purge by a filter removes some in a turn, and is answered when all are gone", () => {
  const stream = filled(10);
  const seen = watch(stream, "remove");
  expect(stack.request("STREAM.PURGE.S", { filter: "s.*.1" })).toMatchObject({ purged: MESSAGES / 2 });
  expectSteps(seen, REMOVED_PER_TURN);
  expect(stream.store.messages).toBe(MESSAGES / 2);
});

it("a purge that keeps some, or goes up to a sequence, does so as well", () => {
  const stream = filled(10);
  const seen = watch(stream, "nextWithin");
  expect(stack.request("STREAM.PURGE.S", { keep: 30_000 })).toMatchObject({ purged: 10_000 });
  expect([stream.store.first, stream.store.messages]).toEqual([10_001, 30_000]);
  expect(stack.request("STREAM.PURGE.S", { seq: 20_001 })).toMatchObject({ purged: 10_000 });
  expect([stream.store.first, stream.store.messages]).toEqual([20_001, 20_000]);
  expect(stack.request("STREAM.PURGE.S", { filter: "s.3.1", keep: 5 })).toMatchObject({ purged: 1995 });
  expectSteps(seen, REMOVED_PER_TURN);
});

it("what is published while a purge runs stays", () => {
  const stream = filled(10);
  const { host, store } = stream;
  let published = 0;
  const soon = host.soon.bind(host);
  vi.spyOn(host, "soon").mockImplementation((work) =>
    soon(() => {
      if (published < 5 && store.messages < MESSAGES) stack.publish("s.new.1", `${++published}`);
      work();
    }),
  );
  expect(stack.request("STREAM.PURGE.S", { filter: "s.*.1" })).toMatchObject({ purged: MESSAGES / 2 });
  expect(published).toBe(5);
  expect(store.countOf("s.new.1")).toBe(5);
});

it("consumers count on while a purge runs", () => {
  const stream = filled(10);
  const config = { ack_policy: "explicit", durable_name: "c", filter_subject: "s.*.1" };
  stack.request("CONSUMER.DURABLE.CREATE.S.c", { stream_name: "S", config });
  expect(stack.request("CONSUMER.INFO.S.c")).toMatchObject({ num_pending: MESSAGES / 2 });
  const seen = watch(stream, "remove");
  stack.request("STREAM.PURGE.S", { filter: "s.1.*" });
  expectSteps(seen, REMOVED_PER_TURN);
  expect(stack.request("CONSUMER.INFO.S.c")).toMatchObject({ num_pending: (MESSAGES / 2) * 0.8 });
});

it("limits of a stream that become lower are reached in steps", () => {
  const stream = filled(10);
  const seen = watch(stream, "remove");
  const config = { name: "S", subjects: ["s.>"], storage: "memory" };
  stack.request("STREAM.UPDATE.S", { ...config, max_msgs: 20_000 });
  expect([stream.store.first, stream.store.messages]).toEqual([20_001, 20_000]);
  stack.request("STREAM.UPDATE.S", { ...config, max_msgs_per_subject: 3 });
  expect(stream.store.messages).toBe(30);
  expectSteps(seen, 3 * REMOVED_PER_TURN);
});

it("a limit for each subject that changes while it is enforced holds in the end", () => {
  const stream = filled(10);
  const { host } = stream;
  const config = { name: "S", subjects: ["s.>"], storage: "memory" };
  let turns = 0;
  const soon = host.soon.bind(host);
  vi.spyOn(host, "soon").mockImplementation((work) =>
    soon(() => {
      if (++turns === 10)
        stack.publish("$JS.API.STREAM.UPDATE.S", JSON.stringify({ ...config, max_msgs_per_subject: 2 }));
      work();
    }),
  );
  stack.request("STREAM.UPDATE.S", { ...config, max_msgs_per_subject: 100 });
  stack.settle();
  expect(turns).toBeGreaterThan(10);
  expect([stream.store.first, stream.store.messages]).toEqual([MESSAGES - 19, 20]);
});

it("very many messages that wait are delivered again, in order, acknowledged by one, and purged", () => {
  const stream = filled(1);
  const config = {
    ack_policy: "all",
    durable_name: "c",
    max_ack_pending: -1,
    ack_wait: 1e9,
    deliver_policy: "by_start_sequence",
    opt_start_seq: MESSAGES - 4999,
  };
  stack.request("CONSUMER.DURABLE.CREATE.S.c", { stream_name: "S", config });
  const waiting = 5000;
  const heard = stack.listen("_INBOX.all");
  const pull = (): void =>
    stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", `{"batch":${waiting}}`, {}, "_INBOX.all");
  pull();
  stack.settle();
  pull();
  stack.clock.advance(1001);
  stack.settle();
  const sequences = heard.map(({ reply }) => Number(reply.split(".").at(-4)));
  expect(sequences.slice(0, waiting)).toEqual(sequences.slice(waiting));
  expect(stack.request("CONSUMER.INFO.S.c")).toMatchObject({ num_redelivered: waiting });
  stack.publish(heard[waiting / 2 - 1]!.reply, "");
  expect(stack.request("CONSUMER.INFO.S.c")).toMatchObject({
    num_ack_pending: waiting / 2,
    num_redelivered: waiting / 2,
    ack_floor: { stream_seq: MESSAGES - waiting / 2 },
  });
  stack.request("STREAM.PURGE.S");
  expect(stack.request("CONSUMER.INFO.S.c")).toMatchObject({ num_ack_pending: 0, num_pending: 0 });
  expect(stream.store.messages).toBe(0);
});

it("messages that nobody wants any more go in steps when a consumer goes", () => {
  const stream = filled(10, { retention: "interest" });
  for (const name of ["a", "b"]) {
    const filter = name === "a" ? "s.*.0" : "s.*.1";
    const config = { ack_policy: "explicit", durable_name: name, filter_subject: filter };
    stack.request(`CONSUMER.DURABLE.CREATE.S.${name}`, { stream_name: "S", config });
  }
  const seen = watch(stream, "remove");
  stack.request("CONSUMER.DELETE.S.b");
  expect(stream.store.messages).toBe(MESSAGES / 2);
  expectSteps(seen, REMOVED_PER_TURN);
});

it("a consumer with a filter that begins in the middle is counted in steps, and told of as a whole", () => {
  const stream = filled(30_000);
  const seen = watch(stream, "visitSome");
  const config = {
    ack_policy: "explicit",
    durable_name: "c",
    filter_subject: "s.*.1",
    deliver_policy: "by_start_sequence",
    opt_start_seq: 5001,
  };
  const created = stack.request("CONSUMER.DURABLE.CREATE.S.c", { stream_name: "S", config });
  expect(created).toMatchObject({ num_pending: 17_500 });
  expectSteps(seen, 1);
});

it("a consumer of the last messages of very many subjects gets each once, in order", () => {
  const stream = filled(30_000);
  const seen = watch(stream, "visitSome");
  const config = {
    ack_policy: "none",
    durable_name: "c",
    deliver_policy: "last_per_subject",
    filter_subject: "s.>",
  };
  const created = stack.request("CONSUMER.DURABLE.CREATE.S.c", { stream_name: "S", config });
  expect(created).toMatchObject({ num_pending: 30_000 });
  expectSteps(seen, 1);
  const heard = stack.listen("_INBOX.all");
  stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", '{"batch":30000,"no_wait":true}', {}, "_INBOX.all");
  const sequences = heard
    .filter(({ reply }) => reply.startsWith("$JS.ACK."))
    .map(({ reply }) => Number(reply.split(".").at(-4)));
  expect(sequences).toEqual(Array.from({ length: 30_000 }, (_, i) => 10_001 + i));
});

/** How many turns of their own the host was asked for. */
function turnsOf({ host }: Stream): { count: number } {
  const turns = { count: 0 };
  const soon = host.soon.bind(host);
  vi.spyOn(host, "soon").mockImplementation((work) => {
    turns.count++;
    soon(work);
  });
  return turns;
}

it("stream info counts very many subjects in steps, and tells the page that was asked for", () => {
  const stream = filled(30_000);
  const turns = turnsOf(stream);
  const info = stack.request("STREAM.INFO.S", { subjects_filter: "s.*.1", offset: 14_999 }) as {
    total: number;
    state: { subjects: Record<string, number> };
  };
  expect(info.total).toBe(15_000);
  expect(info.state.subjects).toEqual({ "s.29999.1": 1 });
  expect(turns.count).toBeGreaterThan(4);
});

it("the next message of a subject that none is on is looked for in steps, and refused", () => {
  const stream = filled(30_000);
  const turns = turnsOf(stream);
  expect(stack.request("STREAM.MSG.GET.S", { seq: 2, next_by_subj: "s.*.x" })).toMatchObject({
    error: { code: 404, err_code: 10037, description: "no message found" },
  });
  expect(turns.count).toBeGreaterThan(3);
  stack.publish("s.last.x", "found");
  stack.settle();
  expect(stack.request("STREAM.MSG.GET.S", { seq: 2, next_by_subj: "s.*.x" })).toMatchObject({
    message: { subject: "s.last.x", seq: MESSAGES + 1 },
  });
});

it("direct gets of several messages look for them in steps", () => {
  const stream = filled(30_000, { allow_direct: true });
  stack.publish("s.last.x", "found");
  stack.settle();
  const turns = turnsOf(stream);
  const get = (request: object): string[] => {
    const heard = stack.listen("_INBOX.get");
    stack.publish("$JS.API.DIRECT.GET.S", JSON.stringify(request), {}, "_INBOX.get");
    stack.settle();
    return heard.map(({ headers }) =>
      /Nats-Sequence: (\d+)|NATS\/1.0 (\d+)/.exec(headers)!.slice(1).join(""),
    );
  };
  expect(get({ multi_last: ["s.*.x", "s.*.y"] })).toEqual([String(MESSAGES + 1), "204"]);
  expect(turns.count).toBeGreaterThan(7);
  turns.count = 0;
  expect(get({ seq: 5, next_by_subj: "s.*.x", batch: 10 })).toEqual([String(MESSAGES + 1), "204"]);
  expect(turns.count).toBeGreaterThan(7);
  expect(get({ seq: 5, next_by_subj: "s.*.y", batch: 10 })).toEqual(["404"]);
  expect(get({ multi_last: ["s.>"] })).toEqual(["413"]);
});
