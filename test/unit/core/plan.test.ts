/**
 * How much work it is to build a plan, counted, since a subject may have a hundred thousand subscriptions; the heads that it has; and
 * whom it prefers.
 */
import { describe, expect, it, onTestFinished } from "vitest";
import type { Head, HeadDialect } from "../../../src/core/heads.ts";
import { Interest } from "../../../src/core/interest.ts";
import type { Plan } from "../../../src/core/plan.ts";
import {
  RemoteInterest,
  Subscription,
  type Interested,
  type Neighbour,
  type Subscriber,
} from "../../../src/core/subscription.ts";
import { hashBytes } from "../../../src/slab/hash.ts";
import { AREA } from "../../../src/slab/layout.ts";
import { readText, writeText } from "../../../src/slab/memory.ts";

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

/** A connection to another server that takes nothing; rank and dialect are what a plan reads of it. */
function neighbour(dialect: HeadDialect, rank: number): Neighbour {
  const tier = dialect === "route" ? "route" : "spoke";
  return { rank, dialect, tier, leafCluster: "", chosenQueues: "", forward: () => undefined };
}

function planWith(...items: readonly Interested[]): Plan {
  const interest = new Interest("$G");
  onTestFinished(() => interest[Symbol.dispose]());
  for (const one of items) interest.add(one);
  const { at } = AREA.hashed;
  writeText(at, SUBJECT);
  return interest.plan(at, SUBJECT.length, hashBytes(at, SUBJECT.length));
}

const textOf = (head: Head | null): string | null => (head === null ? null : readText(head.at, head.length));

describe("the heads of a plan", () => {
  it("are written for the dialects that its receivers speak, whether they have plain subscriptions or queue groups", () => {
    const [route, leaf] = [neighbour("route", 1), neighbour("client", 3)];
    expect(planWith(new RemoteInterest(leaf, SUBJECT, null, 1)).routeHead).toBeNull();
    for (const queue of [null, "workers"]) {
      const plan = planWith(new RemoteInterest(route, SUBJECT, queue, 1));
      expect(textOf(plan.clientHead)).toBe(`HMSG ${SUBJECT} `);
      expect(textOf(plan.routeHead)).toBe(`RMSG $G ${SUBJECT} `);
    }
  });
});

describe("members of a queue group elsewhere", () => {
  it("in a leaf cluster that a route tells of come behind those on any server of the cluster", () => {
    const [near, far] = [neighbour("route", 1), neighbour("route", 2)];
    const inLeaf = new RemoteInterest(near, SUBJECT, "workers", 9);
    inLeaf.leafCluster = "spoke";
    const onServer = new RemoteInterest(far, SUBJECT, "workers", 1);
    const [group] = planWith(inLeaf, onServer).groups;
    expect(group!.remotes).toEqual([onServer]);
    expect(group!.candidates.map(({ rank }) => rank)).toEqual([2, 3]);
  });
});
