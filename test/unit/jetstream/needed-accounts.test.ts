/** Accounts that a member of a cluster needs are looked up, once for each need, and again where something of theirs is kept. */
import { expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { NeededAccounts } from "../../../src/jetstream/needed-accounts.ts";

function needed(known: Set<string>, lookUp: (account: string) => Promise<unknown> | null) {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const accounts = new NeededAccounts({
    clock,
    isKnown: (account) => known.has(account),
    lookUp: (account) => {
      asked.push(account);
      return lookUp(account);
    },
  });
  return { clock, asked, accounts };
}

it("are at hand, or are waited for", async () => {
  const known = new Set(["A"]);
  const found = Promise.withResolvers<void>();
  const { accounts, asked } = needed(known, (account) => (account === "B" ? found.promise : null));
  const told: string[] = [];
  accounts.whenKnown("A", () => told.push("A"));
  accounts.whenKnown("B", () => told.push("B"));
  accounts.whenKnown("C", () => told.push("C"));
  expect(told).toEqual(["A", "C"]);
  expect(asked).toEqual(["B", "C"]);
  found.reject(new Error("no resolver"));
  await found.promise.catch(() => undefined);
  await Promise.resolve();
  expect(told).toEqual(["A", "C", "B"]);
});

it("are not waited for by more requests than there may be", () => {
  const { accounts } = needed(new Set(), () => new Promise(() => undefined));
  let told = 0;
  for (let i = 0; i < 10_005; i++) accounts.whenKnown("A", () => told++);
  expect(told).toBe(5);
});

it("of what is kept here are looked for until they are known", () => {
  const known = new Set<string>();
  const { accounts, asked, clock } = needed(known, () => Promise.reject(new Error("no resolver")));
  accounts.keep("A");
  clock.advance(5000);
  expect(asked).toEqual(["A", "A"]);
  known.add("A");
  clock.advance(20_000);
  expect(asked).toEqual(["A", "A"]);
  expect(clock.timerCount).toBe(0);
});

it("are left alone once the server stops", async () => {
  const found = Promise.withResolvers<void>();
  const { accounts, clock } = needed(new Set(), () => found.promise);
  let told = 0;
  accounts.whenKnown("A", () => told++);
  accounts.keep("B");
  accounts.stop();
  accounts.keep("C");
  found.resolve();
  await found.promise;
  expect(told).toBe(0);
  expect(clock.timerCount).toBe(0);
});
