/**
 * Records: how messages, and what becomes of them, are written to a log. All numbers are little-endian.
 *
 *      0  u32  checksum (CRC-32) over everything behind it
 *      4  u16  magic
 *      6  u8   kind
 *      7  u8   flags: whether it belongs to a batch (batch-recovery.ts); the highest bit: 28 bytes at its end are kept for a seal (seal.ts)
 *      8  u32  length of the record
 *     12  u32  length of the headers
 *     16  u64  sequence
 *     24  i64  time, nanoseconds since the epoch
 *     32  u64  previous: see below
 *     40  u32  length of the subject
 *     44       subject, headers, payload, room for the seal
 *
 * The checksum covers lengths and sequence, too. A reader checks the length against its bounds before it uses it.
 *
 *     MESSAGE  a message. previous: the sequence of the message before it in this log; sequences between never had one.
 *     ERASED   a message that was overwritten, with the length, sequence and previous that it had.
 *     HOLE     messages that were removed when their block was rewritten: sequence of the last of them, previous of the first.
 *     REMOVED  the message of this sequence is gone. previous: the sequence of the last message then.
 *     REMOVED_RUN  the same of all messages up to this sequence, from the one that its time names.
 *     SETTLED  all of the batch that ends with this sequence was on the disk before this was written. previous: as REMOVED.
 *     FOOTER   an index of the block that it ends (footer.ts). sequence: the last of the block. previous: the last message that is known of.
 *     FIRST    all messages below this sequence are gone. previous: the last sequence. time: the sequence of the last message.
 *
 * A reader that meets a previous (of FIRST: a time) beyond what it has seen knows which messages are missing.
 */
import { assert } from "../base/assert.ts";
import { checksum, checksumByWords, getU32, getWhole, putText, putU32, putWhole } from "./bytes.ts";

export const RECORD_HEAD = 44;
/** Longest record: a payload of 64 MiB with its subject and headers. */
const RECORD_MAX = 80 * 1024 * 1024;
const MAGIC = 0x6853;
/** What a seal takes at the end of a record; in memory it is zero. */
export const SEAL_BYTES = 28;
const HAS_SEAL = 0x80;

export const MESSAGE = 1;
export const REMOVED = 2;
export const FIRST = 3;
export const ERASED = 4;
export const HOLE = 5;
export const SETTLED = 6;
export const FOOTER = 7;
export const REMOVED_RUN = 8;

/** Where the parts of one record lie in memory; reused. */
export class RecordView {
  memory: Buffer = Buffer.alloc(0);
  /** All of `memory`, by words. */
  words = new DataView(this.memory.buffer, this.memory.byteOffset, this.memory.byteLength);
  /** Offset in `memory`. */
  at = 0;
  kind = 0;
  flags = 0;
  length = 0;
  headerLength = 0;
  sequence = 0;
  /** Nanoseconds since the epoch, in two words. */
  timeLow = 0;
  timeHigh = 0;
  previous = 0;
  subjectLength = 0;
  /** Bytes at its end that are kept for a seal. */
  sealBytes = 0;

  get timeNs(): bigint {
    return BigInt.asIntN(64, (BigInt(this.timeHigh) << 32n) | BigInt(this.timeLow));
  }

  get subject(): string {
    const from = this.at + RECORD_HEAD;
    return this.memory.toString("latin1", from, from + this.subjectLength);
  }

  /** A byte string; "": none. */
  get headers(): string {
    if (this.headerLength === 0) return "";
    const from = this.at + RECORD_HEAD + this.subjectLength;
    return this.memory.toString("latin1", from, from + this.headerLength);
  }

  /** Offset of the subject in `memory`, behind which headers and payload lie. */
  get subjectAt(): number {
    return this.at + RECORD_HEAD;
  }

  /** Of headers and payload. */
  get bodyLength(): number {
    return this.length - RECORD_HEAD - this.subjectLength - this.sealBytes;
  }

  get payloadLength(): number {
    return this.bodyLength - this.headerLength;
  }

  /** As it lies in memory. */
  get payload(): Buffer {
    const end = this.at + this.length - this.sealBytes;
    return this.memory.subarray(end - this.payloadLength, end);
  }

  /** Headers and payload, as they lie in memory. */
  get body(): Buffer {
    const from = this.at + RECORD_HEAD + this.subjectLength;
    return this.memory.subarray(from, from + this.bodyLength);
  }
}

