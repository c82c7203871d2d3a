/** The scrub of the store: what is damaged on the disk is known within the interval, though nobody reads it, and what memory knows is mended. */
import { describe, expect, it } from "vitest";
import { JetStreamStack } from "../../support/jetstream-stack.ts";
import type { DiskFile } from "../../../src/store/disk.ts";

const DAY_MS = 24 * 3_600_000;
const MESSAGES = 600;
const FOLDER = "/js/A/streams/S";

/** A stream of three blocks; a consumer that has acknowledged some of it. */
function stackOf(): JetStreamStack {
  const stack = new JetStreamStack({ scrubIntervalMs: DAY_MS });
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage: "file", duplicate_window: 1e8 });
  for (let i = 1; i <= MESSAGES; i++) stack.publish(`s.${i % 7}`, `body ${i} `.repeat(1600));
  stack.request("CONSUMER.DURABLE.CREATE.S.C", {
    stream_name: "S",
    config: { durable_name: "C", ack_policy: "explicit" },
  });
  const heard = stack.listen("inbox");
  stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", JSON.stringify({ batch: 5 }), {}, "inbox");
  for (const { reply } of heard) stack.publish(reply, "+ACK");
  stack.advance(1000); // a start reads what is as young as the duplicate window
  return stack;
}

function flip(file: DiskFile, at: number): void {
  const byte = Buffer.alloc(1);
  file.read(byte, at);
  byte[0]! ^= 4;
  file.write(byte, at);
}

function blockFile(stack: JetStreamStack, index: number): DiskFile {
  const name = stack.disk.names(`${FOLDER}/msgs`)[index]!;
  return stack.disk.open(`${FOLDER}/msgs/${name}`);
}

function lostIn(stack: JetStreamStack): number {
  return stack.stream("S").store.lost.count;
}

function scrubOf(stack: JetStreamStack): NonNullable<JetStreamStack["scrub"]> {
  return stack.scrub!;
}

describe("the scrub", () => {
  it("reads all within each interval, and finds nothing where nothing is damaged", () => {
    const stack = stackOf();
    stack.restart();
    stack.advance(DAY_MS);
    const { passes, bytes, damaged, finishedMs } = scrubOf(stack);
    expect({ passes, damaged }).toEqual({ passes: 1, damaged: 0 });
    expect(bytes).toBeGreaterThan(MESSAGES * 14_000);
    expect(finishedMs).toBeGreaterThan(0);
    expect(lostIn(stack)).toBe(0);
    stack.advance(DAY_MS);
    expect(scrubOf(stack).passes).toBe(2);
  });

  it("finds a damaged message in a block that a start took from its footer, and names it", () => {
    const stack = stackOf();
    stack.restart(() => flip(blockFile(stack, 0), 200_000));
    expect(lostIn(stack)).toBe(0);
    stack.advance(DAY_MS + 1000);
    expect(lostIn(stack)).toBe(1);
    const [lost] = stack.stream("S").store.lost;
    const { state } = stack.request("STREAM.INFO.S") as { state: { lost: object; messages: number } };
    expect(state).toMatchObject({ messages: MESSAGES - 1, lost: { msgs: [lost!.from] } });
    expect(scrubOf(stack)).toMatchObject({ damaged: 1, mended: 0 });
    expect(stack.errors.toSorted()).toEqual([
      "messages of a stream are damaged and known missing",
      "the scrub has found damage on the disk",
    ]);
    stack.advance(2 * DAY_MS);
    expect(scrubOf(stack).damaged).toBe(1);
  });

  it("finds damage that comes while the server runs", () => {
    const stack = stackOf();
    stack.advance(DAY_MS / 3);
    flip(blockFile(stack, 1), 1_000_000);
    stack.advance(2 * DAY_MS);
    expect(lostIn(stack)).toBe(1);
  });

  it("finds a damaged record that is longer than what it reads at once", () => {
    const stack = new JetStreamStack({ scrubIntervalMs: DAY_MS });
    stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage: "file" });
    for (let i = 1; i <= 12; i++) stack.publish("s.1", "x".repeat(900_000));
    stack.advance(DAY_MS);
    expect(scrubOf(stack)).toMatchObject({ passes: 1, damaged: 0 });
    flip(blockFile(stack, 0), 1_500_000);
    stack.advance(DAY_MS + 1000);
    expect([...stack.stream("S").store.lost]).toEqual([{ from: 2, to: 2 }]);
  });

  it("writes a damaged footer again", () => {
    const stack = stackOf();
    const file = blockFile(stack, 0);
    const right = Buffer.alloc(file.size);
    file.read(right, 0);
    for (const back of [20, 100, 3000]) flip(file, file.size - back);
    stack.advance(DAY_MS + 1000);
    expect(scrubOf(stack)).toMatchObject({ damaged: 1, mended: 1 });
    const mended = Buffer.alloc(file.size);
    file.read(mended, 0);
    expect(mended.equals(right)).toBe(true);
    expect(lostIn(stack)).toBe(0);
  });

  it("writes the newest block again from memory", () => {
    const stack = stackOf();
    const count = stack.disk.names(`${FOLDER}/msgs`).length;
    flip(blockFile(stack, count - 1), 300);
    stack.advance(DAY_MS + 1000);
    expect(scrubOf(stack)).toMatchObject({ damaged: 1, mended: 1 });
    stack.crash(() => undefined);
    expect(lostIn(stack)).toBe(0);
    expect(stack.stream("S").store.messages).toBe(MESSAGES);
  });

  it.each(["state", "log"])("writes the %s of a consumer again", (name) => {
    const stack = stackOf();
    const before = stack.request("CONSUMER.INFO.S.C");
    flip(stack.disk.open(`${FOLDER}/obs/C/${name}`), 20);
    stack.advance(DAY_MS + 1000);
    expect(scrubOf(stack)).toMatchObject({ damaged: 1, mended: 1 });
    stack.crash(() => undefined);
    const after = stack.request("CONSUMER.INFO.S.C");
    for (const field of ["num_pending", "num_ack_pending"]) expect(after[field]).toEqual(before[field]);
    expect(after["ack_floor"]).toMatchObject({ stream_seq: 5, consumer_seq: 5 });
  });

  it.each([FOLDER, `${FOLDER}/obs/C`])("writes the configuration in %s again", (path) => {
    const stack = stackOf();
    const right = stack.disk.read(`${path}/meta.json`)!;
    const file = stack.disk.open(`${path}/meta.json`);
    flip(file, Buffer.from(right).indexOf("config") + 40);
    stack.advance(DAY_MS + 1000);
    expect(scrubOf(stack)).toMatchObject({ damaged: 1, mended: 1 });
    expect(Buffer.from(stack.disk.read(`${path}/meta.json`)!).equals(Buffer.from(right))).toBe(true);
  });

  it("passes over streams that are deleted while it reads", () => {
    const stack = stackOf();
    stack.advance(DAY_MS / 4);
    stack.request("STREAM.DELETE.S");
    stack.advance(DAY_MS);
    expect(scrubOf(stack)).toMatchObject({ damaged: 0 });
    expect(scrubOf(stack).passes).toBeGreaterThan(0);
  });

  it("is off without an interval", () => {
    const stack = new JetStreamStack();
    expect(stack.scrub).toBe(null);
  });
});
