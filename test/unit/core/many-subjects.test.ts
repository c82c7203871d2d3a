/** Messages on more subjects than plans are kept for. */
import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { Stack } from "../../property/stack.ts";

const MANY = 20_000;

it("finds all who want each of many subjects, whoever comes and goes", async () => {
  const stack = new Stack();
  const [publisher, one, two] = [stack.client(), stack.client(), stack.client()];
  one.wire.receiveText("SUB many.* 1\r\n");
  for (let from = 0; from < MANY; from += 500) {
    const subjects = Array.from({ length: 500 }, (_, i) => `PUB many.${from + i} 0\r\n\r\n`);
    publisher.wire.receiveText(subjects.join(""));
    while (one.session.outMessages < from + 500) await setImmediate(); // new subjects are work, which goes on in the next round
    one.wire.take();
  }
  let published = MANY;
  const receivers = async (subject: string): Promise<string[]> => {
    for (const { wire } of [one, two]) wire.take();
    published++;
    publisher.wire.receiveText(`PUB ${subject} 0\r\n\r\n`);
    while (publisher.session.inMessages < published) await setImmediate();
    return [one, two].map(({ wire }) => wire.takeText().split("\r\n")[0]!);
  };
  expect(await receivers("many.new")).toEqual(["MSG many.new 1 0", ""]);
  two.wire.receiveText("SUB many.literal 2\r\n");
  expect(await receivers("many.literal")).toEqual(["MSG many.literal 1 0", "MSG many.literal 2 0"]);
  expect(await receivers("many.other")).toEqual(["MSG many.other 1 0", ""]);
  two.wire.receiveText("UNSUB 2\r\nSUB many.> 3\r\n");
  expect(await receivers("many.literal")).toEqual(["MSG many.literal 1 0", "MSG many.literal 3 0"]);
  expect(await receivers("many.a.b")).toEqual(["", "MSG many.a.b 3 0"]);
  one.wire.receiveText("UNSUB 1\r\n");
  expect(await receivers("many.more")).toEqual(["", "MSG many.more 3 0"]);
  expect(await receivers("many.")).toEqual(["", ""]);
});
