import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConsumerConfig } from "../../../src/jetstream/consumer/config.ts";
import { Redelivery } from "../../../src/jetstream/consumer/redelivery.ts";
import { ConsumerState } from "../../../src/jetstream/consumer/state.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const CONFIG = { ackPolicy: "explicit", ackWaitNs: 30e6, backoffNs: [] } as unknown as ConsumerConfig;
const BACKOFF = { ...CONFIG, backoffNs: [10e6, 20e6, 50e6] } as ConsumerConfig;

const act = fc.oneof(
  { weight: 3, arbitrary: fc.constant("deliver" as const) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("ack" as const, "refuse" as const), fc.nat(30)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("wait" as const), fc.nat(20)) },
  fc.constant("look" as const),
);

describe("what is to be delivered again", () => {
  it("is what was not acknowledged in time, whatever was refused or delivered again before", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60, size: "max" }), fc.boolean(), (acts, hasBackoff) => {
        const config = hasBackoff ? BACKOFF : CONFIG;
        const state = new ConsumerState("explicit", 1, 0);
        const again = new Redelivery(state, config);
        let nowMs = 1000;
        const isLate = (sequence: number): boolean => {
          const { timeMs, count } = state.pending.get(sequence)!;
          return timeMs + again.waitMs(count) <= nowMs;
        };
        for (const one of acts) {
          const [what, which] = typeof one === "string" ? [one, 0] : one;
          if (what === "wait") nowMs += which;
          else if (what === "ack") state.apply(ConsumerState.ack(which, nowMs));
          else if (what === "refuse" && state.pending.has(which))
            state.apply(ConsumerState.later(which, nowMs + (which % 3) - 20));
          else if (what === "deliver") {
            const sequence = state.delivered.stream + 1;
            state.apply(ConsumerState.delivery(sequence, state.delivered.consumer + 1, 1, nowMs));
          } else if (what === "look") {
            const late = [...state.pending.keys()].filter(isLate);
            const next = [...state.pending].filter(([sequence]) => !late.includes(sequence));
            again.collect(nowMs);
            const dueMs = next.map(([, { timeMs, count }]) => timeMs + again.waitMs(count));
            expect(again.nextMs).toBe(Math.min(Infinity, ...dueMs));
            const taken: number[] = [];
            for (let sequence = again.take(); sequence !== 0; sequence = again.take()) taken.push(sequence);
            expect(taken).toEqual(late);
            for (const sequence of taken) {
              const count = state.pending.get(sequence)!.count + 1;
              state.apply(ConsumerState.delivery(sequence, state.delivered.consumer + 1, count, nowMs));
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

it("the time of a delivery is kept as a whole number of milliseconds, which takes less room, and is not before it", () => {
  const stack = new JetStreamStack();
  stack.clock.advance(0.37);
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s"] });
  const config = { durable_name: "c", ack_policy: "explicit", ack_wait: 1e9 };
  stack.request("CONSUMER.DURABLE.CREATE.S.c", { stream_name: "S", config });
  for (let i = 0; i < 3; i++) stack.publish("s", `${i}`);
  const heard = stack.listen("inbox");
  stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", "5", {}, "inbox");
  expect(heard.length).toBe(3);
  const { pending } = stack.assets.streams.get("S")!.consumers.get("c")!.state;
  const times = [...pending].map(([, { timeMs }]) => timeMs);
  expect(times).toEqual(Array(3).fill(Math.ceil(stack.clock.nowMs())));
  stack.clock.advance(999.9);
  stack.publish("other");
  expect(heard.length).toBe(3);
});
