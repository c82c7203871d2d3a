/** How much work it is to build a plan, counted, since a subject may have a hundred thousand subscriptions. */
import { describe, expect, it } from "vitest";
import { Interest } from "../../../src/core/interest.ts";
import { Subscription, type Subscriber } from "../../../src/core/subscription.ts";
import { hashBytes } from "../../../src/slab/hash.ts";
import { AREA } from "../../../src/slab/layout.ts";
import { writeText } from "../../../src/slab/memory.ts";

const SUBJECT = "load.x";
const COUNT = 5000;

/** Counts how often it is asked whether it is gone. */
class CountingOwner implements Subscriber {
  asked = 0;

  get isGone(): boolean {
    this.asked++;
    return false;
  }

  deliver(): boolean {
    return true;
  }
}

/** How often the plan's builder reads the queue group of this subscription. */
function countReads(subscription: Subscription): () => number {
  let reads = 0;
  const { queue } = subscription;
  Object.defineProperty(subscription, "queue", {
    get() {
      reads++;
      return queue;
    },
  });
  return () => reads;
}

describe("a plan for a subject with thousands of subscriptions", () => {
  it("asks their owner once, and looks at each of them once", () => {
    using interest = new Interest("$G");
    const owner = new CountingOwner();
    const subscriptions = Array.from(
      { length: COUNT },
      (_, i) => new Subscription(owner, SUBJECT, i % 2 === 0 ? "workers" : null, String(i)),
    );
    for (const one of subscriptions) interest.add(one);
    const reads = [countReads(subscriptions[10]!), countReads(subscriptions[11]!)];
    const { at } = AREA.hashed;
    writeText(at, SUBJECT);
    const plan = interest.plan(at, SUBJECT.length, hashBytes(at, SUBJECT.length));
    expect(plan.locals).toHaveLength(COUNT / 2);
    expect(plan.groups[0]!.locals).toHaveLength(COUNT / 2);
    expect(owner.asked).toBe(1);
    // Whether it has a group, and whether that is the group of the one before.
    for (const count of reads) expect(count()).toBeLessThanOrEqual(3);
  });
});
