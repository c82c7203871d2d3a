/**
 * Accounts by generated cases: whatever they export and import, and whoever subscribes, a message reaches those whom the plain rules
 * name and nobody else, and neighbours hear of interest in an account only where its clients or its importers have it.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { AccountDefinition } from "../../src/core/definitions.ts";
import { subjectMatches } from "../../src/subject/subject.ts";
import { Stack } from "./stack.ts";

const NAMES = ["A", "B", "C", "$SYS"];
const LITERALS = ["a", "b", "a.b", "a.c", "b.c", "$SYS.x"];
const PATTERNS = [...LITERALS, "a.*", "*", "*.c", ">", "$SYS.>", "p.>", "p.a.*", "*.a.>"];

interface Stream {
  readonly importer: string;
  readonly exporter: string;
  readonly from: string;
  readonly prefix: string;
}

interface Service {
  readonly importer: string;
  readonly exporter: string;
  readonly there: string;
  readonly here: string;
}

interface Case {
  readonly streams: readonly Stream[];
  readonly services: readonly Service[];
  readonly subscriptions: readonly { account: string; subject: string; isEnded: boolean }[];
  readonly messages: readonly { account: string; subject: string }[];
}

const name = fc.constantFrom(...NAMES);
const differ = (one: { importer: string; exporter: string }): boolean => one.importer !== one.exporter;
const cases: fc.Arbitrary<Case> = fc.record({
  streams: fc.uniqueArray(
    fc
      .record({
        importer: name,
        exporter: name,
        from: fc.constantFrom("a", "a.*", ">", "$SYS.>"),
        prefix: fc.constantFrom("", "p."),
      })
      .filter(differ),
    { maxLength: 5, selector: ({ importer, exporter, from }) => `${importer} ${exporter} ${from}` },
  ),
  services: fc.uniqueArray(
    fc
      .record({
        importer: name,
        exporter: name,
        there: fc.constantFrom(...LITERALS),
        here: fc.constantFrom(...LITERALS),
      })
      .filter(differ),
    { maxLength: 4, selector: ({ importer, exporter, here }) => `${importer} ${exporter} ${here}` },
  ),
  subscriptions: fc.array(
    fc.record({ account: name, subject: fc.constantFrom(...PATTERNS), isEnded: fc.boolean() }),
    { maxLength: 12 },
  ),
  messages: fc.array(fc.record({ account: name, subject: fc.constantFrom(...LITERALS) }), {
    minLength: 1,
    maxLength: 6,
  }),
});

it("a message reaches whom the plain rules name, and nobody else", () => {
  fc.assert(
    fc.property(cases, (one) => {
      const stack = new Stack({
        accounts: {
          definition: {
            accounts: NAMES.map((each) => definitionOf(each, one)),
            systemAccount: "$SYS",
            globalUsesJetStream: false,
          },
        },
      });
      try {
        expect(play(stack, one)).toEqual(one.messages.map((message) => expected(message, one)));
        expectOwnInterest(stack, one);
      } finally {
        stack.accounts[Symbol.dispose]();
      }
    }),
    { numRuns: 400 },
  );
});

function definitionOf(account: string, { streams, services }: Case): AccountDefinition {
  const there = new Set(services.filter(({ exporter }) => exporter === account).map((each) => each.there));
  return {
    name: account,
    limits: { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null },
    streamExports: [],
    serviceExports: [...there].map((subject) => ({
      subject,
      accounts: null,
      responseType: "singleton",
      responseThresholdMs: 1000,
      latency: null,
      allowTrace: false,
    })),
    streamImports: streams
      .filter(({ importer }) => importer === account)
      .map(({ exporter, from, prefix }) => ({
        account: exporter,
        subject: from,
        to: prefix + from,
        allowTrace: false,
      })),
    serviceImports: services
      .filter(({ importer }) => importer === account)
      .map((each) => ({ account: each.exporter, subject: each.there, to: each.here, share: false })),
    usesJetStream: false,
    trace: null,
  };
}

/** For each message who got it: number of the subscription, and under which subject. */
function play(stack: Stack, { subscriptions, messages }: Case): string[][] {
  const readers = subscriptions.map(({ account, subject, isEnded }) => {
    const reader = stack.clientIn(account);
    reader.wire.receiveText(`SUB ${subject} 1\r\n${isEnded ? "UNSUB 1\r\n" : ""}`);
    return reader;
  });
  return messages.map(({ account, subject }) => {
    stack.clientIn(account).wire.receiveText(`PUB ${subject} 0\r\n\r\n`);
    return readers
      .flatMap(({ wire }, i) =>
        [...wire.takeText().matchAll(/H?MSG (\S+) 1 /g)].map(([, got]) => `${i} ${got}`),
      )
      .sort();
  });
}

function expected(message: { account: string; subject: string }, one: Case): string[] {
  const found: string[] = [];
  const visit = (account: string, subject: string, crossed: readonly string[]): void => {
    one.subscriptions.forEach((each, i) => {
      if (each.isEnded) return;
      if (each.account === account && subjectMatches(each.subject, subject)) found.push(`${i} ${subject}`);
      for (const { importer, exporter, from, prefix } of one.streams) {
        const isImported = importer === each.account && exporter === account && subjectMatches(from, subject);
        if (isImported && subjectMatches(each.subject, prefix + subject))
          found.push(`${i} ${prefix}${subject}`);
      }
    });
    for (const { importer, exporter, there, here } of one.services) {
      const service = `${exporter} ${there}`;
      if (importer === account && here === subject && !crossed.includes(service))
        visit(exporter, there, [...crossed, service]);
    }
  };
  visit(message.account, message.subject, []);
  return found.sort();
}

/** What neighbours have been told and not told the end of. */
function expectOwnInterest(stack: Stack, { subscriptions, streams }: Case): void {
  for (const account of stack.accounts) {
    const isOwn = (importer: string): boolean =>
      streams.some((each) => each.exporter === account.name && each.importer === importer);
    const live = subscriptions.filter(({ isEnded }) => !isEnded);
    const mayHave = live.some((each) => each.account === account.name || isOwn(each.account));
    const told = [...account.localInterest].map(({ subject }) => subject);
    if (!mayHave) expect([account.name, told]).toEqual([account.name, []]);
    for (const { account: owner, subject } of live)
      if (owner === account.name) expect(told).toContain(subject);
  }
}
