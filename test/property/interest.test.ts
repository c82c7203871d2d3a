/** Where messages go: the sublist and the plans, beside a plain list that is searched by the plain rule. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { assert } from "../../src/base/assert.ts";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import { Sublist } from "../../src/subject/sublist.ts";
import { hasEmptyToken, hasWildcard, isValidSubject, subjectMatches } from "../../src/subject/subject.ts";
import type { Plan } from "../../src/core/plan.ts";
import { InterestModel, planFor, planOfMessageFor, planOfServerFor } from "./interest-model.ts";

const token = fc.constantFrom("a", "b", "ab", "c1");
const literal = fc
  .array(fc.oneof({ weight: 9, arbitrary: token }, { weight: 1, arbitrary: fc.constantFrom("", "*", ">") }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(
    fc.array(fc.oneof({ weight: 3, arbitrary: token }, { weight: 1, arbitrary: fc.constant("*") }), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.boolean(),
  )
  .map(([tokens, isOpen]) => [...tokens, ...(isOpen ? [">"] : [])].join("."));
/** Acknowledgements, and what is asked of them. */
const ack = fc
  .array(fc.oneof({ weight: 9, arbitrary: fc.constantFrom("S", "C", "1") }, fc.constant("")), {
    minLength: 1,
    maxLength: 5,
  })
  .map((tokens) => `$JS.ACK.${tokens.join(".")}`);
const ackPattern = fc
  .tuple(fc.array(fc.constantFrom("S", "C", "1", "*", "*"), { maxLength: 5 }), fc.boolean())
  .map(([tokens, isOpen]) => ["$JS.ACK", ...tokens, ...(isOpen ? [">"] : [])].join("."));
const queue = fc.option(fc.constantFrom("q", "p"), { nil: null });

/** Not in the arena, on its edge, and in it: heads of up to 2040 bytes are kept. */
const longSubject = fc
  .tuple(fc.integer({ min: 2020, max: 2045 }), fc.constantFrom("x", "y"))
  .map(([length, letter]) => `a.${letter.repeat(length - 2)}`);

type Act = (model: InterestModel) => void;
const acts: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(pattern, queue).map(
    ([subject, group]) =>
      (model: InterestModel) =>
        model.subscribe(subject, group),
  ),
  fc.tuple(ackPattern, queue).map(
    ([subject, group]) =>
      (model: InterestModel) =>
        model.subscribe(subject, group),
  ),
  { weight: 3, arbitrary: ack.map((subject) => (model: InterestModel) => model.check(subject)) },
  fc
    .tuple(fc.nat(3), pattern, queue, fc.integer({ min: 1, max: 9 }))
    .map(([from, subject, group, weight]) => (model: InterestModel) => {
      model.tellRemote(from, subject, group, weight);
    }),
  fc.nat(1000).map((which) => (model: InterestModel) => model.endAny(which)),
  { weight: 4, arbitrary: literal.map((subject) => (model: InterestModel) => model.check(subject)) },
  longSubject.map((subject) => (model: InterestModel) => model.check(subject)),
  // Many subjects, for the plans of others to be pushed out.
  fc.tuple(token, fc.nat(300)).map(([first, from]) => (model: InterestModel) => {
    for (let i = from; i < from + 60; i++) model.check(`${first}.${i}`);
  }),
);

afterEach(() => {
  const { headsBytes } = slabSnapshot();
  assert(headsBytes === 0, `${headsBytes} bytes of heads are left`);
});

