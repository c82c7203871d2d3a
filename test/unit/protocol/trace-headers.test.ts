/** Which messages ask to be traced: what the quick look may miss, and what it may not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { READ_START } from "../../../src/slab/layout.ts";
import { writeText } from "../../../src/slab/memory.ts";
import { Message } from "../../../src/protocol/message.ts";
import { isTraceNamed, mayBeTraced, readTraceHeaders } from "../../../src/protocol/trace-headers.ts";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** With the block of headers at some offset in the slab. */
function messageWith(block: string, shift = 0): Message {
  const message = new Message();
  message.at = READ_START + shift;
  writeText(message.at, block);
  message.headerLength = message.size = block.length;
  return message;
}

const block = (...lines: string[]): string =>
  `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;

describe("the quick look at headers", () => {
  it("finds what asks for a trace, wherever it stands", () => {
    for (let shift = 0; shift < 8; shift++) {
      for (let filler = 0; filler < 9; filler++) {
        const before = `A: ${"x".repeat(filler)}`;
        for (const line of ["Nats-Trace-Dest: d", `traceparent: ${PARENT}`, `TraceParent: ${PARENT}`]) {
          expect(mayBeTraced(messageWith(block(before, line, "B: y"), shift))).toBe(true);
          expect(mayBeTraced(messageWith(block(line), shift))).toBe(true);
        }
      }
    }
  });

  it("searches the headers of a message too large for the slab", () => {
    const large = (text: string): Message => {
      const message = messageWith("");
      message.body = Buffer.from(`${text}payload: traceparent`, "latin1");
      message.headerLength = text.length;
      return message;
    };
    const many = Array.from({ length: 1000 }, (_, i) => `h${i}: x`);
    expect(mayBeTraced(large(block(...many)))).toBe(false);
    for (const line of ["Nats-Trace-Dest: d", `TraceParent: ${PARENT}`])
      expect(mayBeTraced(large(block(...many, line)))).toBe(true);
  });

  it("finds the name of a destination, and that of an account it came from, wherever they stand", () => {
    for (let filler = 0; filler < 64; filler++) {
      const before = `A: ${"x".repeat(filler)}`;
      for (const line of ["Nats-Trace-Dest:d", "Nats-Trace-Origin-Account:A"]) {
        expect(isTraceNamed(messageWith(block(before, line, "B: y"), filler & 7))).toBe(true);
        expect(isTraceNamed(messageWith(`NATS/1.0\r\n${before}\r\n${line}\r\n`))).toBe(true);
      }
      for (const line of [`traceparent: ${PARENT}`, "Nats-Msg-Id: 1", "xNats-Trace-Dest: d"])
        expect(isTraceNamed(messageWith(block(before, line)))).toBe(false);
    }
  });

  it("leaves alone other headers, and the names in other places", () => {
    const others = [
      block("Nats-Msg-Id: 1", "Nats-Expected-Stream: S"),
      block("A: Nats-Trace-Dest: d", "B: traceparent: x", "XNats-Trace-Dest: d"),
      block("nats-trace-dest: d", "Traffic: t", "Tracker: x"),
      block(),
    ];
    for (const one of others) expect([one, mayBeTraced(messageWith(one))]).toEqual([one, false]);
    const payload = messageWith(block("A: b") + "\r\nNats-Trace-Dest: d\r\n");
    payload.headerLength = block("A: b").length;
    expect(mayBeTraced(payload)).toBe(false);
  });

  it("never misses what is read as a trace", () => {
    const piece = fc.constantFrom(
      ...[
        "\r\n",
        "\r",
        "\n",
        ":",
        " ",
        "A: b",
        "Nats-Trace-Dest",
        "Nats-Trace-Origin-Account",
        "traceparent",
        "TRACEPARENT",
        PARENT,
        "x",
        "\t",
      ],
    );
    const bodies = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(bodies, fc.nat(7), (body, shift) => {
        const message = messageWith(`NATS/1.0\r\n${body}\r\n\r\n`, shift);
        const headers = readTraceHeaders(message);
        if (headers !== null) expect(mayBeTraced(message)).toBe(true);
        if (headers?.isExternal === false || headers?.all.has("Nats-Trace-Origin-Account") === true)
          expect(isTraceNamed(message)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("trace headers", () => {
  const read = (...lines: string[]): ReturnType<typeof readTraceHeaders> =>
    readTraceHeaders(messageWith(block(...lines)));

  it("keep all values under the names as they are written", () => {
    const found = read("Nats-Trace-Dest:  d ", "A: 1", "a: 2", "A:\t3\t", "Empty: ");
    expect(found?.isExternal).toBe(false);
    expect([...found!.all]).toEqual([
      ["Nats-Trace-Dest", ["d"]],
      ["A", ["1", "3"]],
      ["a", ["2"]],
    ]);
  });

  it("ask from outside by a sampled traceparent alone", () => {
    expect(read(`traceparent: ${PARENT}`)?.isExternal).toBe(true);
    expect(read(`traceparent: ${PARENT}`, "Nats-Trace-Dest: d")?.isExternal).toBe(false);
    for (const flags of ["00", "02", "1", "001", "zz", "81", "ff"])
      expect([flags, read(`traceparent: ${PARENT.slice(0, -2)}${flags}`)]).toEqual([flags, null]);
  });

  it("say nothing where a server has disabled the trace, or the block is another's", () => {
    expect(read("Nats-Trace-Dest: trace disabled", `traceparent: ${PARENT}`)).toBeNull();
    expect(readTraceHeaders(messageWith("NATS/1.0 503\r\nNats-Trace-Dest: d\r\n\r\n"))).toBeNull();
  });

  it("are read in linear time, whatever they hold", () => {
    const long = block(`A: ${" ".repeat(90_000)}x`, "Nats-Trace-Dest: d");
    expect(readTraceHeaders(messageWith(long))?.all.get("A")).toEqual(["x"]);
    const many = block(...Array.from({ length: 9000 }, (_, i) => `A${i}: 1`), "Nats-Trace-Dest: d");
    expect(readTraceHeaders(messageWith(many))?.all.size).toBe(9001);
  });
});
