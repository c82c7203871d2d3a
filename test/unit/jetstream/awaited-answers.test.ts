import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { AwaitedAnswers, type AwaitedAnswer } from "../../../src/jetstream/api/awaited-answers.ts";

/** As the code has them. */
const LISTED_MAX = 1000;
const AWAITED_MAX = 10_000;

function answer(reply: string): AwaitedAnswer {
  const request = { account: "A", subject: "", reply, payload: "", client: {} };
  return { request, change: "new", type: "stream_create" };
}

const repliesOf = (answers: readonly AwaitedAnswer[]): string[] =>
  answers.map(({ request }) => request.reply);

describe("answers that whoever comes to lead gives", () => {
  it("are given once, in the order of the requests", () => {
    const awaited = new AwaitedAnswers(new VirtualClock(0));
    for (const reply of ["a", "b", "c"]) awaited.add("A", "S", "", answer(reply));
    awaited.add("A", "S", "c", answer("d"));
    expect(repliesOf(awaited.take("A", "S", ""))).toEqual(["a", "b", "c"]);
    expect(awaited.take("A", "S", "")).toEqual([]);
    expect(repliesOf(awaited.take("A", "S", "c"))).toEqual(["d"]);
    expect(awaited.count).toBe(0);
  });

  it("about one stream are bounded, and the latest stay", () => {
    const awaited = new AwaitedAnswers(new VirtualClock(0));
    for (let i = 0; i < 3 * LISTED_MAX; i++) awaited.add("A", "S", "", answer(`${i}`));
    expect(awaited.count).toBe(LISTED_MAX);
    const replies = repliesOf(awaited.take("A", "S", ""));
    expect(replies).toHaveLength(LISTED_MAX);
    expect(replies.at(-1)).toBe(`${3 * LISTED_MAX - 1}`);
    expect(awaited.count).toBe(0);
  });

  it("are bounded in all, and those about what was asked for first make room", () => {
    const awaited = new AwaitedAnswers(new VirtualClock(0));
    for (let i = 0; i <= AWAITED_MAX; i++) awaited.add("A", `S${i}`, "", answer(`${i}`));
    expect(awaited.count).toBe(AWAITED_MAX);
    expect(awaited.take("A", "S0", "")).toEqual([]);
    expect(awaited.take("A", `S${AWAITED_MAX}`, "")).toHaveLength(1);
  });

  it("go with what they are about, and with time, each by itself", () => {
    const clock = new VirtualClock(0);
    const awaited = new AwaitedAnswers(clock);
    awaited.add("A", "S", "c", answer("a"));
    awaited.add("A", "S", "", answer("b"));
    awaited.add("A", "SS", "", answer("c"));
    awaited.removed("A", "S", "");
    expect(awaited.count).toBe(1);
    clock.advance(9999);
    awaited.add("A", "SS", "", answer("d"));
    clock.advance(1);
    expect(awaited.count).toBe(1);
    expect(repliesOf(awaited.take("A", "SS", ""))).toEqual(["d"]);
    clock.advance(20_000);
    expect(clock.timerCount).toBe(0);
  });
});
