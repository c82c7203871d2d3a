import { afterEach, expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { StatusBeat } from "../../../src/system/status-beat.ts";

const clock = new VirtualClock();
let beat: StatusBeat;
afterEach(() => {
  beat[Symbol.dispose]();
  expect(clock.timerCount).toBe(0);
});

function beats(): number[] {
  const startMs = clock.nowMs();
  const at: number[] = [];
  beat = new StatusBeat(clock, () => at.push(clock.nowMs() - startMs));
  return at;
}

it("beats often at first, and every ten seconds in the end", () => {
  const at = beats();
  clock.advance(50_000);
  expect(at).toEqual([250, 750, 1750, 3750, 7750, 15_750, 25_750, 35_750, 45_750]);
});

it("beats soon when members change, however many do, and never twice in a second", () => {
  const at = beats();
  clock.advance(20_000);
  const before = at.length;
  for (let i = 0; i < 100; i++) beat.hasten();
  clock.advance(250);
  expect(at.length).toBe(before + 1);
  for (let i = 0; i < 50; i++) {
    beat.hasten();
    clock.advance(100);
  }
  const gaps = at.slice(before).map((ms, i) => ms - at[before + i - 1]!);
  expect(Math.min(...gaps.slice(1))).toBeGreaterThanOrEqual(1000);
  expect(at.length).toBeGreaterThan(before + 3);
});
