/**
 * Client bytes to operations. Messages in their usual spelling are read straight from the slab; a head that equals the
 * one before is not read again. Everything else goes the unhurried way of the scanner; a PUB or HPUB in an unusual spelling
 * (lower case, tabs, no CR) is rewritten in place to the usual one, which is never more than one byte longer, so that
 * there is one kind of message from here on.
 *
 * The parser keeps nothing between calls: what it did not consume is handed to it again with more behind it. The memo of
 * the previous head lives within one call, during which the bytes before the current position stay as they were.
 */
import { CARRY_MAX } from "../slab/layout.ts";
import { bytes, words } from "../slab/memory.ts";
import {
  badArguments,
  maxControlLineExceeded,
  maxPayloadViolation,
  peerSentError,
  unknownOperation,
  type PeerError,
} from "./errors.ts";
import { parseJson } from "../base/json.ts";
import { INCOMPLETE, READ, readHead, writeHead } from "./head.ts";
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
  skipBlanks,
  splitArguments,
} from "./scanner.ts";

/** What a client's operations mean. Each returns false when the connection has ended. Subjects are byte strings. */
export interface ClientOperations {
  /** Nothing more may be read for now: the answer to a CONNECT takes its time, or messages were much work. */
  readonly isWaiting: boolean;
  /** Whether an operation that begins with this byte may come now: before CONNECT, where it is required, only that one. */
  mayBegin(first: number): boolean;
  /** A message, valid until the call returns. False: nothing more may be read, for now (`isWaiting`) or at all. */
  onPublish(message: Message): boolean;
  /** A message with the very head of the one before: same subject, reply, and sizes. */
  onPublishAgain(message: Message): boolean;
  /** A message whose payload is larger than may be, as far as its headers have come. Absent: nobody is told. */
  onTooLarge?(message: Message): void;
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

/** What a line may hold that does not count: blanks in front of its arguments, anything behind PING. It has to be kept, too. */
const PADDING_MAX = CARRY_MAX;
/** Returned for the position when the connection has ended. */
const ENDED = -1;

export interface ClientParserLimits {
  maxPayloadBytes: number;
  maxControlLineBytes: number;
}

export class ClientParser {
  /** Bytes that the incomplete frame at the returned position takes in all; 0 when its head is not complete. */
  needed = 0;
  /** Bytes of that frame's head. */
  neededHead = 0;
  readonly message = new Message();
  /** May be replaced between two calls of `parse`. */
  operations: ClientOperations;
  /** Others hold once the account of the client is known. */
  limits: ClientParserLimits;

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
    if (operations.isWaiting) return at;
    while (at < end) {
      const first = words.getInt32(at, true);
      if (first !== PUB && (first !== HPUB || bytes[at + 4] !== BLANK)) {
        memoAt = -1;
        const next = this.readLine(at, end);
        if (next === at || next < 0 || operations.isWaiting) return next;
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
        if (!operations.onPublishAgain(message)) return this.stopBehind(at);
        at += message.length;
        continue;
      }
      memoAt = at;
      const status = readHead(message, at, end, first === PUB ? 4 : 5, first !== PUB);
      if (status === READ && this.isComplete(at, end)) {
        if (!operations.onPublish(message)) return this.stopBehind(at);
        at += message.length;
        continue;
      }
      memoAt = -1;
      const next = status === READ ? this.stopAt(at, end) : this.readUnusual(at, end, status);
      if (next === at || next < 0 || operations.isWaiting) return next;
      at = next;
    }
    return at;
  }

  /** The message at `at` was the last, for now or at all. */
  private stopBehind(at: number): number {
    return this.operations.isWaiting ? at + this.message.length : ENDED;
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
    return goesOn || this.operations.isWaiting;
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
      if (message.headerLength > 0) this.tellTooLarge(end);
      return this.end(maxPayloadViolation, `${message.size} vs ${limits.maxPayloadBytes}`);
    }
    if (at + message.length <= end) {
      if (words.getInt16(at + message.length - 2, true) !== 0x0a0d) {
        return this.end(unknownOperation, "payload without CRLF behind it");
      }
      // It was rewritten, or its line is a little over what the quick check allows.
      return this.operations.onPublish(message) ? at + message.length : this.stopBehind(at);
    }
    this.needed = message.length;
    this.neededHead = message.payloadFrom;
    return at;
  }

  private tellTooLarge(end: number): void {
    const { message, operations } = this;
    message.headerLength = Math.min(message.headerLength, end - message.at - message.payloadFrom);
    if (message.headerLength > 0) operations.onTooLarge?.(message);
  }

  /** A PUB or HPUB that is incomplete or in an unusual spelling. */
  private readUnusual(at: number, end: number, status: number): number {
    return status === INCOMPLETE ? this.waitForLine(at, end) : this.readLine(at, end);
  }

  private waitForLine(at: number, end: number): number {
    const length = argumentsEnd(at, end) - skipBlanks(skipWord(at));
    if (length <= this.limits.maxControlLineBytes) return at;
    return this.end(maxControlLineExceeded, `${length} bytes`);
  }

  /** The unhurried way. Returns `at` when the line is not complete. */
  private readLine(at: number, end: number): number {
    const found = recognise<Operation>(OPERATIONS, at, end);
    if (found === "partial") return at;
    if (found === "unknown") return this.end(unknownOperation, snippet(at, end));
    const from = skipBlanks(at + found.codes.length);
    const lineFeed = findLineFeed(from, end);
    const { maxControlLineBytes } = this.limits;
    const length = found.after === "ignored" ? 0 : argumentsEnd(from, lineFeed) - from;
    if (length > maxControlLineBytes || lineFeed - at > maxControlLineBytes + PADDING_MAX) {
      return this.end(maxControlLineExceeded, `${lineFeed - at} bytes`);
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

  /** Returns what is wrong with the arguments, or null. */
  private rewriteHead(kind: "PUB" | "HPUB", args: readonly string[], lineFeed: number): string | null {
    const sizes = kind === "PUB" ? 1 : 2;
    if (args.length !== sizes + 1 && args.length !== sizes + 2) return "Parse Error";
    return writeHead(this.message, lineFeed, {
      plainPrefix: "PUB ",
      headerPrefix: "HPUB ",
      subject: args[0]!,
      reply: args.length === sizes + 2 ? args[1]! : "",
      sizes: args.slice(-sizes),
    });
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
  return typeof parseJson(line) === "object";
}

/** Where the arguments that begin at `from` end: before the carriage return, if there is one. */
function argumentsEnd(from: number, lineFeed: number): number {
  return lineFeed > from && bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
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
