/**
 * A message with another subject and reply, and perhaps with one more header: what a message becomes on its way into another
 * account. It has memory of its own, so that whoever else receives the first one finds it unchanged.
 */
import { CHUNK_SIZE, releaseChunk, takeChunk } from "../slab/chunks.ts";
import { LINE_MAX } from "../slab/layout.ts";
import { bytes, copy, readText, slice, writeText } from "../slab/memory.ts";
import { releaseStage, takeStage } from "../slab/staging.ts";
import { writeHead } from "../protocol/head.ts";
import { withServerHeader } from "../protocol/header-block.ts";
import { Message } from "../protocol/message.ts";
import { showAs } from "../protocol/shown-subject.ts";

export interface Derivation {
  readonly subject: string;
  /** "": none. */
  readonly reply: string;
  /** Takes the place of what the sender wrote under this name; null: none. The value is a byte string. */
  readonly header: { readonly name: string; readonly value: string } | null;
}

const CRLF = Buffer.from("\r\n");
/** Room for the head in front of the payload, in one chunk with it. */
const HEAD_ROOM = 16 * 1024;
/** What a head has beside its subjects: the operation, two sizes, blanks. */
const HEAD_REST = 64;

/** Calls `use` with the message, which is valid until that returns. False when there is no memory for it. */
export function withDerived(
  source: Message,
  change: Derivation,
  use: (derived: Message) => boolean,
): boolean {
  return withRoom(change, (room) => use(derive(source, change, room)));
}

/** Where a message of the server's own making is put together. */
interface Room {
  /** Of the head, which ends there. */
  readonly headEnd: number;
  /** Bytes that fit behind it; 0: none, the payload has memory of its own. */
  readonly payloadMax: number;
}

/** A head that is too long for a chunk lies on the stack of such heads. Nobody gets a message whose subject is longer than any line. */
function withRoom(
  { subject, reply }: { readonly subject: string; readonly reply: string },
  use: (room: Room) => boolean,
): boolean {
  if (subject.length > LINE_MAX || reply.length > LINE_MAX) return false;
  const headMax = subject.length + reply.length + HEAD_REST;
  if (headMax > HEAD_ROOM) {
    const at = takeStage(headMax);
    if (at === 0) return false;
    try {
      return use({ headEnd: at + headMax, payloadMax: 0 });
    } finally {
      releaseStage(at);
    }
  }
  const chunk = takeChunk();
  if (chunk === 0) return false;
  try {
    return use({ headEnd: chunk + HEAD_ROOM, payloadMax: CHUNK_SIZE - HEAD_ROOM });
  } finally {
    releaseChunk(chunk);
  }
}

function derive(source: Message, change: Derivation, { headEnd, payloadMax }: Room): Message {
  const { subject, reply, header } = change;
  const derived = new Message();
  derived.origin = source.origin;
  derived.shownAt = source.shownAt;
  derived.shownLength = source.shownLength;
  const skip = header === null ? 0 : source.headerLength;
  const intro = header === null ? "" : headersWith(source, header);
  const size = source.size - skip + intro.length;
  const headerLength = header === null ? source.headerLength : intro.length;
  const sizes = headerLength === 0 ? [`${size}`] : [`${headerLength}`, `${size}`];
  writeHead(derived, headEnd - 1, { plainPrefix: "PUB ", headerPrefix: "HPUB ", subject, reply, sizes });
  if (size + 2 <= payloadMax && source.body === null) {
    writeText(headEnd, intro);
    copy(headEnd + intro.length, source.at + source.payloadFrom + skip, source.size - skip + 2);
  } else {
    derived.body = largeBody(source, intro, skip);
    derived.length = derived.payloadFrom;
  }
  return derived;
}

/** All headers with one more at their end. The sender cannot have one of that name, however it is written. */
function headersWith(source: Message, { name, value }: { name: string; value: string }): string {
  return withServerHeader(headerBlock(source), name, value);
}

/** From the version to the empty line; "": there is none. */
export function headerBlock({ body, at, payloadFrom, headerLength }: Message): string {
  if (body === null) return readText(at + payloadFrom, headerLength);
  return Buffer.from(body.buffer, body.byteOffset, headerLength).toString("latin1");
}

function largeBody(source: Message, intro: string, skip: number): Uint8Array {
  const from = source.at + source.payloadFrom;
  const payload = source.body ?? slice(from, source.size + 2);
  const body = new Uint8Array(intro.length + payload.length - skip);
  Buffer.from(body.buffer).write(intro, "latin1");
  body.set(payload.subarray(skip), intro.length);
  return body;
}

interface NewMessage {
  readonly subject: string;
  /** "": none. */
  readonly reply: string;
  /** From NATS/1.0 to the empty line; "": none. */
  readonly headers: string;
  readonly payload: Uint8Array;
  /** The subject that receivers are shown; absent: the one that the message is matched on. */
  readonly shown?: string | undefined;
}

/** A message that the server itself has made. */
export function withNewMessage(
  { subject, reply, headers, payload, shown }: NewMessage,
  use: (message: Message) => boolean,
): boolean {
  return withRoom({ subject, reply }, ({ headEnd, payloadMax }) => {
    const message = new Message();
    const size = headers.length + payload.length;
    const sizes = headers === "" ? [`${size}`] : [`${headers.length}`, `${size}`];
    writeHead(message, headEnd - 1, { plainPrefix: "PUB ", headerPrefix: "HPUB ", subject, reply, sizes });
    const withEnd = Buffer.concat([Buffer.from(headers, "latin1"), payload, CRLF]);
    if (withEnd.length <= payloadMax) bytes.set(withEnd, headEnd);
    else {
      message.body = withEnd;
      message.length = message.payloadFrom;
    }
    if (shown !== undefined && shown !== subject) showAs(message, shown);
    return use(message);
  });
}
