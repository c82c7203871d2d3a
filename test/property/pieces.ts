/** A stream as the network may cut it: the same bytes, in pieces of any length, read through a connection's `Inbound`. */
import fc from "fast-check";
import { READ_SIZE, READ_START } from "../../src/slab/layout.ts";
import { bytes, readText, slice } from "../../src/slab/memory.ts";
import { Inbound, type FrameParser } from "../../src/links/trunk/inbound.ts";
import type { Message } from "../../src/protocol/message.ts";

/** Lengths of pieces, used over and over until the stream is out. Each at least 1. */
export const pieceLengths = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 12 }) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 200 }) },
    { weight: 1, arbitrary: fc.integer({ min: 200, max: READ_SIZE }) },
  ),
  { minLength: 1, maxLength: 12 },
);

export const whole = [READ_SIZE];

/** Feeds the stream until it is out or the connection has ended. Returns the most that was held back. */
export function feed(parser: FrameParser, stream: Uint8Array, lengths: readonly number[]): number {
  const inbound = new Inbound(parser);
  let held = 0;
  for (let from = 0, turn = 0; from < stream.length; turn++) {
    const piece = stream.subarray(from, from + lengths[turn % lengths.length]!);
    // What lies in the window from the reads of other connections must not matter.
    bytes.fill(0x41 + (turn % 26), READ_START - 64, READ_START + piece.length + 64);
    bytes.set(piece, READ_START);
    if (!inbound.take(piece.length)) break;
    held = Math.max(held, inbound.heldBytes);
    from += piece.length;
  }
  return held;
}

export interface Contents {
  readonly subject: string;
  readonly reply: string;
  readonly headers: Buffer;
  readonly payload: Buffer;
}

/** What a message says, out of the slab or out of its own memory. */
export function contentsOf(message: Message): Contents {
  const { at, body, size, headerLength } = message;
  const all = Buffer.from(body === null ? slice(at + message.payloadFrom, size) : body.subarray(0, size));
  return {
    subject: readText(at + message.subjectFrom, message.subjectLength),
    reply: readText(at + message.replyFrom, message.replyLength),
    headers: all.subarray(0, headerLength),
    payload: all.subarray(headerLength),
  };
}

export function shown(contents: Contents): string {
  const { subject, reply, headers, payload } = contents;
  return `${subject}|${reply}|${headers.toString("latin1")}|${payload.toString("latin1")}`;
}
