/**
 * Client bytes to operations. Messages in their usual spelling are read straight from the slab; a head that equals the
 * one before is not read again. Everything else goes the unhurried way of the scanner; a PUB or HPUB in an unusual spelling
 * (lower case, tabs, no CR) is rewritten in place to the usual one, which is never more than one byte longer, so that
 * there is one kind of message from here on.
 *
 * The parser keeps nothing between calls: what it did not consume is handed to it again with more behind it. The memo of
 * the previous head lives within one call, during which the bytes before the current position stay as they were.
 */
import { endHash, firstBytes, hashBytes, HASH_SEED, mixHash } from "../base/hash.ts";
import { bytes, words, writeText } from "../base/slab.ts";
import {
  badArguments,
  maxControlLineExceeded,
  maxPayloadViolation,
  peerSentError,
  unknownOperation,
  type PeerError,
} from "./errors.ts";
import { Message } from "./message.ts";
import {
  argumentText,
  CR,
  findLineFeed,
  LF,
  operation,
  parseSize,
  recognise,
  sameHead,
  sizeAt,
  skipBlanks,
  splitArguments,
} from "./scanner.ts";

/** What a client's operations mean. Each returns false when the connection has ended. Subjects are byte strings. */
export interface ClientOperations {
  /** Whether an operation that begins with this byte may come now: before CONNECT, where it is required, only that one. */
  mayBegin(first: number): boolean;
  /** A message, valid until the call returns. */
  onPublish(message: Message): boolean;
  /** A message with the very head of the one before: same subject, reply, and sizes. */
  onPublishAgain(message: Message): boolean;
  /** The arguments as UTF-8 JSON in a byte string. */
  onConnect(json: string): boolean;
  onSubscribe(subject: string, queue: string | null, sid: string): boolean;
  /** max 0: at once. */
  onUnsubscribe(sid: string, max: number): boolean;
  onPing(): boolean;
  onPong(): boolean;
  /** `detail` says what was wrong for the log; it never holds payload. */
  onPeerError(error: PeerError, detail: string): boolean;
}

const PUB = word("PUB ");
const HPUB = word("HPUB");
const BLANK = 0x20;

const OPERATIONS = [
  operation("PUB", "blank"),
  operation("HPUB", "blank"),
  operation("SUB", "blank"),
  operation("UNSUB", "blank"),
  operation("PING", "ignored"),
  operation("PONG", "ignored"),
  operation("CONNECT", "arguments"),
  operation("INFO", "arguments"),
  operation("+OK", "ignored"),
  operation("-ERR", "blank"),
] as const;
type Operation = (typeof OPERATIONS)[number]["kind"];

const READ = 1;
const INCOMPLETE = 0;
const UNUSUAL = -1;
/** Returned for the position when the connection has ended. */
export const ENDED = -1;

export interface ClientParserLimits {
  maxPayloadBytes: number;
  maxControlLineBytes: number;
}

export class ClientParser {
  /** Bytes that the incomplete frame at the returned position takes in all; 0 when its head is not complete. */
  needed = 0;
  /** Bytes of that frame's head. */
  neededHead = 0;
  private readonly message = new Message();
  private readonly operations: ClientOperations;
  private readonly limits: ClientParserLimits;

  constructor(operations: ClientOperations, limits: ClientParserLimits) {
    this.operations = operations;
    this.limits = limits;
  }

