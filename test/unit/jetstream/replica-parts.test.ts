/** Parts of the copies of a stream, each by itself. */
import { expect, it } from "vitest";
import type { Group } from "../../../src/jetstream/group/group.ts";
import { lossOf } from "../../../src/jetstream/cluster-troubles.ts";
import { DamagedCopy } from "../../../src/jetstream/group/damaged-copy.ts";
import { OpenRemovals } from "../../../src/jetstream/group/open-removals.ts";
import { decodeState, encodeState, stateOf } from "../../../src/jetstream/group/stream-state.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

/** A stream with messages 1 to 6. */
function filled(): JetStreamStack {
  const stack = new JetStreamStack();
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s"] });
  for (let i = 1; i <= 6; i++) stack.ask("s", `${i}`);
  return stack;
}

it("the state of a stream names what was deleted behind its last message as well", () => {
  const stack = filled();
  for (const seq of [1, 3, 5, 6]) stack.request("STREAM.MSG.DELETE.S", { seq });
  const state = decodeState(encodeState(stateOf(stack.stream("S").store, 0)))!;
  expect(state).toMatchObject({ messages: 2, first: 2, last: 6 });
  expect(state.deleted).toEqual([
    { first: 3, count: 1 },
    { first: 5, count: 2 },
  ]);
});

it("the state of a stream does not take damaged messages for deleted", () => {
  const stack = filled();
  for (const seq of [1, 3, 4, 5]) stack.request("STREAM.MSG.DELETE.S", { seq });
  const { store } = stack.stream("S");
  store.lost.add(1, 1);
  store.lost.add(4, 4);
  const state = decodeState(encodeState(stateOf(store, 0)))!;
  expect(state.first).toBe(1);
  expect(state.deleted).toEqual([
    { first: 3, count: 1 },
    { first: 5, count: 1 },
  ]);
});

it("a damaged copy leaves the lead, and keeps it where it gets it again at once", () => {
  const stack = filled();
  const stream = stack.stream("S");
  let transfers = 0;
  const group = { ...groupOf(["a", "b", "c"], []), transfer: () => void transfers++ } as unknown as Group;
  const copy = new DamagedCopy(stream);
  expect(copy.leaves(group)).toBe(false);
  stream.store.lost.add(3, 3);
  expect(copy.leaves(group)).toBe(true);
  expect(copy.leaves(group)).toBe(false);
  stack.advance(10_000);
  expect(copy.leaves(group)).toBe(true);
  expect(transfers).toBe(2);
  expect(copy.leaves({ ...group, ...groupOf(["a"], []) })).toBe(false);
});

it("a removal is asked for again until the message is gone", () => {
  const stack = filled();
  const told: number[] = [];
  const removals = new OpenRemovals(stack.stream("S"), (sequence) => void told.push(sequence));
  const timers = stack.clock.timerCount;
  removals.add(2);
  removals.add(4);
  stack.request("STREAM.MSG.DELETE.S", { seq: 2 });
  stack.advance(2000);
  expect(told).toEqual([2, 4, 4]);
  stack.request("STREAM.MSG.DELETE.S", { seq: 4 });
  stack.advance(10_000);
  expect(told).toEqual([2, 4, 4]);
  expect(stack.clock.timerCount).toBe(timers);
});

it("nothing is asked for again once the copy is stopped", () => {
  const stack = filled();
  const told: number[] = [];
  const removals = new OpenRemovals(stack.stream("S"), (sequence) => void told.push(sequence));
  removals.add(2);
  removals.stop();
  stack.advance(10_000);
  expect(told).toEqual([2]);
});

function groupOf(members: readonly string[], lostPeers: readonly string[], leader = ""): Group {
  const peers = { size: members.length, peers: members, domainExtension: 0 };
  return { leader, lostPeers, peers } as unknown as Group;
}

it("a group that elects no leader since most members have lost something says who, and what can be done", () => {
  const nameOf = (peer: string): string => peer.toUpperCase();
  const three = ["a", "b", "c"];
  expect(lossOf(groupOf(three, ["b", "a"]), nameOf, "stream")).toBe(
    "group elects no leader: 2 of its 3 members have lost something that they had acknowledged (A, B). " +
      "Give them their disks back, or delete the stream and restore a backup of it",
  );
  expect(lossOf(groupOf(three, ["b"]), nameOf, "stream")).toBe("");
  expect(lossOf(groupOf(["a", "b"], ["b"]), nameOf, "consumer")).toContain("1 of its 2 members");
  expect(lossOf(groupOf(three, ["a", "b"], "c"), nameOf, "stream")).toBe("");
});
