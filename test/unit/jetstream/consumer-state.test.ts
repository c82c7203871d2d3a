/** A consumer whose stream ends before its place: by damage, or since it was told to begin further on. */
import { expect, it } from "vitest";
import { ConsumerState } from "../../../src/jetstream/consumer/state.ts";

it("what lies beyond the stream's end is neither pending nor delivered any more", () => {
  const state = new ConsumerState("explicit", 1, 0);
  for (let i = 1; i <= 5; i++) state.apply(ConsumerState.delivery(i, i, 1, 0));
  state.apply(ConsumerState.delivery(5, 6, 2, 0));
  for (const sequence of [1, 2]) state.apply(ConsumerState.ack(sequence, 0));
  expect(state.clamp(2)).toBe(true);
  expect([...state.pending, ...state.redelivered()]).toEqual([]);
  expect(state.delivered.stream).toBe(2);
  expect(state.floor).toEqual(state.delivered);
  expect(state.clamp(2)).toBe(false);
});

it("a place that was chosen ahead of the stream's end is kept", () => {
  const state = new ConsumerState("explicit", 5, 2);
  expect(state.clamp(2)).toBe(false);
  const again = new ConsumerState("explicit", 1, 2);
  again.restore(state.toJson());
  expect(again.clamp(2)).toBe(false);
  expect(again.delivered.stream).toBe(4);
  again.reset(9, 2);
  expect(again.clamp(2)).toBe(false);
  again.apply(ConsumerState.delivery(9, 1, 1, 0));
  expect(again.clamp(2)).toBe(true);
  expect(again.delivered.stream).toBe(8);
  again.reset(2, 2);
  again.apply(ConsumerState.skip(4, 0));
  expect(again.clamp(2)).toBe(true);
  expect(again.delivered.stream).toBe(2);
});