describe("a plan", () => {
  it("names exactly those that the plain rule names, whatever came and went before", () => {
    fc.assert(
      fc.property(fc.array(acts, { maxLength: 60, size: "max" }), (story) => {
        const model = new InterestModel();
        for (const act of story) act(model);
        model.end();
        expect(model.interest.size).toBe(0);
      }),
      { numRuns: 400 },
    );
  });

  it("stands for all subjects of an inbox, and none is kept for each of them", () => {
    const model = new InterestModel();
    model.subscribe("_INBOX.one.*", null);
    for (const subject of ["orders.*.done", "_INBOX.two"]) model.subscribe(subject, null);
    const plans = new Set<Plan>();
    for (let i = 0; i < 100; i++) plans.add(planOfServerFor(model.interest, `_INBOX.one.${i}`));
    expect([plans.size, model.interest.snapshot().cached]).toEqual([1, 0]);
    // A change that has nothing to do with the inbox leaves it as it is.
    for (const subject of ["_INBOX.two.*", "_INBOX.three", "orders.>"]) model.subscribe(subject, null);
    plans.add(planOfServerFor(model.interest, "_INBOX.one.a"));
    expect(plans.size).toBe(1);
    for (const subject of ["_INBOX.one.a", "_INBOX.*.b", "_INBOX.one.*", "_INBOX.one.>", "*.one.c", ">"]) {
      model.subscribe(subject, null);
      for (const last of ["a", "b", "c", "d"]) model.check(`_INBOX.one.${last}`);
    }
    for (let i = 0; i < 20; i++) {
      model.endAny(3);
      for (const last of ["a", "b", "c", "d"]) model.check(`_INBOX.one.${last}`);
    }
    model.end();
  });

  it("stands for all acknowledgements of a consumer", () => {
    const model = new InterestModel();
    model.subscribe("$JS.ACK.>", null);
    const plans = new Set<Plan>();
    const subject = (i: number): string => `$JS.ACK.S.C.1.${i}.${i}.1764466800000000000.${1000 - i}`;
    for (let i = 0; i < 100; i++) plans.add(planOfMessageFor(model.interest, subject(i)));
    expect([plans.size, model.interest.snapshot().cached]).toEqual([1, 0]);
    for (const pattern of [
      "$JS.ACK.S.C.>",
      "$JS.ACK.*.*.1.7.*.*.*",
      subject(5),
      "$JS.ACK.*.*.*.*.*.*.*",
      ">",
    ]) {
      model.subscribe(pattern, null);
      for (let i = 4; i < 9; i++) model.check(subject(i));
    }
    model.end();
  });

  it("of more inboxes than are kept stays right", () => {
    const model = new InterestModel();
    for (let i = 0; i < 5000; i++) model.subscribe(`_INBOX.${i}.*`, null);
    // The model looks at every subscription for each check, so that only some are checked.
    for (let i = 0; i < 5000; i++) planFor(model.interest, `_INBOX.${i}.x`);
    for (let i = 0; i < 5000; i += 50) model.check(`_INBOX.${i}.x`);
    for (let i = 0; i < 5000; i += 70) model.check(`_INBOX.${i}.y`);
    model.end();
  });

  it("of a subject is found next to subjects too long to keep", () => {
    const model = new InterestModel();
    const subjects = Array.from({ length: 200 }, (_, i) => `a.${i}`);
    const checkAll = (): void => subjects.forEach((subject) => model.check(subject));
    // The table is full, so that every new plan takes the place of another.
    for (let i = 0; i < 60_000; i++) planFor(model.interest, `b.${i}`);
    checkAll();
    for (let i = 0; i < 6000; i++) planFor(model.interest, `${i}.${"x".repeat(2100)}`);
    checkAll();
    for (const subject of subjects) model.subscribe(subject, null);
    checkAll();
    for (let i = 0; i < 100; i++) model.endAny(0);
    checkAll();
    expect(model.interest.size).toBe(100);
    model.end();
  });

  it("gives back its memory, also where only one of its two heads fits", () => {
    const model = new InterestModel();
    model.tellRemote(0, ">", null, 1);
    for (let length = 2000; length < 2100; length++) planFor(model.interest, "x".repeat(length));
    model.interest.evictAll();
    expect(slabSnapshot().headsBytes).toBe(0);
    model.end();
  });

  it("is kept again after the arena was full of heads of another length", () => {
    const [first, second] = [new InterestModel(), new InterestModel()];
    for (let i = 0; i < 20_000; i++) planFor(first.interest, `${i}.${"x".repeat(2000)}`);
    expect(slabSnapshot().headsBytes).toBeGreaterThan(0);
    planFor(second.interest, "a.b");
    const before = second.interest.snapshot().misses;
    for (let i = 0; i < 100; i++) planFor(second.interest, "a.b");
    expect(second.interest.snapshot().misses).toBe(before);
    first.end();
    second.end();
  });
});

describe("the sublist", () => {
  it("matches as the plain rule does, and keeps what is left", () => {
    const items = fc.array(pattern, { maxLength: 40 });
    fc.assert(
      fc.property(
        items,
        fc.array(fc.nat()),
        literal.filter((one) => !hasEmptyToken(one)),
        (subjects, removals, subject) => {
          const sublist = new Sublist<{ subject: string }>();
          const left = subjects.map((one) => ({ subject: one }));
          for (const item of left) sublist.insert(item);
          for (const which of removals) {
            if (left.length === 0) break;
            const [item] = left.splice(which % left.length, 1);
            expect(sublist.remove(item!)).toBe(true);
            expect(sublist.remove(item!)).toBe(false);
          }
          const found: { subject: string }[] = [];
          sublist.match(subject, found);
          const expected = left.filter((item) => subjectMatches(item.subject, subject));
          expect(new Set(found)).toEqual(new Set(expected));
          expect(found.length).toBe(new Set(found).size);
          expect(sublist.size).toBe(left.length);
          expect(new Set(sublist)).toEqual(new Set(left));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("subjects", () => {
  it("have wildcards where a token is one", () => {
    fc.assert(
      fc.property(literal, (subject) => {
        expect(hasWildcard(subject)).toBe(subject.split(".").some((one) => one === "*" || one === ">"));
      }),
    );
  });

  it("are valid when no token is empty and only the last one is >", () => {
    fc.assert(
      fc.property(literal, (subject) => {
        const tokens = subject.split(".");
        const isValid = tokens.every((one, i) => one !== "" && (one !== ">" || i === tokens.length - 1));
        expect(isValidSubject(subject)).toBe(isValid);
      }),
    );
  });
});
