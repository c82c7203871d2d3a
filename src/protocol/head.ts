/**
 * The head of a message: what stands before its payload. Clients and servers spell it alike from the subject on:
 *
 *     subject [reply ]size\r\n                 without headers
 *     subject [reply ]headerLength size\r\n    with headers
 *
 * `readHead` reads the usual spelling straight from the slab. `writeHead` is for every other spelling: it puts the usual one in its
 * place, so that there is one kind of message from here on.
 */
import { assertOwn } from "../base/assert.ts";
import { AREA } from "../slab/layout.ts";
import { endHash, firstBytes, hashBytes, HASH_SEED, mixHash } from "../slab/hash.ts";
import { bytes, words, writeText } from "../slab/memory.ts";
import type { Message } from "./message.ts";
import { CR, LF, parseSize } from "./scanner.ts";

export const READ = 1;
export const INCOMPLETE = 0;
/** Not in its usual spelling, or not a head at all. */
const UNUSUAL = -1;

const BLANK = 0x20;
const DIGITS_MAX = 9;

/**
 * Reads the head that begins at `at` and whose subject begins at `at + subjectFrom`. A line feed stands at `end`. `sizes`: how many the
 * line ends with; two where there are headers.
 */
export function readHead(
  message: Message,
  at: number,
  end: number,
  subjectFrom: number,
  sizes: 1 | 2,
): number {
  let p = at + subjectFrom;
  let hash = HASH_SEED;
  // Four bytes at a time, up to the first that is a blank or below. Bytes above 0x7f are none.
  let word = words.getInt32(p, true);
  let stops = (word - 0x21212121) & ~word & 0x80808080;
  while (stops === 0) {
    hash = mixHash(hash, word);
    p += 4;
    word = words.getInt32(p, true);
    stops = (word - 0x21212121) & ~word & 0x80808080;
  }
  const rest = (31 - Math.clz32(stops & -stops)) >> 3;
  p += rest;
  if (bytes[p] !== BLANK || p === at + subjectFrom) return p >= end ? INCOMPLETE : UNUSUAL;
  message.at = at;
  message.subjectFrom = subjectFrom;
  message.subjectLength = p - at - subjectFrom;
  message.subjectHash = endHash(mixHash(hash, firstBytes(word, rest)));
  const tail = ++p;
  message.tailFrom = tail - at;
  message.sizesFrom = message.tailFrom;
  message.replyLength = 0;
  message.headerLength = 0;
  if (sizes === 2) return readReplyAndSizes(message, tail, end);
  // Digits up to the end of the token: a size, or a reply subject that happens to begin with them.
  let size = 0;
  let code = bytes[p]!;
  while (code >= 0x30 && code <= 0x39) {
    size = size * 10 + code - 0x30;
    code = bytes[++p]!;
  }
  if (code !== CR) return readReplyAndSize(message, p, end);
  // As in `endHead`, without a call: most heads end here.
  if (bytes[p + 1] !== LF || p + 1 >= end || p === tail || p - tail > DIGITS_MAX) return unfinished(p, end);
  message.size = size;
  message.payloadFrom = p + 2 - at;
  message.length = message.payloadFrom + size + 2;
  return READ;
}

/** `subject reply size`: `p` lies within the reply. */
function readReplyAndSize(message: Message, p: number, end: number): number {
  const blank = endOfToken(p);
  if (bytes[blank] !== BLANK || blank === message.at + message.tailFrom)
    return blank >= end ? INCOMPLETE : UNUSUAL;
  message.replyFrom = message.tailFrom;
  message.replyLength = blank - message.at - message.replyFrom;
  const from = blank + 1;
  message.sizesFrom = from - message.at;
  let i = from;
  let size = 0;
  let code = bytes[i]!;
  while (code >= 0x30 && code <= 0x39) {
    size = size * 10 + code - 0x30;
    code = bytes[++i]!;
  }
  return endHead(message, i, end, size, i - from);
}

