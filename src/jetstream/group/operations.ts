/**
 * The operations in the logs of groups, as nats-server 2.15 writes them: one byte says which, its data follows. Numbers are little
 * endian; texts are byte strings. A decoder takes what another server sent: undefined says that the bytes are no such operation.
 */
import { assert } from "../../base/assert.ts";
import { unpackWholeBlock } from "../../compress/whole.ts";

export const OperationCode = {
  ASSIGN_STREAM: 0,
  ASSIGN_CONSUMER: 1,
  REMOVE_STREAM: 2,
  REMOVE_CONSUMER: 3,
  STREAM_MESSAGE: 4,
  PURGE_STREAM: 5,
  DELETE_MESSAGE: 6,
  UPDATE_DELIVERED: 7,
  UPDATE_ACKS: 8,
  /** JSON, packed as a stream of S2. */
  ASSIGN_PACKED_CONSUMER: 9,
  UPDATE_SKIP: 10,
  UPDATE_STREAM: 11,
  /** Where a client waits for messages, so that another leader can tell it that it waits in vain. */
  ADD_PENDING_REQUEST: 12,
  REMOVE_PENDING_REQUEST: 13,
  /** A message, packed as a block of S2. */
  PACKED_STREAM_MESSAGE: 14,
  DELETE_RANGE: 15,
  /** A message of an atomic batch, and the last one of it. */
  BATCH_MESSAGE: 16,
  BATCH_COMMIT: 17,
  RESET_SEQUENCE: 18,
} as const;

/** A message of a stream. */
export interface MessageOperation {
  /** The sequence that it follows on. */
  readonly after: number;
  readonly timeNs: bigint;
  readonly subject: string;
  /** Where it is confirmed; "": nowhere. */
  readonly reply: string;
  readonly headerLength: number;
  /** Headers and payload. */
  readonly body: Uint8Array;
  /** It was taken from another stream. */
  readonly isFed?: boolean;
  /** No consumer wanted it when the leader took it: it has a sequence, and is not kept. */
  readonly isUnwanted?: boolean;
}

/** nats-server's flag for a message of another stream. */
const FED = 1;
/** A flag that nats-server does not have: there each copy decides by itself what is not kept. */
const UNWANTED = 2;
/** Sequences are written as two words of 32 bits: a BigInt would be an object. */
const WORD = 2 ** 32;
/** Code, sequence, time, three lengths of 2 bytes, one of 4. */
const MESSAGE_REST = 1 + 8 + 8 + 3 * 2 + 4;
const SHORT_MAX = 0xffff;
/** The longest payload, and all that may stand around it. */
const UNPACKED_MAX = 64 * 1024 * 1024 + 4 * SHORT_MAX;

export function encodeMessage(message: MessageOperation): Uint8Array {
  const { after, timeNs, subject, reply, headerLength, body, isFed = false, isUnwanted = false } = message;
  const flags = (isFed ? FED : 0) | (isUnwanted ? UNWANTED : 0);
  assert(subject.length <= SHORT_MAX && reply.length <= SHORT_MAX, "subjects fit into their fields");
  assert(headerLength <= SHORT_MAX, "headers fit into their field");
  const flagBytes = flags === 0 ? 0 : 1;
  // memory of its own for each would cost more than all else that is done for a small message
  const bytes = Buffer.allocUnsafe(MESSAGE_REST + subject.length + reply.length + body.length + flagBytes);
  bytes[0] = OperationCode.STREAM_MESSAGE;
  bytes.writeUInt32LE(after % WORD, 1);
  bytes.writeUInt32LE(Math.floor(after / WORD), 5);
  bytes.writeBigInt64LE(timeNs, 9);
  let at = writeShort(bytes, 17, subject);
  at = writeShort(bytes, at, reply);
  bytes.writeUInt16LE(headerLength, at);
  at += 2;
  if (headerLength > 0) bytes.set(body.subarray(0, headerLength), at);
  at += headerLength;
  bytes.writeUInt32LE(body.length - headerLength, at);
  bytes.set(headerLength > 0 ? body.subarray(headerLength) : body, at + 4);
  if (flags !== 0) bytes[bytes.length - 1] = flags;
  return bytes;
}

