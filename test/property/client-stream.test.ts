/** However the network cuts a client's bytes, they mean the same. */
import { liveCell } from "../../src/base/live.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CARRY_MAX } from "../../src/slab/layout.ts";
import { ClientParser, type ClientOperations } from "../../src/protocol/client-parser.ts";
import { contentsOf, feed, pieceLengths, shown, whole } from "./pieces.ts";
import { line, payload, published, queue, repeated, sent, subject } from "./spellings.ts";

const LIMITS = { maxPayloadBytes: 200, maxControlLineBytes: 64 };

/** Everything that the stream says, a line for each operation. */
function read(stream: string, lengths: readonly number[], limits = LIMITS): string[] {
  const said: string[] = [];
  const say = (what: string): true => {
    said.push(what);
    return true;
  };
  const operations: ClientOperations = {
    isWaiting: false,
    mayBegin: () => true,
    onPublish: (message) => say(`PUB ${shown(contentsOf(message))}`),
    onPublishAgain: (message) => say(`PUB ${shown(contentsOf(message))}`),
    onConnect: (json) => say(`CONNECT ${json}`),
    onSubscribe: (to, group, sid) => say(`SUB ${to} ${group ?? ""} ${sid}`),
    onUnsubscribe: (sid, max) => say(`UNSUB ${sid} ${max}`),
    onPing: () => say("PING"),
    onPong: () => say("PONG"),
    onPeerError: (error) => {
      said.push(`-ERR ${error.text ?? ""} ${error.closes?.reason ?? ""}`);
      return error.closes === null;
    },
  };
  feed(new ClientParser(operations, liveCell(limits)), Buffer.from(stream, "latin1"), lengths);
  return said;
}

const others = fc.oneof(
  fc.tuple(subject, queue).chain(([to, group]) => line("SUB", to, group, "1")),
  subject.chain((to) => line("SUB", to, "22")),
  fc.constantFrom("5", "0", "x", "99999999999").chain((max) => line("UNSUB", "1", max)),
  fc.constantFrom("PING", "PONG", "+OK").chain((name) => line(name)),
  fc.constantFrom("{}", '{"verbose":true}').chain((json) => line("CONNECT", json)),
);
const valid = fc.oneof(
  { weight: 3, arbitrary: repeated(sent.chain(published)) },
  { weight: 2, arbitrary: others },
);
/** What ends a connection, or might. */
const wrong = fc.oneof(
  fc.constantFrom(
    "PUB a\r\n",
    "PUB a b c d\r\n",
    "PUB a x\r\n",
    "PUB a -1\r\n",
    "PUB a 201\r\n",
    "PUB a 2\r\nabc\r\n",
    "PUB a 2\r\nab\n",
    "HPUB a 5 2\r\nab\r\n",
    "HPUB a 0 2\r\nab\r\n",
    "PUB a 1234567890\r\n",
    "SUB\r\n",
    "SUB a\r\n",
    "UNSUB\r\n",
    "INFO {}\r\n",
    "INFO x\r\n",
    "-ERR 'x'\r\n",
    "PIN\r\n",
    "\r\n",
    "PUBX a 1\r\nx\r\n",
  ),
  fc.integer({ min: 50, max: 80 }).map((length) => `PUB ${"a".repeat(length)} 0\r\n\r\n`),
  fc.integer({ min: 50, max: 80 }).map((length) => `sub ${"a".repeat(length)} 1\n`),
  fc.integer({ min: 50, max: 80 }).map((length) => `HPUB a ${"b".repeat(length)} 1 1\r\nx\r\n`),
  fc.integer({ min: 50, max: 80 }).map((length) => `PING${"x".repeat(length)}\r\n`),
  fc.uint8Array({ maxLength: 20 }).map((data) => Buffer.from(data).toString("latin1")),
);
const stream = fc
  .tuple(fc.array(valid, { maxLength: 8 }), fc.option(wrong, { nil: "" }), fc.array(valid, { maxLength: 2 }))
  .map(([before, end, behind]) => [...before, end, ...behind].join(""));

describe("a client's stream", () => {
  it("means the same in any pieces", () => {
    fc.assert(
      fc.property(stream, pieceLengths, (text, lengths) => {
        expect(read(text, lengths)).toEqual(read(text, whole));
      }),
      { numRuns: 1500 },
    );
  });

  it("means the same byte by byte", () => {
    fc.assert(
      fc.property(stream, (text) => {
        expect(read(text, [1])).toEqual(read(text, whole));
      }),
      { numRuns: 1000 },
    );
  });

  it("says what was sent, in every spelling", () => {
    fc.assert(
      fc.property(
        fc.array(
          sent.chain((message) => fc.tuple(fc.constant(message), published(message))),
          { maxLength: 6 },
        ),
        pieceLengths,
        (messages, lengths) => {
          const said = messages.map(([{ subject: to, reply, headers, payload: data }]) => {
            return `PUB ${to}|${reply}|${headers}|${data}`;
          });
          expect(read(messages.map(([, text]) => text).join(""), lengths)).toEqual(said);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("carries payloads of several megabytes", () => {
    const limits = { maxPayloadBytes: 4 * 1024 * 1024, maxControlLineBytes: 4096 };
    const size = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: CARRY_MAX - 40, max: CARRY_MAX + 40 }),
      fc.integer({ min: 100_000, max: 300_000 }),
      fc.integer({ min: 1_000_000, max: 3_000_000 }),
    );
    const frame = fc.tuple(size, fc.boolean(), payload(20)).map(([length, hasHeaders, end]) => {
      const data = end + "x".repeat(length) + end;
      return hasHeaders
        ? `HPUB a.b r 12 ${data.length + 12}\r\nNATS/1.0\r\n\r\n${data}\r\n`
        : `PUB a.b ${data.length}\r\n${data}\r\n`;
    });
    const pieces = fc.array(fc.integer({ min: 3000, max: 128 * 1024 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), pieces, (frames, lengths) => {
        const text = frames.join("");
        const said = read(text, lengths, limits);
        expect(said.length).toBe(frames.length);
        expect(said.join() === read(text, whole, limits).join()).toBe(true);
        for (const [i, frame] of frames.entries()) {
          const data = frame.slice(frame.indexOf("\n") + 1, -2);
          expect(said[i]!.endsWith(data.startsWith("NATS/1.0") ? data.slice(12) : data)).toBe(true);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("keeps no more of a line than its limit and some padding, whatever is sent", () => {
    const operations = { mayBegin: () => true, onPeerError: () => false } as unknown as ClientOperations;
    const endless = fc.constantFrom("PING", "PUB ", "PUB a ", "SUB\t", "CONNECT {", "+OK", "INFO ");
    const filler = fc.constantFrom(" ", "\t", "x", "\r", "0");
    fc.assert(
      fc.property(endless, filler, fc.integer({ min: 500, max: 70_000 }), (start, more, length) => {
        const parser = new ClientParser(operations, liveCell(LIMITS));
        const held = feed(parser, Buffer.from(start + more.repeat(500_000)), [length]);
        expect(held).toBeLessThanOrEqual(CARRY_MAX + LIMITS.maxControlLineBytes);
      }),
      { numRuns: 40 },
    );
  });
});