  /**
   * Reads operations in [at, end) of the slab and returns the position of the first byte that it did not consume, or ENDED.
   * Writes two bytes at `end`.
   */
  parse(at: number, end: number): number {
    const { message, operations } = this;
    bytes[end] = LF;
    this.needed = 0;
    let memoAt = -1;
    if (at < end && !operations.mayBegin(bytes[at]!)) return ENDED;
    while (at < end) {
      const first = words.getInt32(at, true);
      if (first !== PUB && (first !== HPUB || bytes[at + 4] !== BLANK)) {
        memoAt = -1;
        const next = this.readLine(at, end);
        if (next === at || next < 0) return next;
        at = next;
        continue;
      }
      if (
        memoAt >= 0 &&
        at + message.length <= end &&
        sameHead(memoAt, at, message.payloadFrom) &&
        words.getInt16(at + message.length - 2, true) === 0x0a0d
      ) {
        message.at = memoAt = at;
        if (!operations.onPublishAgain(message)) return ENDED;
        at += message.length;
        continue;
      }
      memoAt = at;
      const status = this.readHead(at, end, first === PUB ? 4 : 5);
      if (status === READ && this.isComplete(at, end)) {
        if (!operations.onPublish(message)) return ENDED;
        at += message.length;
        continue;
      }
      memoAt = -1;
      const next = status === READ ? this.stopAt(at, end) : this.readUnusual(at, end, status);
      if (next === at || next < 0) return next;
      at = next;
    }
    return at;
  }

  /**
   * Reads a message whose head, in its usual spelling, lies at [at, payload) of the slab, and whose payload with the closing
   * CRLF lies in `body`.
   */
  parseLarge(at: number, body: Uint8Array): boolean {
    const { message } = this;
    if (body[body.length - 2] !== CR || body[body.length - 1] !== LF) {
      return this.fail(unknownOperation, "payload without CRLF behind it");
    }
    const lineFeed = at + this.neededHead - 1;
    const kind = bytes[at] === 0x50 ? "PUB" : "HPUB";
    this.rewriteHead(kind, splitArguments(argumentText(at + kind.length, lineFeed)), lineFeed);
    message.body = body;
    message.length = message.payloadFrom;
    const goesOn = this.operations.onPublish(message);
    message.body = null;
    return goesOn;
  }

  /** Reads a head in its usual spelling into the message. */
  private readHead(at: number, end: number, subjectFrom: number): number {
    const { message } = this;
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
    // Digits up to the end of the token: a size, or a reply subject that happens to begin with them.
    let size = 0;
    let code = bytes[p]!;
    while (code >= 0x30 && code <= 0x39) {
      size = size * 10 + code - 0x30;
      code = bytes[++p]!;
    }
    message.replyLength = 0;
    message.headerLength = 0;
    message.sizesFrom = message.tailFrom;
    if (subjectFrom === 4) {
      if (code !== CR) return this.readReplyAndSize(p, end);
      return this.endHead(p, end, size, p - tail);
    }
    return this.readReplyAndSizes(tail, end);
  }

  /** `PUB subject reply size`: `p` lies within the reply. */
  private readReplyAndSize(p: number, end: number): number {
    const { message } = this;
    let code = bytes[p]!;
    while (code > BLANK) code = bytes[++p]!;
    if (code !== BLANK) return p >= end ? INCOMPLETE : UNUSUAL;
    message.replyFrom = message.tailFrom;
    message.replyLength = p - message.at - message.replyFrom;
    const from = ++p;
    message.sizesFrom = from - message.at;
    let size = 0;
    code = bytes[p]!;
    while (code >= 0x30 && code <= 0x39) {
      size = size * 10 + code - 0x30;
      code = bytes[++p]!;
    }
    return this.endHead(p, end, size, p - from);
  }

  /** `HPUB subject [reply] headerLength size`: `from` is where the second argument begins. */
  private readReplyAndSizes(from: number, end: number): number {
    const { message } = this;
    let p = from;
    let previous = from;
    let last = from;
    let tokens = 1;
    for (let code = bytes[p]!; code !== CR; code = bytes[++p]!) {
      if (code < BLANK) return p >= end ? INCOMPLETE : UNUSUAL;
      if (code !== BLANK) continue;
      if (p === last || ++tokens > 3) return UNUSUAL;
      previous = last;
      last = p + 1;
    }
    if (tokens < 2 || previous === last) return UNUSUAL;
    const headerLength = sizeAt(previous, last - 1);
    const size = sizeAt(last, p);
    if (headerLength < 0 || size < 0 || headerLength > size) return UNUSUAL;
    if (tokens === 3) {
      message.replyFrom = from - message.at;
      message.replyLength = previous - 1 - from;
      message.sizesFrom = previous - message.at;
    }
    message.headerLength = headerLength;
    // No header at all, as a plain message: the unhurried way rewrites it.
    return headerLength === 0 ? UNUSUAL : this.endHead(p, end, size, p - last);
  }