/** Headers and payload of a message that was encoded: where it lies there in one piece, no copy is made. */
export function bodyIn(
  encoded: Uint8Array,
  { body, headerLength, isFed = false, isUnwanted = false }: MessageOperation,
): Uint8Array {
  if (headerLength > 0) return new Uint8Array(body);
  const end = encoded.length - (isFed || isUnwanted ? 1 : 0);
  return encoded.subarray(end - body.length, end);
}

/** Its body may lie in the given bytes, which may not change meanwhile. nats-server packs messages of some length. */
export function decodeMessage(data: Uint8Array): MessageOperation | undefined {
  const layout = messageLayout(data);
  if (layout === undefined || layout.length < MESSAGE_REST - 1) return undefined;
  const bytes = Buffer.from(layout.buffer, layout.byteOffset, layout.length);
  const after = bytes.readUInt32LE(0) + bytes.readUInt32LE(4) * WORD;
  const subjectEnd = shortEnd(bytes, 16);
  const replyEnd = shortEnd(bytes, subjectEnd);
  const headersEnd = shortEnd(bytes, replyEnd);
  if (headersEnd + 4 > bytes.length || !Number.isSafeInteger(after)) return undefined;
  const from = headersEnd + 4;
  const end = from + bytes.readUInt32LE(headersEnd);
  if (end > bytes.length) return undefined;
  const headerLength = headersEnd - replyEnd - 2;
  const message = {
    after,
    timeNs: bytes.readBigInt64LE(8),
    subject: bytes.toString("latin1", 18, subjectEnd),
    reply: bytes.toString("latin1", subjectEnd + 2, replyEnd),
    headerLength,
    body: headerLength === 0 ? layout.subarray(from, end) : joined(layout, headersEnd, headerLength, end),
  };
  if (end === layout.length) return message;
  const flags = Number(readVarints(layout, 1, end)[0] ?? 0n);
  return {
    ...message,
    ...((flags & FED) === FED ? { isFed: true } : {}),
    ...((flags & UNWANTED) === UNWANTED ? { isUnwanted: true } : {}),
  };
}

/** Headers and payload lie apart, with a length between them. */
function joined(layout: Uint8Array, headersEnd: number, headerLength: number, end: number): Uint8Array {
  const from = headersEnd + 4;
  const body = new Uint8Array(headerLength + end - from);
  body.set(layout.subarray(headersEnd - headerLength, headersEnd));
  body.set(layout.subarray(from, end), headerLength);
  return body;
}

/** The sequence is taken, and no message has it. */
export function isSkip({ subject, timeNs, body }: MessageOperation): boolean {
  return subject === "" && timeNs === 0n && body.length === 0;
}

/** undefined: it is no message. */
function messageLayout(data: Uint8Array): Uint8Array | undefined {
  if (data[0] === OperationCode.STREAM_MESSAGE) return data.subarray(1);
  if (data[0] !== OperationCode.PACKED_STREAM_MESSAGE) return undefined;
  return unpackWholeBlock(data.subarray(1), UNPACKED_MAX);
}

/** A message of a batch, of which all are stored or none. */
export interface BatchedOperation {
  readonly id: string;
  /** In the batch, from 1. */
  readonly position: number;
  readonly isLast: boolean;
  readonly message: MessageOperation;
}

export function encodeBatched({ id, position, isLast, message }: BatchedOperation): Uint8Array {
  assert(id.length <= SHORT_MAX, "the id of a batch fits into its field");
  const head = Buffer.alloc(3 + id.length);
  head[0] = isLast ? OperationCode.BATCH_COMMIT : OperationCode.BATCH_MESSAGE;
  writeShort(head, 1, id);
  const number: number[] = [];
  pushVarint(number, BigInt(position));
  return Buffer.concat([head, Uint8Array.from(number), encodeMessage(message)]);
}

