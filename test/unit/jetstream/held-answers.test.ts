import fc from "fast-check";
import { expect, it } from "vitest";
import { HeldAnswers, textOf } from "../../../src/jetstream/stream/held-answers.ts";

const subject = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 90 });
const act = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant("confirm" as const), subject }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("answer" as const), subject }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant("release" as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      more: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("take all" as const) }) },
);

it("releases what it holds once, in order, also where more comes meanwhile", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 150, size: "max" }), (acts) => {
      const held = new HeldAnswers();
      const given: string[] = [];
      const released: string[] = [];
      let sequence = 0;
      const confirm = (to: string): void => {
        const bytes = Buffer.from(`--${to}-`, "latin1");
        held.confirm(bytes, 2, to.length, ++sequence);
        given.push(`${to} ${sequence}`);
      };
      for (const one of acts) {
        if (one.what === "confirm") confirm(one.subject);
        else if (one.what === "answer") {
          held.add({ reply: one.subject, payload: "p" });
          given.push(`${one.subject} p`);
        } else if (one.what === "take all") {
          // A confirmation has no payload yet.
          for (const { reply, payload } of held.takeAll()) {
            const expected = given[released.length]!;
            expect(expected.startsWith(`${reply} `)).toBe(true);
            expect(payload === "p").toBe(expected === `${reply} p`);
            released.push(expected);
          }
        } else {
          let { more } = one;
          held.release(Math.floor(held.count * one.part), {
            send: ({ reply, payload }) => {
              if (more-- > 0) confirm("meanwhile");
              released.push(`${reply} ${payload}`);
            },
            confirm: (confirmation) => {
              const to = textOf(confirmation);
              const { sequence: number } = confirmation;
              if (more-- > 0) confirm("m".repeat(3000));
              released.push(`${to} ${number}`);
            },
          });
        }
        expect(held.count).toBe(given.length - released.length);
        expect(given.slice(0, released.length)).toEqual(released);
      }
    }),
    { numRuns: 300 },
  );
});