/** `subject [reply] headerLength size`: `from` is where the second argument begins. A reply of digits alone is left to the slow path. */
function readReplyAndSizes(message: Message, from: number, end: number): number {
  let p = from;
  let code = bytes[p]!;
  if (code < 0x30 || code > 0x39) {
    p = endOfToken(p);
    if (bytes[p] !== BLANK || p === from) return p >= end ? INCOMPLETE : UNUSUAL;
    message.replyFrom = from - message.at;
    message.replyLength = p - from;
    code = bytes[++p]!;
    message.sizesFrom = p - message.at;
  }
  const lengthFrom = p;
  let headerLength = 0;
  while (code >= 0x30 && code <= 0x39) {
    headerLength = headerLength * 10 + code - 0x30;
    code = bytes[++p]!;
  }
  // A header of no bytes is no header: the other spelling has to be written.
  if (code !== BLANK || headerLength === 0 || p - lengthFrom > DIGITS_MAX)
    return p >= end ? INCOMPLETE : UNUSUAL;
  const sizeFrom = ++p;
  let size = 0;
  code = bytes[p]!;
  while (code >= 0x30 && code <= 0x39) {
    size = size * 10 + code - 0x30;
    code = bytes[++p]!;
  }
  message.headerLength = headerLength;
  if (code === CR && headerLength > size) return UNUSUAL;
  return endHead(message, p, end, size, p - sizeFrom);
}

/** The first byte from `p` on that is a blank or below. */
function endOfToken(p: number): number {
  let i = p;
  let word = words.getInt32(i, true);
  let stops = (word - 0x21212121) & ~word & 0x80808080;
  while (stops === 0) {
    i += 4;
    word = words.getInt32(i, true);
    stops = (word - 0x21212121) & ~word & 0x80808080;
  }
  return i + ((31 - Math.clz32(stops & -stops)) >> 3);
}

function endHead(message: Message, p: number, end: number, size: number, digits: number): number {
  if (bytes[p] !== CR || bytes[p + 1] !== LF || p + 1 >= end || digits === 0 || digits > DIGITS_MAX)
    return unfinished(p, end);
  message.size = size;
  message.payloadFrom = p + 2 - message.at;
  message.length = message.payloadFrom + size + 2;
  return READ;
}

/** The error for a head that does not end at `p`, although it should. */
function unfinished(p: number, end: number): number {
  return p >= end || (bytes[p] === CR && p + 1 >= end) ? INCOMPLETE : UNUSUAL;
}

export interface HeadParts {
  /** What stands before the subject, with a blank behind each word. Has an H in front where there are headers. */
  readonly plainPrefix: string;
  readonly headerPrefix: string;
  readonly subject: string;
  /** "": none. */
  readonly reply: string;
  /** One size, or two where there are headers, as the sender wrote them. */
  readonly sizes: readonly string[];
}

/**
 * Writes the usual head so that it ends at `lineFeed`, where the payload begins, and reads it into the message. It is never more
 * than one byte longer than any other spelling. Returns what is wrong with the parts, or null.
 */
export function writeHead(message: Message, lineFeed: number, parts: HeadParts): string | null {
  const { subject, reply, sizes } = parts;
  const size = parseSize(sizes.at(-1) ?? "");
  const headerLength = sizes.length > 1 ? parseSize(sizes[0]!) : 0;
  if (size < 0) return "Bad or Missing Size";
  if (headerLength < 0 || headerLength > size) return "Bad or Missing Header Size";
  const prefix = headerLength === 0 ? parts.plainPrefix : parts.headerPrefix;
  const shownSizes = headerLength === 0 ? sizes.at(-1)! : sizes.join(" ");
  const shownReply = reply === "" ? "" : `${reply} `;
  const head = `${prefix}${subject} ${shownReply}${shownSizes}\r\n`;
  const at = lineFeed + 1 - head.length;
  assertOwn(at >= AREA.headroom.at, "a head that is written again fits in front of its payload");
  writeText(at, head);
  message.at = at;
  message.subjectFrom = prefix.length;
  message.subjectLength = subject.length;
  message.subjectHash = hashBytes(at + prefix.length, subject.length);
  message.tailFrom = message.replyFrom = prefix.length + subject.length + 1;
  message.replyLength = reply.length;
  message.sizesFrom = message.tailFrom + shownReply.length;
  message.headerLength = headerLength;
  message.size = size;
  message.payloadFrom = head.length;
  message.length = head.length + size + 2;
  return null;
}