export function decodeBatched(data: Uint8Array): BatchedOperation | undefined {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  const isLast = bytes[0] === OperationCode.BATCH_COMMIT;
  if (!isLast && bytes[0] !== OperationCode.BATCH_MESSAGE) return undefined;
  const id = readShort(bytes, 1);
  if (id === undefined) return undefined;
  const [position] = readVarints(bytes, 1, id.end);
  let at = id.end;
  while (at < bytes.length && bytes[at]! >= 128) at++;
  const message = decodeMessage(bytes.subarray(at + 1));
  if (position === undefined || message === undefined) return undefined;
  return { id: bytes.toString("latin1", id.from, id.end), position: Number(position), isLast, message };
}

/** The sequence that a message in the log gets; 0: it is no message. */
export function sequenceIn(data: Uint8Array): number {
  const message = decodeMessage(data) ?? decodeBatched(data)?.message;
  return message === undefined ? 0 : message.after + 1;
}

function writeShort(bytes: Buffer, at: number, text: string): number {
  bytes.writeUInt16LE(text.length, at);
  bytes.write(text, at + 2, "latin1");
  return at + 2 + text.length;
}

/** Where a text ends that begins with its length at `at`; Infinity: behind the end of the bytes. */
function shortEnd(bytes: Buffer, at: number): number {
  if (at + 2 > bytes.length) return Infinity;
  const end = at + 2 + bytes.readUInt16LE(at);
  return end > bytes.length ? Infinity : end;
}

function readShort(bytes: Buffer, at: number): { from: number; end: number } | undefined {
  if (at + 2 > bytes.length) return undefined;
  const end = at + 2 + bytes.readUInt16LE(at);
  return end > bytes.length ? undefined : { from: at + 2, end };
}

/** JSON behind a code. Texts of it are byte strings. */
export function encodeJson(code: number, value: unknown): Uint8Array {
  return Buffer.concat([Buffer.from([code]), Buffer.from(`${JSON.stringify(value)}\n`, "latin1")]);
}

const NO_ERASE = "no_erase";

/** The removal of a message of a stream. */
export function encodeDelete(stream: string, seq: number, how: "erase" | "forget"): Uint8Array {
  const noErase = how === "forget" ? { [NO_ERASE]: true } : {};
  return encodeJson(OperationCode.DELETE_MESSAGE, { stream, seq, ...noErase });
}

/** The removal of all messages from a sequence on that have expired; nats-server knows `num` not, and removes one. */
export function encodeExpired(stream: string, seq: number, num: number): Uint8Array {
  const count = num === 1 ? {} : { num };
  return encodeJson(OperationCode.DELETE_MESSAGE, { stream, seq, [NO_ERASE]: true, ...count });
}

export interface DeleteOperation {
  readonly sequence: number;
  /** Sequences from there on. */
  readonly count: number;
  readonly how: "erase" | "forget";
}

export function decodeDelete(data: Uint8Array): DeleteOperation | undefined {
  const json = decodeJson(data);
  const sequence = json?.["seq"];
  const count = json?.["num"] ?? 1;
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(count)) return undefined;
  const how = json?.[NO_ERASE] === true ? "forget" : "erase";
  return { sequence: sequence as number, count: count as number, how };
}

