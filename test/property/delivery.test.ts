/** What a client publishes is what another receives: through sessions, router and outboxes, here and over a route. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import { pieceLengths } from "./pieces.ts";
import { payload, published, sent, type Sent } from "./spellings.ts";
import { Stack, type Link } from "./stack.ts";

const NATS_HEADERS = "NATS/1.0\r\n\r\n";
/** Small ones, those about as large as a chunk, and those that no chunk holds. */
const message: fc.Arbitrary<Sent> = fc
  .tuple(
    sent,
    fc.oneof(
      { weight: 8, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 65_400, max: 65_700 }) },
      { weight: 1, arbitrary: fc.integer({ min: 100_000, max: 400_000 }) },
    ),
    payload(30),
  )
  .map(([small, more, end]) => (more === 0 ? small : { ...small, payload: "x".repeat(more) + end }))
  .filter(({ subject, reply }) => ![subject, reply].some((text) => /^[_$]/.test(text)));
/** A message and how it is spelled; where it is long, a failure shows the beginning alone. */
const messages = fc.array(
  message
    .chain((one) => fc.tuple(fc.constant(one), published(one)))
    .map(([one, text]) =>
      Object.assign([one, text] as const, { [fc.toStringMethod]: () => JSON.stringify(text.slice(0, 400)) }),
    ),
  { minLength: 1, maxLength: 6 },
);

let stack = new Stack();

afterEach(() => {
  stack.accounts[Symbol.dispose]();
  stack = new Stack();
});

function delivery(sid: string, { subject, reply, headers, payload: data }: Sent): string {
  const replies = reply === "" ? "" : `${reply} `;
  if (headers === "") return `MSG ${subject} ${sid} ${replies}${data.length}\r\n${data}\r\n`;
  return `HMSG ${subject} ${sid} ${replies}${headers.length} ${headers.length + data.length}\r\n${headers}${data}\r\n`;
}

function routed({ subject, reply, headers, payload: data }: Sent, between = reply): string {
  const replies = between === "" ? "" : `${between} `;
  if (headers === "") return `RMSG $G ${subject} ${replies}${data.length}\r\n${data}\r\n`;
  return `HMSG $G ${subject} ${replies}${headers.length} ${headers.length + data.length}\r\n${headers}${data}\r\n`;
}

/** Sends the text in pieces of these lengths. */
function send(link: Link<unknown>, text: string, lengths: readonly number[]): void {
  const data = Buffer.from(text, "latin1");
  for (let from = 0, turn = 0; from < data.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    link.wire.receive(data.subarray(from, from + length));
    from += length;
  }
}

function close(...links: readonly Link<unknown>[]): void {
  for (const { wire } of links) wire.hangUp();
  expect(slabSnapshot().chunksInUse).toBe(0);
}

/** "" when they are the same; else where they begin to differ. */
function difference(found: string, expected: string): string {
  if (found === expected) return "";
  let at = 0;
  while (found[at] === expected[at]) at++;
  const [is, should] = [found, expected].map((text) =>
    JSON.stringify(text.slice(Math.max(0, at - 20), at + 40)),
  );
  return `at ${at}: ${is} instead of ${should}`;
}

describe("a message", () => {
  it.each(["1", "1234567", "12345678", "a-rather-long-sid"])("reaches sid %s as it was sent", (sid) => {
    fc.assert(
      fc.property(messages, pieceLengths, (list, lengths) => {
        const [publisher, reader] = [stack.client(), stack.client()];
        reader.wire.receiveText(`SUB > ${sid}\r\n`);
        send(publisher, list.map(([, text]) => text).join(""), lengths);
        expect(difference(reader.wire.takeText(), list.map(([one]) => delivery(sid, one)).join(""))).toBe("");
        close(publisher, reader);
      }),
      { numRuns: 120 },
    );
  });

  it("reaches a client without headers stripped of them", () => {
    fc.assert(
      fc.property(messages, pieceLengths, (list, lengths) => {
        const [publisher, reader] = [stack.client(), stack.client('"headers":false')];
        reader.wire.receiveText("SUB > 1\r\n");
        send(publisher, list.map(([, text]) => text).join(""), lengths);
        expect(
          difference(
            reader.wire.takeText(),
            list.map(([one]) => delivery("1", { ...one, headers: "" })).join(""),
          ),
        ).toBe("");
        close(publisher, reader);
      }),
      { numRuns: 120 },
    );
  });

  it("reaches its publisher and several others alike, each in order", () => {
    fc.assert(
      fc.property(messages, pieceLengths, fc.integer({ min: 1, max: 4 }), (list, lengths, count) => {
        const publisher = stack.client();
        const readers = Array.from({ length: count }, () => stack.client());
        for (const { wire } of [publisher, ...readers]) wire.receiveText("SUB > 1\r\n");
        send(publisher, list.map(([, text]) => text).join(""), lengths);
        const expected = list.map(([one]) => delivery("1", one)).join("");
        for (const { wire } of [publisher, ...readers])
          expect(difference(wire.takeText(), expected)).toBe("");
        close(publisher, ...readers);
      }),
      { numRuns: 100 },
    );
  });

  it("reaches a route as it was sent, and from there a client", () => {
    fc.assert(
      fc.property(messages, pieceLengths, fc.boolean(), (list, lengths, hasGroup) => {
        const [publisher, out] = [stack.client(), stack.route()];
        out.wire.receiveText(hasGroup ? "RS+ $G > q 1\r\n" : "RS+ $G >\r\n");
        send(publisher, list.map(([, text]) => text).join(""), lengths);
        const between = ({ reply }: Sent): string => (reply === "" ? "| q" : `+ ${reply} q`);
        const crossed = out.wire.takeText();
        expect(
          difference(crossed, list.map(([one]) => routed(one, hasGroup ? between(one) : one.reply)).join("")),
        ).toBe("");

        const there = new Stack();
        const [back, reader] = [there.route(), there.client()];
        reader.wire.receiveText(hasGroup ? "SUB > q 7\r\n" : "SUB > 7\r\n");
        send(back, crossed, lengths);
        expect(difference(reader.wire.takeText(), list.map(([one]) => delivery("7", one)).join(""))).toBe("");
        there.accounts[Symbol.dispose]();
        close(publisher, out, back, reader);
      }),
      { numRuns: 120 },
    );
  });

  it("with a payload that no chunk holds is followed by the next one's own payload", () => {
    const [publisher, reader] = [stack.client(), stack.client()];
    reader.wire.receiveText("SUB > 1\r\n");
    const sizes = [70_000, 80_000, 5, 90_000];
    const list = sizes.map((size, i): Sent => {
      return { subject: "a", reply: "", headers: NATS_HEADERS, payload: String(i).repeat(size) };
    });
    // each in a read of its own, then two in one
    const publish = list.map(({ headers, payload: data }) => {
      return `HPUB a 12 ${data.length + 12}\r\n${headers}${data}\r\n`;
    });
    for (const text of publish) publisher.wire.receiveText(text);
    publisher.wire.receiveText(publish[0]! + publish[2]!);
    const expected = [...list, list[0]!, list[2]!].map((one) => delivery("1", one)).join("");
    expect(difference(reader.wire.takeText(), expected)).toBe("");
    close(publisher, reader);
  });
});
