/**
 * Accounts by token, by generated cases: whatever accounts claim of each other, a client gets a message of another account only where
 * that account exports it and permits the import, by a token where it asks for one.
 */
import fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import { VirtualClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { seededRandom } from "../../src/base/random.ts";
import { Accounts } from "../../src/core/accounts.ts";
import { Subscription } from "../../src/core/subscription.ts";
import { newNkey } from "../../src/keys/nkey.ts";
import { AccountBook } from "../../src/operator/account-book.ts";
import { MappingsOfAccounts } from "../../src/operator/mappings.ts";
import { MemoryResolver } from "../../src/operator/resolver.ts";
import { trustIn } from "../../src/operator/trust.ts";
import type { Message } from "../../src/protocol/message.ts";
import { readText } from "../../src/slab/memory.ts";
import { subjectMatches } from "../../src/subject/subject.ts";
import { accountToken, activationToken, HOUR_S } from "../support/operator-kit.ts";

const RUNS = 120;
const operator = newNkey("operator");
const keys = [newNkey("account"), newNkey("account"), newNkey("account")] as const;
const POSITIONED = "p.*";
const OWN = "p.own";
const ANOTHERS = "p.another";
const LITERALS = ["a", "a.b", "b.c", ...keys.map(({ publicKey }) => `p.${publicKey}`)];
const EXPORTS = ["a", "a.*", ">", "b.c", POSITIONED];
const IMPORTS = ["a", "a.b", "a.*", "b.c", ">", OWN, ANOTHERS];
const KINDS = ["stream", "service"] as const;
const TOKENS = [
  "none",
  "right",
  "of another account",
  "for another account",
  "for another subject",
  "for another kind",
  "expired",
  "revoked",
] as const;

const exportOf = fc.record({
  kind: fc.constantFrom(...KINDS),
  subject: fc.constantFrom(...EXPORTS),
  needsToken: fc.boolean(),
});
const importOf = fc.record({
  kind: fc.constantFrom(...KINDS),
  exporter: fc.nat(2),
  subject: fc.constantFrom(...IMPORTS),
  // A token that is wrong in itself costs the whole account.
  token: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<Import["token"]>("none", "right", "expired", "revoked") },
    fc.constantFrom(...TOKENS),
  ),
});
const accountOf = fc.record({
  exports: fc.uniqueArray(exportOf, { maxLength: 2, selector: ({ kind }) => kind }),
  imports: fc.uniqueArray(importOf, {
    maxLength: 3,
    selector: ({ kind, exporter, subject }) => `${kind} ${exporter} ${subject}`,
  }),
});
const world = fc.tuple(accountOf, accountOf, accountOf);

type Kind = (typeof KINDS)[number];
type Export = { readonly kind: Kind; readonly subject: string; readonly needsToken: boolean };
type Import = {
  readonly kind: Kind;
  readonly exporter: number;
  readonly subject: string;
  readonly token: (typeof TOKENS)[number];
};
type Case = { readonly exports: readonly Export[]; readonly imports: readonly Import[] };

/** Keys stand for the names in subjects. */
function subjectOf({ subject }: Import, importer: number): string {
  if (subject === OWN) return `p.${keys[importer]!.publicKey}`;
  return subject === ANOTHERS ? `p.${keys[(importer + 1) % keys.length]!.publicKey}` : subject;
}

function tokenFor(importer: number, one: Import, nowS: number): string | undefined {
  const { exporter, kind, token } = one;
  if (token === "none") return undefined;
  const holder = token === "for another account" ? newNkey("account") : keys[importer]!;
  const signer = token === "of another account" ? newNkey("account") : keys[exporter]!;
  const others = kind === "stream" ? "service" : "stream";
  const nats = {
    subject: token === "for another subject" ? "z" : subjectOf(one, importer),
    kind: token === "for another kind" ? others : kind,
  };
  const iat = token === "revoked" ? nowS - 2 * HOUR_S : nowS;
  return activationToken(holder, signer, {
    ...{ nats, iat },
    ...(token === "expired" ? { exp: nowS - HOUR_S } : {}),
  });
}

function claimsOf({ exports, imports }: Case, index: number, nowS: number): object {
  return {
    exports: exports.map(({ kind, subject, needsToken }) => ({
      ...{ subject, type: kind, token_req: needsToken },
      ...(subject === POSITIONED ? { account_token_position: 2 } : {}),
      revocations: { "*": nowS - HOUR_S },
    })),
    imports: imports.map((one) => ({
      subject: subjectOf(one, index),
      account: keys[one.exporter]!.publicKey,
      type: one.kind,
      token: tokenFor(index, one, nowS),
    })),
  };
}

function covers(pattern: string, subject: string): boolean {
  return (
    pattern === ">" ||
    (subject !== ">" &&
      subjectMatches(pattern, subject.replace("*", "x")) &&
      (!subject.includes("*") || pattern.includes("*")))
  );
}

/** Whether claims of both permit that a message with this subject crosses: with streams to the importer, with services from it. */
function permits(cases: readonly Case[], importer: number, one: Import, subject: string): boolean {
  const imported = subjectOf(one, importer);
  if (one.exporter === importer || !subjectMatches(imported, subject)) return false;
  return cases[one.exporter]!.exports.some((each) => {
    if (each.kind !== one.kind || !covers(each.subject, imported)) return false;
    if (each.subject === POSITIONED) return imported === `p.${keys[importer]!.publicKey}`;
    return !each.needsToken || one.token === "right";
  });
}

