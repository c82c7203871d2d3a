/** However the network cuts the bytes of another server, they mean the same. */
import { liveCell } from "../../src/base/live.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CARRY_MAX, LINE_MAX } from "../../src/slab/layout.ts";
import { RouteParser, type RouteOperations } from "../../src/protocol/route-parser.ts";
import { contentsOf, feed, pieceLengths, shown, whole } from "./pieces.ts";
import { line, messageWords, queue, repeated, sent, subject, type Sent } from "./spellings.ts";

const LIMITS = { maxControlLineBytes: 8 };

function read(stream: string, lengths: readonly number[], isPinned: boolean, limits = LIMITS): string[] {
  const said: string[] = [];
  const say = (what: string): true => {
    said.push(what);
    return true;
  };
  let account: string | null = null;
  const operations: RouteOperations = {
    isWaiting: false,
    onRouted: (name, message, queues) => {
      account = name;
      return say(`RMSG ${name}|${shown(contentsOf(message))}|${queues.join()}`);
    },
    onRoutedAgain: (message) => say(`RMSG ${account}|${shown(contentsOf(message))}|`),
    onConnect: (json) => say(`CONNECT ${json}`),
    onInfo: (json) => say(`INFO ${json}`),
    onPing: () => say("PING"),
    onPong: () => say("PONG"),
    onInterest: (args) => say(`RS+ ${args.join()}`),
    onInterestEnded: (args) => say(`RS- ${args.join()}`),
    onLeafInterest: (args) => say(`LS+ ${args.join()}`),
    onLeafInterestEnded: (args) => say(`LS- ${args.join()}`),
    onPeerSaysError: (text) => !say(`said ${text}`),
    onPeerError: (error) => !say(`-ERR ${error.text ?? ""} ${error.closes?.reason ?? ""}`),
  };
  const parser = new RouteParser(operations, liveCell(limits));
  parser.isPinned = isPinned;
  parser.isRegistered = true;
  feed(parser, Buffer.from(stream, "latin1"), lengths);
  return said;
}

interface Routed extends Sent {
  readonly queues: readonly string[];
}

const routed: fc.Arbitrary<Routed> = fc
  .tuple(sent, fc.oneof(fc.constant([]), fc.array(queue, { minLength: 1, maxLength: 3 })))
  .map(([message, queues]) => ({ ...message, queues }));

function forwarded(message: Routed, isPinned: boolean): fc.Arbitrary<string> {
  const { reply, queues, headers, payload: data } = message;
  const marked = reply === "" ? ["|", ...queues] : ["+", reply, ...queues];
  const words = messageWords(message, queues.length === 0 ? [] : marked);
  const account = isPinned ? [] : ["$G"];
  return line(headers === "" ? "RMSG" : "HMSG", ...account, ...words).map(
    (head) => `${head}${headers}${data}\r\n`,
  );
}

const others = fc.oneof(
  fc.tuple(subject, queue).chain(([to, group]) => line("RS+", "$G", to, group, "3")),
  subject.chain((to) => line("RS-", "$G", to)),
  fc.constantFrom("PING", "PONG", "+OK", "LS+", "A-").chain((name) => line(name)),
  fc.constantFrom("{}", '{"server_id":"N"}').chain((json) => line("INFO", json)),
);
const wrong = fc.oneof(
  fc.constantFrom(
    "RMSG\r\n",
    "RMSG $G\r\n",
    "RMSG $G a\r\n",
    "RMSG $G a b c 1\r\nx\r\n",
    "RMSGX $G a 1\r\nx\r\n",
    "RMSG $G a 2\r\nabc\r\n",
    "RMSG $G a x1\r\n",
    "RMSG $G a 1234567890\r\n",
    "RMSG $G a 99999999\r\n",
    "HMSG $G a 1\r\nx\r\n",
    "HMSG $G a 3 2\r\nab\r\n",
    "HMSG $G a 0 2\r\nab\r\n",
    "-ERR 'no'\r\n",
    "\r\n",
  ),
  fc.integer({ min: 90, max: 140 }).map((length) => `RMSG $G ${"a".repeat(length)} 0\r\n\r\n`),
  fc.integer({ min: 90, max: 140 }).map((length) => `RS+ $G ${"a".repeat(length)}\r\n`),
  fc.uint8Array({ maxLength: 20 }).map((data) => Buffer.from(data).toString("latin1")),
);

