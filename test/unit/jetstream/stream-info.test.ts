/** Stream info with subjects: a page of them is written in steps, whatever the subjects are called. */
import { expect, it } from "vitest";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

it("counts the messages of each subject of a page, in steps", () => {
  const stack = new JetStreamStack();
  const metadata = { note: '"subjects":1e-300' };
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage: "memory", metadata });
  const counts: Record<string, number> = {};
  for (let i = 0; i < 6000; i++) {
    const subject = i % 3 === 0 ? `s.${i % 2000}.a"b\\c` : `s.${i}`;
    counts[subject] = (counts[subject] ?? 0) + 1;
    stack.publish(subject);
  }
  const heard = stack.listen("answers");
  stack.publish("$JS.API.STREAM.INFO.S", JSON.stringify({ subjects_filter: "s.>" }), {}, "answers");
  expect(JSON.parse(heard[0]!.text)).toMatchObject({
    total: Object.keys(counts).length,
    config: { metadata },
    state: { messages: 6000, subjects: counts },
  });
  const some = stack.request("STREAM.INFO.S", { subjects_filter: "s.*", offset: 3990 });
  expect(Object.keys((some["state"] as { subjects: object }).subjects).length).toBe(10);
  const none = stack.request("STREAM.INFO.S", { subjects_filter: "s.none" });
  expect(none).toMatchObject({ total: 0, state: { messages: 6000 } });
  stack.stop();
});
