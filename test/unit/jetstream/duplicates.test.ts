import fc from "fast-check";
import { expect, it } from "vitest";
import { Duplicates } from "../../../src/jetstream/stream/duplicates.ts";

const WINDOW_MS = 10;

it("knows the ids of its window, each by the message that was stored last under it", () => {
  const step = fc.record({ id: fc.nat(5), waitMs: fc.nat(6) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const duplicates = new Duplicates(WINDOW_MS * 1e6);
      const model = new Map<string, { sequence: number; timeMs: number }>();
      let nowMs = 0;
      for (const [i, { id: number, waitMs }] of steps.entries()) {
        nowMs += waitMs;
        const id = `${number}`;
        const known = model.get(id);
        const expected = known === undefined || nowMs - known.timeMs > WINDOW_MS ? 0 : known.sequence;
        expect(duplicates.find(id, BigInt(nowMs) * 1_000_000n)).toBe(expected);
        if (expected !== 0) continue;
        duplicates.note(id, i + 1, BigInt(nowMs) * 1_000_000n);
        model.set(id, { sequence: i + 1, timeMs: nowMs });
      }
    }),
    { numRuns: 500 },
  );
});

it("forgets what is too old, however many there were", () => {
  const duplicates = new Duplicates(WINDOW_MS * 1e6);
  for (let i = 1; i <= 50_000; i++) {
    duplicates.noteAt(`id${i}`, i, i);
    expect(duplicates.findAt(`id${i}`, i)).toBe(i);
    if (i > WINDOW_MS) expect(duplicates.findAt(`id${i - WINDOW_MS - 1}`, i)).toBe(0);
  }
});

it("drops some at a time where very many are too old at once, and counts none of them", () => {
  const duplicates = new Duplicates(WINDOW_MS * 1e6);
  const count = 10_000;
  for (let i = 1; i <= count; i++) duplicates.noteAt(`id${i}`, i, 0);
  duplicates.noteAt("another", count + 1, 100);
  expect(duplicates.size).toBeGreaterThan(count - 100);
  expect(duplicates.findAt(`id${count}`, 100)).toBe(0);
  duplicates.noteAt(`id${count}`, count + 2, 100);
  for (let i = 1; i <= count / 50; i++) duplicates.noteAt(`more${i}`, count + 2 + i, 100);
  expect(duplicates.size).toBe(2 + count / 50);
  expect(duplicates.findAt(`id${count}`, 100)).toBe(count + 2);
});

it("is right among very many, while its table grows and shrinks", () => {
  const duplicates = new Duplicates(WINDOW_MS * 1e6);
  const count = 50_000;
  const wrong = (
    name: string,
    step: number,
    to: number,
    nowMs: number,
    sequenceOf: (i: number) => number,
  ) => {
    const found: number[] = [];
    for (let i = 1; i <= to; i += step)
      if (duplicates.findAt(`${name}${i}`, nowMs) !== sequenceOf(i)) found.push(i);
    return found;
  };
  for (let i = 1; i <= count; i++) duplicates.noteAt(`id${i}`, i, 0);
  expect(wrong("id", 1, count, 1, (i) => i)).toEqual([]);
  expect(wrong("other", 1, count, 1, () => 0)).toEqual([]);
  for (let i = 1; i <= count; i += 3) duplicates.noteAt(`id${i}`, count + i, 5);
  expect(wrong("id", 3, count, 12, (i) => count + i)).toEqual([]);
  for (let i = 1; i <= 5000; i++) duplicates.noteAt(`new${i}`, i, 20);
  expect(duplicates.size).toBe(5000);
  expect(wrong("new", 1, 5000, 21, (i) => i)).toEqual([]);
  expect(wrong("id", 1, count, 20, () => 0)).toEqual([]);
});
