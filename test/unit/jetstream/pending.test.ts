import fc from "fast-check";
import { expect, it } from "vitest";
import { PendingMessages, type Pending } from "../../../src/jetstream/consumer/pending.ts";

const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant("add" as const), gap: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("settle" as const), which: fc.nat(200) }) },
  fc.record({ what: fc.constant("settle first" as const) }),
  fc.record({ what: fc.constant("again" as const), which: fc.nat(200) }),
  { weight: 1, arbitrary: fc.record({ what: fc.constant("clear" as const) }) },
);

it("holds what waits as a map would, in order, whatever is settled in which order", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 200, size: "max" }), (acts) => {
      const pending = new PendingMessages();
      const model = new Map<number, Pending>();
      let sequence = 0;
      for (const one of acts) {
        if (one.what === "add") {
          sequence += one.gap;
          pending.add(sequence, sequence * 2, 1, 5);
          model.set(sequence, { consumerSequence: sequence * 2, count: 1, timeMs: 5 });
        } else if (one.what === "settle") expect(pending.delete(one.which)).toBe(model.delete(one.which));
        else if (one.what === "again") {
          const there = model.get(one.which);
          const place = pending.find(one.which);
          expect(place >= 0).toBe(there !== undefined);
          if (there === undefined) continue;
          Object.assign(there, { count: there.count + 1, timeMs: 7 });
          pending.setDelivery(place, there.count, 7);
        } else if (one.what === "settle first" && pending.size > 0) {
          expect(pending.sequenceAt(pending.first)).toBe(model.keys().next().value);
          model.delete(pending.sequenceAt(pending.first));
          pending.removeAt(pending.first);
        } else if (one.what === "clear") {
          pending.clear();
          model.clear();
        }
        expect(pending.size).toBe(model.size);
        expect([...pending]).toEqual([...model]);
      }
    }),
    { numRuns: 300 },
  );
});

it("does not grow while one message stays and all others are settled", () => {
  const pending = new PendingMessages();
  pending.add(1, 1, 1, 0);
  for (let sequence = 2; sequence <= 100_000; sequence++) {
    pending.add(sequence, sequence, 1, 0);
    pending.delete(sequence);
  }
  expect(pending.end - pending.first).toBeLessThanOrEqual(32);
  expect([...pending.keys()]).toEqual([1]);
});

it("takes messages below the newest that were settled, as after damage to the stream", () => {
  const pending = new PendingMessages();
  for (const sequence of [1, 2, 3, 4]) pending.add(sequence, sequence, 1, 0);
  for (const sequence of [3, 4]) pending.delete(sequence);
  pending.add(3, 5, 1, 0);
  expect([...pending.keys()]).toEqual([1, 2, 3]);
});
