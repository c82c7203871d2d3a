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
const LITERALS = ["a", "a.b", "b.c"];
const EXPORTS = ["a", "a.*", ">", "b.c"];
const IMPORTS = ["a", "a.b", "a.*", "b.c", ">"];
const TOKENS = [
  "none",
  "right",
  "of another account",
  "for another account",
  "for another subject",
  "expired",
] as const;

const streamOf = fc.record({ subject: fc.constantFrom(...EXPORTS), needsToken: fc.boolean() });
const importOf = fc.record({
  exporter: fc.nat(2),
  subject: fc.constantFrom(...IMPORTS),
  // A token that is wrong in itself costs the whole account.
  token: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<Import["token"]>("none", "right", "expired") },
    fc.constantFrom(...TOKENS),
  ),
});
const accountOf = fc.record({
  exports: fc.uniqueArray(streamOf, { maxLength: 1, selector: ({ subject }) => subject }),
  imports: fc.uniqueArray(importOf, {
    maxLength: 3,
    selector: ({ exporter, subject }) => `${exporter} ${subject}`,
  }),
});
const world = fc.tuple(accountOf, accountOf, accountOf);

type Import = {
  readonly exporter: number;
  readonly subject: string;
  readonly token: (typeof TOKENS)[number];
};

function tokenFor(importer: number, { exporter, subject, token }: Import, nowS: number): string | undefined {
  if (token === "none") return undefined;
  const holder = token === "for another account" ? newNkey("account") : keys[importer]!;
  const signer = token === "of another account" ? newNkey("account") : keys[exporter]!;
  const nats = { subject: token === "for another subject" ? "z" : subject, kind: "stream" };
  return activationToken(holder, signer, { nats, ...(token === "expired" ? { exp: nowS - HOUR_S } : {}) });
}

function covers(pattern: string, subject: string): boolean {
  return (
    pattern === ">" ||
    (subject !== ">" &&
      subjectMatches(pattern, subject.replace("*", "x")) &&
      (!subject.includes("*") || pattern.includes("*")))
  );
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
  let crossed = 0;
  fc.assert(
    fc.property(world, (cases) => {
      const clock = new VirtualClock();
      const nowS = Math.floor(clock.nowMs() / 1000) + 10 * HOUR_S;
      clock.advance(10 * HOUR_S * 1000);
      const accounts = new Accounts({ clock, random: seededRandom(1) });
      opened.push(accounts);
      const resolver = new MemoryResolver();
      cases.forEach(({ exports, imports }, index) => {
        const nats = {
          exports: exports.map(({ subject, needsToken }) => ({
            subject,
            type: "stream",
            token_req: needsToken,
          })),
          imports: imports.map((one) => ({
            subject: one.subject,
            account: keys[one.exporter]!.publicKey,
            type: "stream",
            token: tokenFor(index, one, nowS),
          })),
        };
        resolver.store(keys[index]!.publicKey, accountToken(keys[index]!, operator, { nats }));
      });
      const mappings = new MappingsOfAccounts(accounts, seededRandom(1), () => "");
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
      heard.forEach((messages, importer) => {
        for (const message of messages) {
          const [from = "", subject = ""] = message.split(" ");
          const sender = Number(from);
          if (sender === importer) continue;
          crossed++;
          const reasons = cases[importer]!.imports.filter(
            (one) =>
              one.exporter === sender &&
              subjectMatches(one.subject, subject) &&
              cases[sender]!.exports.some(
                (stream) =>
                  covers(stream.subject, one.subject) && (!stream.needsToken || one.token === "right"),
              ),
          );
          expect(reasons.length, `${message} reached ${importer}`).toBeGreaterThan(0);
        }
      });
    }),
    { numRuns: RUNS, seed: 7 },
  );
  expect(crossed, "messages that crossed").toBeGreaterThan(0);
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
  const mappings = new MappingsOfAccounts(accounts, seededRandom(1), () => "");
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
