/** Wires that end together: what that sets off is spread over turns, in order, and none is forgotten. */
import { beforeEach, expect, it } from "vitest";
import { ENDS_PER_TURN, OpenWires } from "../../../src/transport/open-wires.ts";

const WIRES = 10 * ENDS_PER_TURN + 7;

let turns: (() => void)[];
let wires: OpenWires;
let ended: number[];

beforeEach(() => {
  turns = [];
  ended = [];
  wires = new OpenWires((work) => void turns.push(work));
});

function close(from: number, to: number): void {
  for (let i = from; i < to; i++) wires.closed(() => void ended.push(i));
}

function turn(): void {
  for (const work of turns.splice(0)) work();
}

it("a few end at once, also in the turns after", () => {
  for (let i = 0; i < 20; i++) wires.opened();
  for (let i = 0; i < 20; i++) {
    close(i, i + 1);
    expect(ended).toHaveLength(i + 1);
    turn();
  }
  turn();
  expect(turns).toHaveLength(0);
});

it("many end in slices and in their order, and are waited for", async () => {
  for (let i = 0; i < WIRES; i++) wires.opened();
  let isDrained = false;
  const drained = wires.drained().then(() => (isDrained = true));
  close(0, WIRES);
  for (let count = 1; count <= 10; count++) {
    expect(ended).toHaveLength(count * ENDS_PER_TURN);
    turn();
  }
  expect(ended).toEqual(Array.from({ length: WIRES }, (_, i) => i));
  await drained;
  expect(isDrained).toBe(true);
  turn();
  expect(turns).toHaveLength(0);
});

it("a socket whose peer has ended is closed in the same order, and counts as open until it is", () => {
  wires.opened();
  wires.peerEnded(() => void ended.push(1));
  wires.closed(() => void ended.push(2));
  expect(ended).toEqual([1, 2]);
});

it("one that ends while others wait comes after them", () => {
  for (let i = 0; i < WIRES; i++) wires.opened();
  close(0, 2 * ENDS_PER_TURN);
  turn();
  close(2 * ENDS_PER_TURN, 2 * ENDS_PER_TURN + 3);
  expect(ended).toHaveLength(2 * ENDS_PER_TURN);
  turn();
  expect(ended).toEqual(Array.from({ length: 2 * ENDS_PER_TURN + 3 }, (_, i) => i));
});