export interface RecordFields {
  readonly kind: number;
  /** Absent: none. */
  readonly flags?: number;
  readonly sequence: number;
  readonly timeNs: bigint;
  readonly previous: number;
  /** A byte string. */
  readonly subject: string;
  readonly headerLength: number;
  /** Headers and payload. */
  readonly body: Uint8Array;
}

/** Where a message goes in a log. */
export interface RecordPlace {
  sequence: number;
  previous: number;
  /** 0, or SEAL_BYTES. */
  readonly sealBytes: number;
}

/** A message whose headers and payload lie somewhere in memory. */
export interface PlacedMessage {
  /** Absent: a message. */
  kind?: number;
  /** A byte string. */
  subject: string;
  memory: Uint8Array;
  /** All of `memory`, by words. */
  words: DataView;
  /** Headers and payload. */
  bodyAt: number;
  bodyLength: number;
  headerLength: number;
  /** Nanoseconds since the epoch, in two words. */
  timeLow: number;
  timeHigh: number;
}

/** Of no bytes, to be set for one after the other. */
export function emptyMessage(): PlacedMessage {
  const memory = new Uint8Array(0);
  const words = new DataView(memory.buffer);
  return {
    kind: MESSAGE,
    subject: "",
    memory,
    words,
    bodyAt: 0,
    bodyLength: 0,
    headerLength: 0,
    timeLow: 0,
    timeHigh: 0,
  };
}

/** `sealBytes`: 0, or SEAL_BYTES. */
export function recordLength(subjectLength: number, bodyLength: number, sealBytes: number): number {
  return RECORD_HEAD + subjectLength + bodyLength + sealBytes;
}

/** Writes the record at `at`, where there is room for it, and returns the offset behind it. */
export function writeRecord(memory: Buffer, at: number, fields: RecordFields, sealBytes: number): number {
  const { kind, sequence, timeNs, previous, subject, headerLength, body } = fields;
  const length = recordLength(subject.length, body.length, sealBytes);
  assert(length <= RECORD_MAX, "a record is no longer than the bound that readers check");
  assert(Number.isSafeInteger(sequence) && sequence >= 0, "a sequence is a whole number");
  assert(subject.length <= 0xffff, "the length of a subject fits into its field");
  const flags = (fields.flags ?? 0) | (sealBytes === 0 ? 0 : HAS_SEAL);
  putU32(memory, at + 4, MAGIC | (kind << 16) | (flags << 24));
  putU32(memory, at + 8, length);
  putU32(memory, at + 12, headerLength);
  putWhole(memory, at + 16, sequence);
  memory.writeBigInt64LE(timeNs, at + 24);
  putWhole(memory, at + 32, previous);
  putU32(memory, at + 40, subject.length);
  putText(memory, at + RECORD_HEAD, subject);
  memory.set(body, at + RECORD_HEAD + subject.length);
  if (sealBytes > 0) memory.fill(0, at + length - sealBytes, at + length);
  putU32(memory, at, checksum(memory, at + 4, at + length));
  return at + length;
}

/** Up to this length, a loop over words beats the view that `set` needs. */
const WORDS_MAX = 512;

/** The same for a message in memory. `words`: all of `memory`. */
export function writeMessage(
  memory: Buffer,
  words: DataView,
  at: number,
  message: PlacedMessage,
  { sequence, previous, sealBytes }: RecordPlace,
): number {
  const { subject, bodyAt, bodyLength, kind = MESSAGE } = message;
  const length = recordLength(subject.length, bodyLength, sealBytes);
  assert(length <= RECORD_MAX, "a record is no longer than the bound that readers check");
  assert(Number.isSafeInteger(sequence) && sequence >= 0, "a sequence is a whole number");
  assert(subject.length <= 0xffff, "the length of a subject fits into its field");
  words.setInt32(at + 4, MAGIC | (kind << 16) | (sealBytes === 0 ? 0 : HAS_SEAL << 24), true);
  words.setInt32(at + 8, length, true);
  words.setInt32(at + 12, message.headerLength, true);
  putWhole(memory, at + 16, sequence);
  words.setInt32(at + 24, message.timeLow | 0, true);
  words.setInt32(at + 28, message.timeHigh | 0, true);
  putWhole(memory, at + 32, previous);
  words.setInt32(at + 40, subject.length, true);
  putText(memory, at + RECORD_HEAD, subject);
  const to = at + RECORD_HEAD + subject.length;
  if (bodyLength > WORDS_MAX) memory.set(message.memory.subarray(bodyAt, bodyAt + bodyLength), to);
  else {
    const whole = bodyLength - (bodyLength & 7);
    for (let i = 0; i < whole; i += 8)
      words.setBigUint64(to + i, message.words.getBigUint64(bodyAt + i, true), true);
    for (let i = whole; i < bodyLength; i++) memory[to + i] = message.memory[bodyAt + i]!;
  }
  if (sealBytes > 0) memory.fill(0, at + length - sealBytes, at + length);
  words.setInt32(at, checksumByWords(memory, words, at + 4, at + length) | 0, true);
  return at + length;
}

