/**
 * A message with another subject and reply, and perhaps with one more header: what a message becomes on its way into another
 * account. It has memory of its own, so that whoever else receives the first one finds it unchanged.
 */
import {
  bytes,
  CHUNK_SIZE,
  copy,
  readText,
  releaseChunk,
  slice,
  takeChunk,
  writeText,
} from "../base/slab.ts";
import { writeHead } from "../protocol/head.ts";
import { Message } from "../protocol/message.ts";

export interface Derivation {
  readonly subject: string;
  /** "": none. */
  readonly reply: string;
  /** Takes the place of what the sender wrote under this name; null: none. */
  readonly header: { readonly name: string; readonly value: string } | null;
}

const CRLF = Buffer.from("\r\n");
const VERSION_LINE = "NATS/1.0\r\n";
/** Room for the head in front of the payload. */
const HEAD_ROOM = 16 * 1024;

/** Calls `use` with the message, which is valid until that returns. False when there is no memory for it. */
export function withDerived(
  source: Message,
  change: Derivation,
  use: (derived: Message) => boolean,
): boolean {
  const chunk = takeChunk();
  if (chunk === 0) return false;
  try {
    const derived = derive(source, change, chunk);
    return derived !== null && use(derived);
  } finally {
    releaseChunk(chunk);
  }
}

function derive(source: Message, change: Derivation, chunk: number): Message | null {
  const { subject, reply, header } = change;
  if (subject.length + reply.length + 64 > HEAD_ROOM) return null;
  const derived = new Message();
  derived.origin = source.origin;
  const skip = header === null ? 0 : source.headerLength;
  const intro = header === null ? "" : headersWith(source, header);
  const size = source.size - skip + intro.length;
  const headerLength = header === null ? source.headerLength : intro.length;
  const sizes = headerLength === 0 ? [`${size}`] : [`${headerLength}`, `${size}`];
  const payloadAt = chunk + HEAD_ROOM;
  writeHead(derived, payloadAt - 1, { plainPrefix: "PUB ", headerPrefix: "HPUB ", subject, reply, sizes });
  if (HEAD_ROOM + size + 2 <= CHUNK_SIZE && source.body === null) {
    writeText(payloadAt, intro);
    copy(payloadAt + intro.length, source.at + source.payloadFrom + skip, source.size - skip + 2);
  } else {
    derived.body = largeBody(source, intro, skip);
    derived.length = derived.payloadFrom;
  }
  return derived;
}

/** All headers with one more at their end. The sender cannot have one of that name, in whatever case. */
function headersWith(source: Message, { name, value }: { name: string; value: string }): string {
  const lines = source.headerLength === 0 ? [VERSION_LINE] : headerLines(source);
  const kept = lines.filter((line) => !line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return `${kept.join("")}${name}: ${value}\r\n\r\n`;
}

function headerLines({ body, at, payloadFrom, headerLength }: Message): string[] {
  const block =
    body === null
      ? readText(at + payloadFrom, headerLength)
      : Buffer.from(body.subarray(0, headerLength)).toString("latin1");
  return block.split(/(?<=\r\n)/).filter((line) => line !== "\r\n");
}

function largeBody(source: Message, intro: string, skip: number): Uint8Array {
  const from = source.at + source.payloadFrom;
  const payload = source.body ?? slice(from, source.size + 2);
  const body = new Uint8Array(intro.length + payload.length - skip);
  for (let i = 0; i < intro.length; i++) body[i] = intro.charCodeAt(i);
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
}

/** A message that the server itself has made. */
export function withNewMessage(
  { subject, reply, headers, payload }: NewMessage,
  use: (message: Message) => boolean,
): boolean {
  const chunk = takeChunk();
  if (chunk === 0) return false;
  try {
    const message = new Message();
    const payloadAt = chunk + HEAD_ROOM;
    if (subject.length + reply.length + 64 > HEAD_ROOM) return false;
    const size = headers.length + payload.length;
    const sizes = headers === "" ? [`${size}`] : [`${headers.length}`, `${size}`];
    writeHead(message, payloadAt - 1, { plainPrefix: "PUB ", headerPrefix: "HPUB ", subject, reply, sizes });
    const withEnd = Buffer.concat([Buffer.from(headers, "latin1"), payload, CRLF]);
    if (HEAD_ROOM + withEnd.length <= CHUNK_SIZE) bytes.set(withEnd, payloadAt);
    else {
      message.body = withEnd;
      message.length = message.payloadFrom;
    }
    return use(message);
  } finally {
    releaseChunk(chunk);
  }
}
