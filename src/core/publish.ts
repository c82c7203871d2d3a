/**
 * Messages that the server itself makes, and those it makes of others. They are put together in the staging area of the slab, one on
 * top of the other, since what crosses into another account is made while the message before is under way. Nothing is allocated for
 * one: the `Message` objects are kept, one for each level.
 *
 *     HMSG shown HMSG subject [reply ][headerLength ]size\r\nheaders payload\r\n
 *     ^ only where the message is shown under another subject than it is matched on
 *
 * Bounds: DEPTH_MAX levels, the size of the staging area, and PAYLOAD_MAX bytes of payload; a larger payload has memory of its own.
 * A message for which there is no room reaches nobody.
 */
import { assert } from "../base/assert.ts";
import { Message } from "../protocol/message.ts";
import { hashBytes } from "../slab/hash.ts";
import { LINE_MAX } from "../slab/layout.ts";
import { bytes, digitsOf, writeBytes, writeNumber, writeText } from "../slab/memory.ts";
import { releaseStage, takeStage } from "../slab/staging.ts";

const DEPTH_MAX = 256;
/** Bytes of headers and payload. */
const PAYLOAD_MAX = 48 * 1024;
/** What a head has beside its subjects: the operation, two sizes, blanks, the line end. */
const HEAD_REST = 64;
const CR = 0x0d;
const LF = 0x0a;
const BLANK = 0x20;
const VERB = "HMSG ";

/** A message whose payload is a number with a text before and behind it, without headers. */
export interface NumberedMessage {
  readonly subject: string;
  /** Byte strings. */
  readonly before: string;
  readonly number: number;
  readonly after: string;
}

/** As `withStaged`. No text is made of the number. */
export function withNumbered(made: NumberedMessage, use: (message: Message) => boolean): boolean {
  const { subject, before, number, after } = made;
  const message = stageHead({ subject, reply: "" }, 0, before.length + digitsOf(number) + after.length);
  if (message === null) return false;
  assert(hasStagedPayload(message), "what stands around a number is short");
  try {
    const at = writeText(writeNumber(writeText(message.at + message.payloadFrom, before), number), after);
    bytes[at] = CR;
    bytes[at + 1] = LF;
    return use(message);
  } finally {
    unstage(message);
  }
}

/** A reply subject that writes itself into the slab. */
interface WrittenReply {
  readonly length: number;
  /** Returns the offset behind it. */
  write(at: number): number;
}

export interface ServerMessage {
  readonly subject: string;
  /** "": none. */
  readonly reply: string | WrittenReply;
  /** From NATS/1.0 to the empty line, as a byte string; "": none. */
  readonly headers: string;
  /** Bytes, or a byte string. */
  readonly payload: Uint8Array | string;
  /** The subject that receivers are shown; absent: the one that the message is matched on. */
  readonly shownSubject?: string | undefined;
}

/** Calls `use` with the message, which is valid until that returns. False when there is no room for it. */
export function withStaged(made: ServerMessage, use: (message: Message) => boolean): boolean {
  const { headers, payload, shownSubject } = made;
  const message = stageHead(made, headers.length, headers.length + payload.length, shownSubject);
  if (message === null) return false;
  try {
    writePayload(message, headers, payload);
    return use(message);
  } finally {
    unstage(message);
  }
}

interface Subjects {
  readonly subject: string;
  readonly reply: string | WrittenReply;
}

/** One for each level, made when it is first needed. */
class Levels {
  depth = 0;
  private readonly messages: Message[] = [];

  /** The message of the next level, as new. */
  next(): Message {
    const message = (this.messages[this.depth] ??= new Message());
    this.depth++;
    message.origin = message.trace = message.via = message.body = message.copied = null;
    message.replyLength = message.shownLength = 0;
    message.leafCluster = "";
    return message;
  }
}

const levels = new Levels();

/**
 * A message with its head, and room for a payload of `size` bytes behind it if that is not too long: else the caller gives it a `body`.
 * It is valid until `unstage`, which is called in the reverse order. null: there is no room for it.
 */
export function stageHead(
  { subject, reply }: Subjects,
  headerLength: number,
  size: number,
  shownSubject?: string,
): Message | null {
  const shown = shownSubject === undefined || shownSubject === subject ? "" : shownSubject;
  if (subject.length > LINE_MAX || reply.length > LINE_MAX || shown.length > LINE_MAX) return null;
  if (levels.depth >= DEPTH_MAX) return null;
  const headMax = shown.length + subject.length + reply.length + 2 * HEAD_REST;
  const start = takeStage(headMax + (size <= PAYLOAD_MAX ? size + 2 : 0));
  if (start === 0) return null;
  const message = levels.next();
  message.stagedAt = start;
  let at = start;
  if (shown !== "") {
    message.shownAt = at;
    message.shownLength = shown.length;
    at = writeText(writeText(at, VERB), shown);
    bytes[at++] = BLANK;
  }
  message.at = at;
  message.headerLength = headerLength;
  message.size = size;
  writeHead(message, subject, reply);
  assert(message.at + message.payloadFrom <= start + headMax, "a staged head fits into its room");
  return message;
}

/** Whether there is room for the payload behind the head. */
export function hasStagedPayload(message: Message): boolean {
  return message.size <= PAYLOAD_MAX;
}

export function unstage(message: Message): void {
  levels.depth--;
  releaseStage(message.stagedAt);
  message.body = message.copied = null;
}

/** From `at` on; the sizes are known. */
function writeHead(message: Message, subject: string, reply: string | WrittenReply): void {
  const { at, headerLength, size } = message;
  const subjectAt = writeText(at, VERB);
  message.subjectFrom = VERB.length;
  message.subjectLength = subject.length;
  let end = writeText(subjectAt, subject);
  bytes[end++] = BLANK;
  message.tailFrom = message.replyFrom = end - at;
  if (reply !== "") {
    const from = end;
    end = typeof reply === "string" ? writeText(end, reply) : reply.write(end);
    message.replyLength = end - from;
    bytes[end++] = BLANK;
  }
  message.sizesFrom = end - at;
  if (headerLength > 0) {
    end = writeNumber(end, headerLength);
    bytes[end++] = BLANK;
  }
  end = writeNumber(end, size);
  bytes[end++] = CR;
  bytes[end++] = LF;
  message.payloadFrom = end - at;
  message.length = message.payloadFrom + size + 2;
  message.subjectHash = hashBytes(subjectAt, subject.length);
}

function writePayload(message: Message, headers: string, payload: Uint8Array | string): void {
  if (hasStagedPayload(message)) {
    const from = writeText(message.at + message.payloadFrom, headers);
    const at = typeof payload === "string" ? writeText(from, payload) : writeBytes(from, payload);
    bytes[at] = CR;
    bytes[at + 1] = LF;
    return;
  }
  const body = Buffer.allocUnsafeSlow(message.size + 2);
  body.write(headers, "latin1");
  if (typeof payload === "string") body.write(payload, headers.length, "latin1");
  else body.set(payload, headers.length);
  body.write("\r\n", message.size, "latin1");
  giveBody(message, body);
}

/** Headers and payload with the closing CRLF, in memory of their own that no longer changes. */
export function giveBody(message: Message, body: Uint8Array): void {
  message.body = body;
  message.length = message.payloadFrom;
}