/** undefined: it is no JSON object. */
export function decodeJson(data: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data.subarray(1)).toString("latin1"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Messages that match the filter, up to the last that there were, and below a sequence or but the last few. */
export interface PurgeOperation {
  readonly filter: string | null;
  /** 0: none. */
  readonly below: number;
  readonly keep: number;
  /** The last message when it was asked for. */
  readonly last: number;
}

export function encodePurge(stream: string, { filter, below, keep, last }: PurgeOperation): Uint8Array {
  const request = {
    ...(filter === null ? {} : { filter }),
    ...(below === 0 ? {} : { seq: below }),
    ...(keep === 0 ? {} : { keep }),
  };
  return encodeJson(OperationCode.PURGE_STREAM, { stream, [LAST_SEQUENCE]: last, request });
}

export function decodePurge(data: Uint8Array): PurgeOperation | undefined {
  const json = decodeJson(data);
  const request = json?.["request"] as Record<string, unknown> | undefined;
  const last = json?.[LAST_SEQUENCE];
  if (request === undefined || typeof last !== "number") return undefined;
  const { filter = null, seq = 0, keep = 0 } = request as { filter?: string; seq?: number; keep?: number };
  return { filter, below: seq === 0 && keep === 0 ? last + 1 : seq, keep, last };
}

const LAST_SEQUENCE = "last_seq";

/** A delivery of a consumer: consumer sequence, stream sequence, how often, when (nanoseconds). */
export function encodeDelivered(consumer: number, stream: number, count: number, timeMs: number): Uint8Array {
  const out: number[] = [OperationCode.UPDATE_DELIVERED];
  for (const value of [consumer, stream, count]) pushVarint(out, BigInt(value));
  const timeNs = BigInt(Math.floor(timeMs * 1000)) * 1000n;
  pushVarint(out, timeNs << 1n);
  return Uint8Array.from(out);
}

export interface DeliveredOperation {
  readonly consumer: number;
  readonly stream: number;
  readonly count: number;
  readonly timeMs: number;
}

export function decodeDelivered(data: Uint8Array): DeliveredOperation | undefined {
  const [consumer, stream, count, zigzag] = readVarints(data, 4);
  if (consumer === undefined || stream === undefined || count === undefined || zigzag === undefined)
    return undefined;
  return {
    consumer: Number(consumer),
    stream: Number(stream),
    count: Number(count),
    timeMs: Number(zigzag >> 1n) / 1e6,
  };
}

/** Stands for the consumer sequence of a message that was given up: it needs no acknowledgement, and stays in the stream. */
export const GIVEN_UP_MARK = Number.MAX_SAFE_INTEGER;

export function encodeAcked(consumer: number, stream: number): Uint8Array {
  const out: number[] = [OperationCode.UPDATE_ACKS];
  for (const value of [consumer, stream]) pushVarint(out, BigInt(value));
  return Uint8Array.from(out);
}

export function decodeAcked(
  data: Uint8Array,
): { readonly consumer: number; readonly stream: number } | undefined {
  const [consumer, stream] = readVarints(data, 2);
  if (consumer === undefined || stream === undefined) return undefined;
  return { consumer: Number(consumer), stream: Number(stream) };
}

/** `next`: the sequence that is delivered next. */
export function encodeSkip(next: number): Uint8Array {
  const bytes = Buffer.alloc(9);
  bytes[0] = OperationCode.UPDATE_SKIP;
  bytes.writeBigUInt64LE(BigInt(next), 1);
  return bytes;
}

export function decodeSkip(data: Uint8Array): number | undefined {
  if (data.length !== 9) return undefined;
  return Number(Buffer.from(data).readBigUInt64LE(1));
}

/** Where a consumer begins again. nats-server writes behind it where that is confirmed. */
export function encodeReset(sequence: number): Uint8Array {
  const bytes = Buffer.alloc(9);
  bytes[0] = OperationCode.RESET_SEQUENCE;
  bytes.writeBigUInt64LE(BigInt(sequence), 1);
  return bytes;
}

/** undefined: it is another operation, or damaged. */
export function decodeReset(data: Uint8Array): number | undefined {
  if (data[0] !== OperationCode.RESET_SEQUENCE || data.length < 9) return undefined;
  return Number(Buffer.from(data.buffer, data.byteOffset, data.length).readBigUInt64LE(1));
}

export function pushVarint(to: number[], value: bigint): void {
  let rest = value;
  for (; rest >= 128n; rest >>= 7n) to.push(Number(rest & 127n) | 128);
  to.push(Number(rest));
}

/** As many as are asked for, or fewer, where the bytes end. `from`: where they begin. */
export function readVarints(data: Uint8Array, most: number, from = 1): bigint[] {
  const found: bigint[] = [];
  let at = from;
  while (found.length < most && at < data.length) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[at++];
      if (byte === undefined || shift > 63n) return found;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    found.push(value);
  }
  return found;
}