/** The accounts that a message may reach by one crossing after another. */
function mayReach(cases: readonly Case[], from: number, subject: string): ReadonlySet<number> {
  const reached = new Set([from]);
  for (const account of reached)
    cases.forEach(({ imports }, importer) => {
      for (const one of imports) {
        if (!permits(cases, importer, one, subject)) continue;
        if (one.kind === "stream" && one.exporter === account) reached.add(importer);
        if (one.kind === "service" && importer === account) reached.add(one.exporter);
      }
    });
  return reached;
}

/** As a client has it, so that imported streams reach it. */
function hearing(subject: string, hear: (payload: string) => void): Subscription {
  const deliver = (_subscription: Subscription, { at, payloadFrom, size }: Message): boolean => {
    hear(readText(at + payloadFrom, size));
    return true;
  };
  return new Subscription({ deliver }, subject, null, "1", null);
}

const opened: Accounts[] = [];
afterEach(() => {
  for (const accounts of opened.splice(0)) accounts[Symbol.dispose]();
});

it("carries nothing between accounts without an export, an import and a token", () => {
  const crossed = { stream: 0, service: 0 };
  fc.assert(
    fc.property(world, (cases) => {
      const clock = new VirtualClock();
      const nowS = Math.floor(clock.nowMs() / 1000) + 10 * HOUR_S;
      clock.advance(10 * HOUR_S * 1000);
      const accounts = new Accounts({ clock, random: seededRandom(1) });
      opened.push(accounts);
      const resolver = new MemoryResolver();
      cases.forEach((one, index) => {
        const nats = claimsOf(one, index, nowS) as Record<string, unknown>;
        resolver.store(keys[index]!.publicKey, accountToken(keys[index]!, operator, { nats, iat: nowS }));
      });
      const mappings = new MappingsOfAccounts({
        accounts,
        random: seededRandom(1),
        cluster: () => "",
        implied: () => [],
      });
      const trust = trustIn([], [operator.publicKey]);
      using book = new AccountBook({ trust, resolver, accounts, mappings, clock, logger: silentLogger });
      const taken = keys.map(({ publicKey }) => book.resolve(publicKey) !== null);
      const heard = keys.map((): string[] => []);
      keys.forEach(({ publicKey }, index) => {
        if (taken[index] !== true) return;
        accounts.get(publicKey)!.subscribe(hearing(">", (text) => heard[index]!.push(text)));
      });
      keys.forEach(({ publicKey }, index) => {
        for (const subject of LITERALS) accounts.get(publicKey)?.send(subject, `${index} ${subject}`);
      });
      heard.forEach((messages, account) => {
        for (const message of messages) {
          const [from = "", subject = ""] = message.split(" ");
          const sender = Number(from);
          if (sender === account) continue;
          const isRequest = cases[sender]!.imports.some(
            (one) => one.kind === "service" && one.exporter === account,
          );
          crossed[isRequest ? "service" : "stream"]++;
          expect([...mayReach(cases, sender, subject)], `${message} reached ${account}`).toContain(account);
        }
      });
    }),
    { numRuns: RUNS, seed: 7 },
  );
  expect(crossed.stream, "messages of streams that crossed").toBeGreaterThan(0);
  expect(crossed.service, "requests that crossed").toBeGreaterThan(0);
});

it("carries what is exported, imported and permitted", () => {
  const clock = new VirtualClock();
  const accounts = new Accounts({ clock, random: seededRandom(1) });
  opened.push(accounts);
  const resolver = new MemoryResolver();
  const [exporter, importer] = keys;
  const stream = { subject: "a.*", type: "stream", token_req: true };
  const token = activationToken(importer, exporter, { nats: { subject: "a.*", kind: "stream" }, exp: 60 });
  resolver.store(exporter.publicKey, accountToken(exporter, operator, { nats: { exports: [stream] } }));
  const imports = [{ subject: "a.*", account: exporter.publicKey, type: "stream", token }];
  resolver.store(importer.publicKey, accountToken(importer, operator, { nats: { imports }, exp: 120 }));
  const mappings = new MappingsOfAccounts({
    accounts,
    random: seededRandom(1),
    cluster: () => "",
    implied: () => [],
  });
  const trust = trustIn([], [operator.publicKey]);
  using book = new AccountBook({ trust, resolver, accounts, mappings, clock, logger: silentLogger });
  void book.resolve(importer.publicKey);
  const ended: string[] = [];
  book.onChange = (names) => void ended.push(...names);
  let count = 0;
  accounts.get(importer.publicKey)!.subscribe(hearing("a.*", () => count++));
  accounts.get(exporter.publicKey)!.send("a.b", "");
  expect(count).toBe(1);
  clock.advance(60_000 - clock.nowMs());
  expect(accounts.get(importer.publicKey)!.streamImports).toEqual([]);
  clock.advance(60_000);
  expect(book.current(importer.publicKey)?.isOver).toBe(true);
  expect(ended).toContain(importer.publicKey);
});