function stream(isPinned: boolean): fc.Arbitrary<string> {
  const message = repeated(routed.chain((one) => forwarded(one, isPinned)));
  const valid = fc.oneof({ weight: 3, arbitrary: message }, { weight: 1, arbitrary: others });
  return fc
    .tuple(
      fc.array(valid, { maxLength: 6 }),
      fc.option(wrong, { nil: "" }),
      fc.array(valid, { maxLength: 2 }),
    )
    .map(([before, end, behind]) => [...before, end, ...behind].join(""));
}

describe("a route's stream", () => {
  it.each([false, true])("means the same in any pieces (pinned: %s)", (isPinned) => {
    fc.assert(
      fc.property(stream(isPinned), pieceLengths, (text, lengths) => {
        expect(read(text, lengths, isPinned)).toEqual(read(text, whole, isPinned));
      }),
      { numRuns: 1000 },
    );
  });

  it("means the same byte by byte", () => {
    fc.assert(
      fc.property(stream(false), (text) => {
        expect(read(text, [1], false)).toEqual(read(text, whole, false));
      }),
      { numRuns: 700 },
    );
  });

  it.each(["RMSGX $G a 1", "RMSGX$G a 1", "HMSGS$G a 0 1", "RMSG$G a 1"])("knows no %s", (head) => {
    const said = ["-ERR Unknown Protocol Operation Protocol Violation"];
    for (const lengths of [whole, [1]]) expect(read(`${head}\r\nx\r\n`, lengths, false)).toEqual(said);
  });

  it.each([false, true])("says what was sent, in every spelling (pinned: %s)", (isPinned) => {
    const limits = { maxControlLineBytes: 4096 };
    const frames = fc.array(
      routed.chain((message) => fc.tuple(fc.constant(message), forwarded(message, isPinned))),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(frames, pieceLengths, (messages, lengths) => {
        const said = messages.map(([{ subject: to, reply, headers, payload, queues }]) => {
          return `RMSG ${isPinned ? null : "$G"}|${to}|${reply}|${headers}|${payload}|${queues.join()}`;
        });
        expect(read(messages.map(([, text]) => text).join(""), lengths, isPinned, limits)).toEqual(said);
      }),
      { numRuns: 700 },
    );
  });

  it("carries payloads of several megabytes, with queue groups in front", () => {
    const size = fc.oneof(
      fc.integer({ min: CARRY_MAX - 40, max: CARRY_MAX + 40 }),
      fc.integer({ min: 100_000, max: 3_000_000 }),
    );
    const pieces = fc.array(fc.integer({ min: 3000, max: 128 * 1024 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(size, pieces, fc.constantFrom("", "r ", "| q ", "+ r q p "), (length, lengths, between) => {
        const data = "x".repeat(length);
        const text = `RMSG $G a.b ${between}${length}\r\n${data}\r\nRMSG $G c 1\r\ny\r\n`;
        const [first, second, ...rest] = read(text, lengths, false, { maxControlLineBytes: 4096 });
        const reply = between.includes("r") ? "r" : "";
        const queues = between.includes("p") ? "q,p" : between.includes("q") ? "q" : "";
        expect(first === `RMSG $G|a.b|${reply}||${data}|${queues}`).toBe(true);
        expect([second, ...rest]).toEqual(["RMSG $G|c|||y|"]);
      }),
      { numRuns: 25 },
    );
  });

  it("keeps no more of a line than fits in front of the read window, whatever is configured", () => {
    const operations = { onPeerError: () => false } as unknown as RouteOperations;
    const endless = fc.constantFrom("PING", "INFO {", "RMSG $G a ", "RS+ ", "CONNECT\t");
    const limit = fc.constantFrom(64, 4096, LINE_MAX);
    fc.assert(
      fc.property(endless, limit, fc.constantFrom(" ", "x"), (start, maxControlLineBytes, more) => {
        const parser = new RouteParser(operations, liveCell({ maxControlLineBytes }));
        const held = feed(parser, Buffer.from(start + more.repeat(2 * LINE_MAX)), [100_000]);
        expect(held).toBeLessThanOrEqual(LINE_MAX);
      }),
      { numRuns: 20 },
    );
  });
});
