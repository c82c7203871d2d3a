/**
 * An account's interest beside a plain list of the same subscriptions: whatever happens, both have to agree on where a
 * message goes.
 */
import { assert } from "../../src/base/assert.ts";
import { hashBytes } from "../../src/slab/hash.ts";
import { READ_START } from "../../src/slab/layout.ts";
import { readText, writeText } from "../../src/slab/memory.ts";
import { Interest } from "../../src/core/interest.ts";
import type { Plan } from "../../src/core/plan.ts";
import {
  RemoteInterest,
  Subscription,
  type Neighbour,
  type Subscriber,
} from "../../src/core/subscription.ts";
import { hasEmptyToken, subjectMatches } from "../../src/subject/subject.ts";

const OWNER: Subscriber = { deliver: () => true };
const NEIGHBOURS = 4;

/** The plan for a subject, as the parser's message would ask for it. */
export function planFor(interest: Interest, subject: string): Plan {
  writeText(READ_START, subject);
  return interest.plan(READ_START, subject.length, hashBytes(READ_START, subject.length));
}

/** The same for a message of the server's own. */
export function planOfServerFor(interest: Interest, subject: string): Plan {
  writeText(READ_START, subject);
  return interest.planOfServer(READ_START, subject.length, hashBytes(READ_START, subject.length));
}

/** The same for a message that may be an acknowledgement. */
export function planOfMessageFor(interest: Interest, subject: string): Plan {
  writeText(READ_START, subject);
  return interest.planOfMessage(READ_START, subject.length, hashBytes(READ_START, subject.length));
}

export class InterestModel {
  readonly interest = new Interest("$G");
  private readonly items: (Subscription | RemoteInterest)[] = [];
  private readonly neighbours: readonly Neighbour[] = Array.from({ length: NEIGHBOURS }, () => ({
    forward: () => undefined,
    chosenQueues: "",
    rank: 1,
    tier: "route" as const,
    dialect: "route" as const,
    leafCluster: "",
  }));
  private nextSid = 1;

  subscribe(subject: string, queue: string | null): void {
    this.insert(new Subscription(OWNER, subject, queue, String(this.nextSid++)));
  }

  /** As a route does it: interest that is there already changes its weight. */
  tellRemote(neighbour: number, subject: string, queue: string | null, weight: number): void {
    const from = this.neighbours[neighbour % NEIGHBOURS]!;
    const present = this.items.find(
      (item): item is RemoteInterest =>
        item instanceof RemoteInterest &&
        item.neighbour === from &&
        item.subject === subject &&
        item.queue === queue,
    );
    if (present === undefined) return this.insert(new RemoteInterest(from, subject, queue, weight));
    present.weight = weight;
    this.interest.changed(subject);
  }

  endAny(which: number): void {
    if (this.items.length === 0) return;
    const [item] = this.items.splice(which % this.items.length, 1);
    assert(this.interest.remove(item!), "an item that is there can be removed");
    assert(!this.interest.remove(item!), "it can be removed once");
  }

  /** Throws where the plan for the subject is not what the plain list says. */
  check(subject: string): void {
    this.checkPlan(subject, planFor(this.interest, subject));
    this.checkPlan(subject, planOfServerFor(this.interest, subject));
    this.checkPlan(subject, planOfMessageFor(this.interest, subject));
  }

  private checkPlan(subject: string, plan: Plan): void {
    const head = readText(plan.clientHead.at, plan.clientHead.length);
    assert(head === `HMSG ${subject} `, `${subject}: its head is ${head}`);
    const routeHead = plan.routeHead === null ? "" : readText(plan.routeHead.at, plan.routeHead.length);
    const isForwarded = plan.neighbours.length > 0 || plan.groups.some(({ remotes }) => remotes.length > 0);
    assert(routeHead === (isForwarded ? `RMSG $G ${subject} ` : ""), `${subject}: its head is ${routeHead}`);
    assert(readText(plan.subjectAt, plan.subjectLength) === subject, `${subject}: its plan has another`);
    const found = describe([...plan.locals, ...plan.groups.flatMap((group) => group.locals)]);
    const expected = this.items.filter(
      (item) => !hasEmptyToken(subject) && subjectMatches(item.subject, subject),
    );
    const locals = expected.filter((item) => item instanceof Subscription);
    const remotes = expected.filter((item) => item instanceof RemoteInterest);
    assert(found === describe(locals), `${subject}: to ${found} instead of ${describe(locals)}`);
    const plain = new Set(remotes.filter((item) => item.queue === null).map((item) => item.neighbour));
    const forwards = plan.neighbours.length === plain.size && plan.neighbours.every((one) => plain.has(one));
    assert(forwards, `${subject}: to ${plan.neighbours.length} neighbours instead of ${plain.size}`);
    for (const group of plan.groups) {
      const weight = sum(remotes.filter((item) => item.queue === group.name).map((item) => item.weight));
      assert(group.remoteWeight === weight, `${subject}: weight ${group.remoteWeight} instead of ${weight}`);
      assert(
        group.locals.every((one) => one.queue === group.name),
        `${subject}: member of another group`,
      );
    }
    const groups = new Set(expected.map((item) => item.queue).filter((queue) => queue !== null));
    assert(plan.groups.length === groups.size, `${subject}: ${plan.groups.length} groups`);
    assert(plan.isEmpty === (expected.length === 0), `${subject}: empty or not`);
  }

  /** Everything ends; gives back the memory of the slab. */
  end(): void {
    while (this.items.length > 0) this.endAny(0);
    assert(this.interest.size === 0, "nothing is left");
    this.interest[Symbol.dispose]();
  }

  private insert(item: Subscription | RemoteInterest): void {
    this.items.push(item);
    this.interest.add(item);
  }
}

function describe(subscriptions: readonly Subscription[]): string {
  return subscriptions
    .map((one) => one.sid)
    .sort()
    .join(" ");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