/** Reads the record at `at`. False: what lies there, up to `end`, is no whole and sound record. */
export function readRecord(view: RecordView, memory: Buffer, at: number, end: number): boolean {
  if (at + RECORD_HEAD > end) return false;
  if (view.memory !== memory) {
    view.memory = memory;
    view.words = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }
  const { words } = view;
  if ((words.getInt32(at + 4, true) & 0xffff) !== MAGIC) return false;
  const length = words.getUint32(at + 8, true);
  if (length < RECORD_HEAD || length > RECORD_MAX || at + length > end) return false;
  if (words.getUint32(at, true) !== checksumByWords(memory, words, at + 4, at + length)) return false;
  const subjectLength = words.getUint32(at + 40, true);
  const headerLength = words.getUint32(at + 12, true);
  const flags = memory[at + 7]!;
  const sealBytes = flags >= HAS_SEAL ? SEAL_BYTES : 0;
  if (RECORD_HEAD + subjectLength + headerLength + sealBytes > length) return false;
  view.at = at;
  view.kind = memory[at + 6]!;
  view.flags = flags & ~HAS_SEAL;
  view.sealBytes = sealBytes;
  view.length = length;
  view.headerLength = headerLength;
  view.sequence = getWhole(memory, at + 16);
  view.timeLow = words.getUint32(at + 24, true);
  view.timeHigh = words.getUint32(at + 28, true);
  view.previous = getWhole(memory, at + 32);
  view.subjectLength = subjectLength;
  return Number.isSafeInteger(view.sequence) && Number.isSafeInteger(view.previous);
}

/** The length that a record says of itself at the beginning of `memory`, of which the checksum is not known yet; 0: there is none. */
export function claimedLength(memory: Buffer, end: number): number {
  if (end < RECORD_HEAD || (getU32(memory, 4) & 0xffff) !== MAGIC) return 0;
  const length = getU32(memory, 8);
  return length <= RECORD_MAX ? length : 0;
}

/** Time of the record that lies at `at`, unchecked. */
export function timeIn(memory: Buffer, at: number): bigint {
  return memory.readBigInt64LE(at + 24);
}

/** The checksum of the record that lies at `at` is made to fit what it has now. */
export function sumAgain(memory: Buffer, at: number, length: number): void {
  putU32(memory, at, checksum(memory, at + 4, at + length));
}

/** What lies at `at` is no record from here on. */
export function spoil(memory: Buffer, at: number): void {
  memory.fill(0, at, at + 8);
}

/** A copy of a sound record that belongs to no batch any more. */
export function withoutFlags(record: Buffer): Buffer {
  const copy = Buffer.from(record);
  copy[7]! &= HAS_SEAL;
  putU32(copy, 0, checksum(copy, 4, copy.length));
  return copy;
}

/** The offset of the first sound record from `from` on, or `end`. */
export function findRecord(view: RecordView, memory: Buffer, from: number, end: number): number {
  for (let at = from; at + RECORD_HEAD <= end; at++) {
    if (memory[at + 4] === (MAGIC & 0xff) && readRecord(view, memory, at, end)) return at;
  }
  return end;
}

/** Whether what lies at `at` says of itself that it is a message that ends at `end`. Its checksum is wrong. */
export function looksLikeMessage(view: RecordView, memory: Buffer, at: number, end: number): boolean {
  if (at + RECORD_HEAD > end || (getU32(memory, at + 4) & 0xffff) !== MAGIC || memory[at + 6] !== MESSAGE)
    return false;
  view.sequence = getWhole(memory, at + 16);
  return at + getU32(memory, at + 8) === end;
}

/** Whether what lies at `at` says of itself that it is a footer that reaches `end` at least: a torn one, where it is none. */
export function looksLikeFooter(memory: Buffer, at: number, end: number): boolean {
  if (at + RECORD_HEAD > end || (getU32(memory, at + 4) & 0xffff) !== MAGIC || memory[at + 6] !== FOOTER)
    return false;
  return at + getU32(memory, at + 8) >= end && getWhole(memory, at + 24) === at; // its time says where it lies
}