  private endHead(p: number, end: number, size: number, digits: number): number {
    const { message } = this;
    if (bytes[p] !== CR || bytes[p + 1] !== LF || digits === 0 || digits > 9) {
      return p >= end || (bytes[p] === CR && p + 1 >= end) ? INCOMPLETE : UNUSUAL;
    }
    if (p + 1 >= end) return INCOMPLETE;
    message.size = size;
    message.payloadFrom = p + 2 - message.at;
    message.length = message.payloadFrom + size + 2;
    return READ;
  }

  /** Whether the whole message is here and may be handed on; else `stopAt` says what to do. */
  private isComplete(at: number, end: number): boolean {
    const { message, limits } = this;
    return (
      at + message.length <= end &&
      message.size <= limits.maxPayloadBytes &&
      message.payloadFrom <= limits.maxControlLineBytes &&
      words.getInt16(at + message.length - 2, true) === 0x0a0d
    );
  }

  /** A head in its usual spelling that was not handed on: wait for the payload, or say what is wrong. */
  private stopAt(at: number, end: number): number {
    const { message, limits } = this;
    const argumentsLength = message.payloadFrom - 2 - message.subjectFrom;
    if (argumentsLength > limits.maxControlLineBytes) {
      return this.end(maxControlLineExceeded, `${argumentsLength} bytes`);
    }
    if (message.size > limits.maxPayloadBytes) {
      return this.end(maxPayloadViolation, `${message.size} vs ${limits.maxPayloadBytes}`);
    }
    if (at + message.length <= end) {
      if (words.getInt16(at + message.length - 2, true) !== 0x0a0d) {
        return this.end(unknownOperation, "payload without CRLF behind it");
      }
      // It was rewritten, or its line is a little over what the quick check allows.
      return this.operations.onPublish(message) ? at + message.length : ENDED;
    }
    this.needed = message.length;
    this.neededHead = message.payloadFrom;
    return at;
  }

  /** A PUB or HPUB that is incomplete or in an unusual spelling. */
  private readUnusual(at: number, end: number, status: number): number {
    return status === INCOMPLETE ? this.waitForLine(at, end) : this.readLine(at, end);
  }

  private waitForLine(at: number, end: number): number {
    const from = skipBlanks(skipWord(at));
    if (end - from <= this.limits.maxControlLineBytes) return at;
    return this.end(maxControlLineExceeded, `${end - from} bytes`);
  }

  /** The unhurried way. Returns `at` when the line is not complete. */
  private readLine(at: number, end: number): number {
    const found = recognise<Operation>(OPERATIONS, at, end);
    if (found === "partial") return at;
    if (found === "unknown") return this.end(unknownOperation, snippet(at, end));
    const from = skipBlanks(at + found.codes.length);
    const lineFeed = findLineFeed(from, end);
    if (found.after !== "ignored" && lineFeed - from > this.limits.maxControlLineBytes + 1) {
      return this.end(maxControlLineExceeded, `${lineFeed - from} bytes`);
    }
    if (lineFeed === end) return at;
    if (found.kind === "PUB" || found.kind === "HPUB")
      return this.readPublish(found.kind, from, lineFeed, end);
    return this.act(found.kind, argumentText(from, lineFeed)) ? lineFeed + 1 : ENDED;
  }

