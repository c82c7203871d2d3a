/** What neighbours are told of the interest here. */
import { describe, expect, it } from "vitest";
import { LocalInterest } from "../../../src/core/local-interest.ts";
import { Subscription } from "../../../src/core/subscription.ts";

const owner = { deliver: () => true };
const subscription = (subject: string, queue: string | null = null): Subscription =>
  new Subscription(owner, subject, queue, "1");

describe("local interest", () => {
  it("in a plain subject is told when it begins and when it ends", () => {
    const interest = new LocalInterest();
    const [first, second] = [subscription("a"), subscription("a")];
    expect(interest.add(first)).toEqual({ subject: "a", queue: null, count: 1 });
    expect(interest.add(second)).toBeNull();
    expect(interest.remove(first)).toBeNull();
    expect(interest.remove(second)).toEqual({ subject: "a", queue: null, count: 0 });
    expect(interest.size).toBe(0);
  });

  it("of a queue group is told with every change of its size", () => {
    const interest = new LocalInterest();
    const [first, second] = [subscription("a", "q"), subscription("a", "q")];
    const told = [interest.add(first), interest.add(second), interest.remove(first), interest.remove(second)];
    expect(told.map((change) => change?.count)).toEqual([1, 2, 1, 0]);
  });

  it("keeps plain subscriptions and queue groups apart, and lists all of them", () => {
    const interest = new LocalInterest();
    for (const [subject, queue] of [
      ["a", null],
      ["a", "q"],
      ["a", "p"],
      ["a", "q"],
      ["b.*", null],
    ] as const) {
      interest.add(subscription(subject, queue));
    }
    expect([...interest]).toEqual([
      { subject: "a", queue: null, count: 1 },
      { subject: "a", queue: "q", count: 2 },
      { subject: "a", queue: "p", count: 1 },
      { subject: "b.*", queue: null, count: 1 },
    ]);
  });
});
