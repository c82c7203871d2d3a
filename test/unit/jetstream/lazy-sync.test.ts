/** With a lazy policy what is acknowledged is on the disk within the interval, and nothing waits for it. */
import { expect, it } from "vitest";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const STREAM = { name: "S", subjects: ["s.>"], storage: "file" };

it("syncs what was written once in an interval, and nothing where nothing was written", () => {
  const stack = new JetStreamStack({ policy: "lazy", syncIntervalMs: 60_000 });
  stack.request("STREAM.CREATE.S", STREAM);
  stack.advance(60_000);
  const { counters } = stack.metered;
  const before = counters.syncs;
  expect(stack.ask("s.a", "x")?.text).toBe(`{"stream":"S","seq":1}`);
  stack.publish("s.b");
  stack.advance(59_000);
  expect(counters.syncs).toBe(before);
  stack.advance(1000);
  expect(counters.syncs).toBe(before + 1);
  stack.advance(600_000);
  expect(counters.syncs).toBe(before + 1);
  stack.stop();
  expect(stack.clock.timerCount).toBe(0);
});

it("syncs a block that is full in the background", () => {
  const stack = new JetStreamStack({ policy: "lazy" });
  stack.request("STREAM.CREATE.S", STREAM);
  const before = stack.metered.counters.syncs;
  for (let i = 0; i < 5; i++) stack.publish("s.a", "x".repeat(900_000));
  expect(stack.stream("S").store.log.blocks.length).toBe(2);
  expect(stack.metered.counters.syncs).toBe(before + 1);
  stack.stop();
});

it("goes by the metadata of a stream, where it says when the disk has to have what is acknowledged", () => {
  const stack = new JetStreamStack();
  const lazy = { ...STREAM, metadata: { "shoal.sync": "lazy" } };
  expect(stack.request("STREAM.CREATE.S", lazy)).toMatchObject({ config: { metadata: lazy.metadata } });
  stack.request("STREAM.CREATE.T", { name: "T", subjects: ["t"], metadata: { "shoal.sync": "always" } });
  const { counters } = stack.metered;
  const before = counters.syncs;
  expect(stack.ask("s.a", "x")?.text).toBe(`{"stream":"S","seq":1}`);
  expect(counters.syncs).toBe(before);
  stack.ask("t", "x");
  expect(counters.syncs).toBe(before + 1);
  stack.advance(120_000);
  expect(counters.syncs).toBe(before + 2);
  for (const metadata of [{ "shoal.sync": "always" }, {}, { "shoal.sync": "never" }])
    expect(stack.request("STREAM.UPDATE.S", { ...STREAM, metadata })).toMatchObject({
      error: { err_code: 10052 },
    });
  stack.stop();
  expect(stack.clock.timerCount).toBe(0);
});

it("keeps a stream durable that asks for it on a server that is lazy", () => {
  const stack = new JetStreamStack({ policy: "lazy", syncIntervalMs: 60_000 });
  stack.request("STREAM.CREATE.S", { ...STREAM, metadata: { "shoal.sync": "always" } });
  const { counters } = stack.metered;
  const before = counters.syncs;
  expect(stack.ask("s.a", "x")?.text).toBe(`{"stream":"S","seq":1}`);
  expect(counters.syncs).toBe(before + 1);
  stack.stop();
});