  private act(kind: Exclude<Operation, "PUB" | "HPUB">, line: string): boolean {
    switch (kind) {
      case "PING":
        return this.operations.onPing();
      case "PONG":
        return this.operations.onPong();
      case "CONNECT":
        return this.operations.onConnect(line);
      case "SUB":
        return this.subscribe(splitArguments(line.replaceAll("\r", " ")));
      case "UNSUB":
        return this.unsubscribe(splitArguments(line.replaceAll("\r", " ")));
      case "INFO":
        return isJsonObject(line) || this.fail(badArguments, "INFO is not JSON");
      case "-ERR":
        return this.fail(peerSentError, line);
      case "+OK":
        return true;
    }
  }

  private subscribe(args: string[]): boolean {
    const [subject, second, third] = args;
    if (args.length === 2) return this.operations.onSubscribe(subject!, null, second!);
    if (args.length === 3) return this.operations.onSubscribe(subject!, second!, third!);
    return this.fail(badArguments, `processSub Parse Error: ${JSON.stringify(args.join(" "))}`);
  }

  private unsubscribe(args: string[]): boolean {
    if (args.length === 1) return this.operations.onUnsubscribe(args[0]!, 0);
    if (args.length === 2) return this.operations.onUnsubscribe(args[0]!, Math.max(0, parseSize(args[1]!)));
    return this.fail(badArguments, `processUnsub Parse Error: ${JSON.stringify(args.join(" "))}`);
  }

  /** Rewrites an unusual head so that it ends where the payload begins. */
  private readPublish(kind: "PUB" | "HPUB", from: number, lineFeed: number, end: number): number {
    const line = argumentText(from, lineFeed);
    const problem = this.rewriteHead(kind, splitArguments(line), lineFeed);
    if (problem !== null) return this.end(badArguments, `${problem}: ${JSON.stringify(line)}`);
    return this.stopAt(this.message.at, end);
  }

  /** Writes the usual head and reads it into the message. Returns what is wrong, or null. */
  private rewriteHead(kind: "PUB" | "HPUB", args: readonly string[], lineFeed: number): string | null {
    const sizes = kind === "PUB" ? 1 : 2;
    if (args.length !== sizes + 1 && args.length !== sizes + 2) return "Parse Error";
    const size = parseSize(args.at(-1)!);
    const headerLength = kind === "PUB" ? 0 : parseSize(args.at(-2)!);
    if (size < 0) return "Bad or Missing Size";
    if (headerLength < 0 || headerLength > size) return "Bad or Missing Header Size";
    // A header of no bytes is no header.
    const name = headerLength === 0 ? "PUB" : "HPUB";
    const kept = headerLength === 0 ? [...args.slice(0, -sizes), args.at(-1)!] : args;
    const head = `${name} ${kept.join(" ")}\r\n`;
    const { message } = this;
    message.at = lineFeed + 1 - head.length;
    writeText(message.at, head);
    message.subjectFrom = name.length + 1;
    message.subjectLength = args[0]!.length;
    message.subjectHash = hashBytes(message.at + message.subjectFrom, message.subjectLength);
    message.tailFrom = message.subjectFrom + message.subjectLength + 1;
    message.replyFrom = message.tailFrom;
    message.replyLength = args.length === sizes + 2 ? args[1]!.length : 0;
    message.sizesFrom = message.tailFrom + (message.replyLength > 0 ? message.replyLength + 1 : 0);
    message.headerLength = headerLength;
    message.size = size;
    message.payloadFrom = head.length;
    message.length = head.length + size + 2;
    return null;
  }

  private fail(error: PeerError, detail: string): boolean {
    return this.operations.onPeerError(error, detail);
  }

  private end(error: PeerError, detail: string): number {
    this.fail(error, detail);
    return ENDED;
  }
}

function isJsonObject(line: string): boolean {
  try {
    return typeof JSON.parse(line) === "object";
  } catch {
    return false;
  }
}

function skipWord(at: number): number {
  let i = at;
  while (bytes[i]! > BLANK) i++;
  return i;
}

const SNIPPET_MAX = 32;

function snippet(at: number, end: number): string {
  return JSON.stringify(argumentText(at, Math.min(end, at + SNIPPET_MAX)));
}

function word(letters: string): number {
  return Buffer.from(letters, "latin1").readInt32LE(0);
}
