/** Finding out where a message goes: plans that are kept, plans that are not, and the sublist below them. */
import { hashBytes } from "../../src/slab/hash.ts";
import { READ_START } from "../../src/slab/layout.ts";
import { writeText } from "../../src/slab/memory.ts";
import { Interest } from "../../src/core/interest.ts";
import { Subscription } from "../../src/core/subscription.ts";
import { Sublist } from "../../src/subject/sublist.ts";
import { sink, type Case } from "./case.ts";

const owner = { deliver: (): boolean => true };
const SUBSCRIPTIONS = 100_000;

export function interestCases(): Case[] {
  return [
    planCase("plan of one of 10 subjects", 10, false),
    planCase("plan of one of 1,000 subjects", 1000, false),
    planCase("plan of one of 20,000 subjects", 20_000, false),
    planCase("plan of one of 1,000,000 subjects, mostly new", 1_000_000, false),
    planCase("plan of one of 1,000 subjects, with wildcards", 1000, true),
    matchCase("sublist, 100,000 literal subjects", (i) => `orders.${i}.new`),
    matchCase("sublist, 100,000 patterns", (i) => `orders.${i}.*`),
    churnCase(),
  ];
}

function subscription(subject: string): Subscription {
  return new Subscription(owner, subject, null, "1");
}

/** Subjects lie one behind the other in the slab, as if they had just arrived. */
function planCase(name: string, subjects: number, hasWildcards: boolean): Case {
  const interest = new Interest("$G");
  for (let i = 0; i < Math.min(subjects, SUBSCRIPTIONS); i++) interest.add(subscription(`orders.${i}.new`));
  if (hasWildcards)
    for (const pattern of ["orders.*.new", "orders.>", "*.7.*"]) interest.add(subscription(pattern));
  const at: number[] = [];
  const lengths: number[] = [];
  const window = Math.min(subjects, 20_000);
  let first = 0;
  const run = (count: number): number => {
    let done = 0;
    for (; done < count; done += window) {
      if (at.length === 0 || subjects > window) lay((first += window) % subjects);
      for (let i = 0; i < window; i++) {
        sink.value += interest.plan(at[i]!, lengths[i]!, hashBytes(at[i]!, lengths[i]!)).bucket;
      }
    }
    return done;
  };
  const lay = (start: number): void => {
    let next = READ_START + 1024 * 1024;
    for (let i = 0; i < window; i++) {
      const subject = `orders.${start + i}.new`;
      [at[i], lengths[i]] = [next, subject.length];
      next = writeText(next, subject) + 8;
    }
  };
  return { name, run };
}

function matchCase(name: string, pattern: (i: number) => string): Case {
  const sublist = new Sublist<Subscription>();
  for (let i = 0; i < SUBSCRIPTIONS; i++) sublist.insert(subscription(pattern(i)));
  const found: Subscription[] = [];
  const run = (count: number): number => {
    for (let i = 0; i < count; i++) {
      found.length = 0;
      sublist.match(`orders.${(i * 7919) % SUBSCRIPTIONS}.new`, found);
      sink.value += found.length;
    }
    return count;
  };
  return { name, run };
}

function churnCase(): Case {
  const interest = new Interest("$G");
  for (let i = 0; i < SUBSCRIPTIONS; i++) interest.add(subscription(`orders.${i}.new`));
  const run = (count: number): number => {
    for (let i = 0; i < count; i++) {
      const inbox = subscription(`_INBOX.${i}`);
      interest.add(inbox);
      interest.remove(inbox);
    }
    return count;
  };
  return { name: "a subscription comes and goes", run };
}
