/** A consumer whose stream lost its last messages by damage. */
import { expect, it } from "vitest";
import { ConsumerState } from "../../../src/jetstream/consumer/state.ts";

it("what lies beyond the stream's end is neither pending nor delivered any more", () => {
  const state = new ConsumerState("explicit", 1);
  for (let i = 1; i <= 5; i++) state.apply(ConsumerState.delivery(i, i, 1, 0));
  state.apply(ConsumerState.delivery(5, 6, 2, 0));
  for (const sequence of [1, 2]) state.apply(ConsumerState.ack(sequence, 0));
  expect(state.clamp(2)).toBe(true);
  expect([...state.pending, ...state.redelivered]).toEqual([]);
  expect(state.delivered.stream).toBe(2);
  expect(state.floor).toEqual(state.delivered);
  expect(state.clamp(2)).toBe(false);
});
