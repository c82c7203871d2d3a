/** Messages that wait, in such numbers that they fill several chunks: the same as a map and a list of what is due would hold. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { PendingMessages, type Pending } from "../../../src/jetstream/consumer/pending.ts";

const WAIT_MS = 30;
/** Messages that are due in very many chunks are found in several goes. */
const GOES_MAX = 1000;

const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant("add" as const),
      count: fc.integer({ min: 1, max: 900 }),
      gap: fc.constantFrom(1, 1, 1, 3, 2 ** 33),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constantFrom("settle" as const, "again" as const, "due" as const, "not due" as const),
      every: fc.integer({ min: 1, max: 7 }),
      from: fc.nat(3000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("up to" as const), which: fc.nat(3000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant("time" as const),
      which: fc.nat(3000),
      timeMs: fc.constantFrom(0, 5, 17.25, 2 ** 40, -(2 ** 40)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant("wait" as const), ms: fc.nat(20) }),
  },
);

it("hold what a map would, and know what is due", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30, size: "max" }), (acts) => {
      const pending = new PendingMessages();
      pending.setWaits(() => WAIT_MS);
      const model = new Map<number, Pending>();
      const due = new Set<number>();
      const nth = (n: number): number | undefined => [...model.keys()][n % Math.max(1, model.size)];
      const forget = (sequence: number): void => {
        model.delete(sequence);
        due.delete(sequence);
      };
      let sequence = 0;
      let nowMs = 1000;
      for (const one of acts) {
        if (one.what === "wait") nowMs += one.ms;
        else if (one.what === "add")
          for (let i = 0; i < one.count; i++) {
            sequence += one.gap;
            pending.add(sequence, sequence % 1000, 1, nowMs);
            model.set(sequence, { consumerSequence: sequence % 1000, count: 1, timeMs: nowMs });
          }
        else if (one.what === "up to") {
          const to = nth(one.which) ?? 0;
          const gone = [...model.keys()].filter((each) => each <= to);
          expect([...pending.upTo(to)]).toEqual(gone);
          expect(pending.removeUpTo(to)).toBe(gone.length);
          gone.forEach(forget);
        } else if (one.what === "time") {
          const which = nth(one.which);
          if (which === undefined) continue;
          model.get(which)!.timeMs = one.timeMs;
          pending.setTime(pending.find(which), one.timeMs);
        } else
          for (const each of [...model.keys()].slice(one.from).filter((_, i) => i % one.every === 0)) {
            const place = pending.find(each);
            expect(pending.placeFrom(each)).toBe(place);
            if (one.what === "settle") {
              pending.removeAt(place);
              forget(each);
            } else if (one.what === "due") {
              pending.markDue(place);
              due.add(each);
            } else if (one.what === "not due") {
              pending.clearDue(place);
              due.delete(each);
            } else {
              const there = model.get(each)!;
              Object.assign(there, { count: there.count + 1, timeMs: nowMs });
              pending.setDelivery(place, there.count, nowMs);
            }
          }
        check(pending, model, due, nowMs);
      }
    }),
    { numRuns: 25 },
  );
});

/** Marks what is due by now, and compares. */
function check(
  pending: PendingMessages,
  model: ReadonlyMap<number, Pending>,
  due: Set<number>,
  nowMs: number,
): void {
  expect(pending.size).toBe(model.size);
  expect([...pending]).toEqual([...model]);
  for (let i = 0; i < GOES_MAX && pending.nextDueMs <= nowMs; i++) pending.collectDue(nowMs);
  let nextMs = Infinity;
  let redelivered = 0;
  for (const [sequence, { count, timeMs }] of model) {
    if (count > 1) redelivered++;
    if (timeMs + WAIT_MS <= nowMs) due.add(sequence);
    if (!due.has(sequence)) nextMs = Math.min(nextMs, timeMs + WAIT_MS);
  }
  expect(pending.redeliveredCount).toBe(redelivered);
  for (let i = 0; i < GOES_MAX && pending.nextDueMs < nextMs; i++) continue; // it is found out some chunks at a time
  expect(pending.nextDueMs).toBe(nextMs);
  const found: number[] = [];
  for (let at = pending.nextDue(); at >= 0; at = pending.nextDue(at + 1)) found.push(pending.sequenceAt(at));
  expect(found).toEqual([...due].sort((a, b) => a - b));
  expect(pending.dueCount).toBe(due.size);
}

it("are 16 bytes each, whatever else there is", () => {
  const pending = new PendingMessages();
  const count = 200_000;
  for (let i = 1; i <= count; i++) pending.add(2 ** 40 + 3 * i, i, 1, 1_700_000_000_000 + i);
  expect(pending.bytes).toBeLessThan(17 * count);
  for (let i = 1; i <= count; i++) if (i % 5000 !== 0) pending.delete(2 ** 40 + 3 * i);
  pending.add(2 ** 41, count + 1, 1, 0);
  pending.add(2 ** 42, count + 2, 1, 0);
  expect(pending.size).toBe(42);
  expect(pending.bytes).toBeLessThan(40_000);
});
