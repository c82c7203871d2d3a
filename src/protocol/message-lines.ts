/**
 * Reads what peers send, in all dialects of the protocol: messages, and lines of control between them. A dialect is
 * a table (`dialect`) and a class that knows its heads; this file knows neither subjects nor sizes.
 *
 *     name arguments\r\n                      a line
 *     name arguments size\r\npayload\r\n      a message
 *
 * A message in its usual spelling goes straight to the class; one whose head equals that of the message before is not read again. All
 * else takes the slow path of the scanner.
 *
 * `LineReader` has lines and everything rare; `MessageLines` adds the loop that servers share. Clients have a loop of their own
 * (client-parser.ts): the engine compiles a place for the classes that it has seen there, and a server that has routes as well took up to
 * 10 ns longer for each client's message in one loop for all.
 *
 * Invariants: nothing is kept between two calls of `parse`, which gets again what it did not consume, with more behind it. The memo of
 * the previous head lives within one call, during which the bytes before the current position stay as they are.
 */
import { assert } from "../base/assert.ts";
import type { Live } from "../base/live.ts";
import { bytes, words } from "../slab/memory.ts";
import { badArguments, maxControlLineExceeded, unknownOperation, type PeerError } from "./errors.ts";
import { READ, readHead } from "./head.ts";
import { Message } from "./message.ts";
import {
  argumentText,
  CR,
  findLineFeed,
  LF,
  recognise,
  sameHead,
  skipBlanks,
  type After,
  type OperationName,
} from "./scanner.ts";

/** What the operations of every dialect have. */
export interface LineOperations {
  /** Nothing more may be read for now: the answer to a CONNECT takes its time, or messages were much work. */
  readonly isWaiting: boolean;
  /** `detail` describes the error for the log; it never holds payload. Returns whether the connection continues. */
  onPeerError(error: PeerError, detail: string): boolean;
}

/** Carries out a line with these arguments. Returns false when the connection has ended. */
type Act<O> = (operations: O, text: string) => boolean;

export interface DialectLine<O> extends OperationName {
  /** null: a message. */
  readonly act: Act<O> | null;
}

export function line<O>(name: string, after: After, act: Act<O>): DialectLine<O> {
  return { codes: codesOf(name), after, act };
}

/** A message in a third spelling, which is always read by `readOddMessage`. */
export function message<O>(name: string): DialectLine<O> {
  return { codes: codesOf(name), after: "blank", act: null };
}

export interface Dialect<O> {
  readonly lines: readonly DialectLine<O>[];
  /** The first four bytes of a message without headers and of one with them, and where the blank behind its name stands. */
  readonly plainWord: number;
  readonly plainEnd: number;
  readonly headedWord: number;
  readonly headedEnd: number;
}

/** `plain` and `headed` are the names of messages without headers and with them; `lines` are all else that may come. */
export function dialect<O>(plain: string, headed: string, lines: readonly DialectLine<O>[]): Dialect<O> {
  for (const { length } of [plain, headed])
    assert(length === 3 || length === 4, "names of messages fill a word");
  const messages = [plain, headed].map((name) => ({
    codes: codesOf(name),
    after: "blank" as const,
    act: null,
  }));
  return {
    lines: [...messages, ...lines],
    plainWord: wordOf(plain),
    plainEnd: plain.length,
    headedWord: wordOf(headed),
    headedEnd: headed.length,
  };
}

function codesOf(name: string): readonly number[] {
  return Array.from(name, (letter) => letter.charCodeAt(0));
}

function wordOf(name: string): number {
  return Buffer.from(`${name} `, "latin1").readInt32LE(0);
}

const BLANK = 0x20;
/** In place of what `readHead` says of a head. */
const NOT_READ = -1;
const SNIPPET_MAX = 32;
/** Returned for the position when the connection has ended. */
export const ENDED = -1;

export interface LineLimits {
  readonly maxControlLineBytes: number;
}

export abstract class LineReader<O extends LineOperations> {
  /** Bytes that the incomplete frame at the returned position takes in all; 0 when its head is not complete. */
  needed = 0;
  /** Bytes of that frame's head. */
  neededHead = 0;
  readonly message = new Message();
  /** May be replaced between two calls of `parse`. */
  operations: O;
  limits: Live<LineLimits>;
  /** Larger payloads are left to `readUnusual`. */
  protected payloadMax = 0x3fffffff;
  protected readonly dialect: Dialect<O>;

  constructor(operations: O, limits: Live<LineLimits>, spoken: Dialect<O>) {
    this.operations = operations;
    this.limits = limits;
    this.dialect = spoken;
  }

  /**
   * Reads operations in [at, end) of the slab and returns the position of the first byte that it did not consume, or ENDED.
   * Writes two bytes at `end`.
   */
  abstract parse(at: number, end: number): number;
  /** Hands on the message whose head has been read. */
  protected abstract hand(operations: O, message: Message): boolean;
  /**
   * A message that is incomplete, wrong, or in an odd spelling, by what `readHead` says of it. Returns the position behind it, `at` where it
   * is incomplete, or ENDED.
   */
  protected abstract readUnusual(at: number, end: number, status: number): number;
  /** The same for a message whose line is complete. May return another position, from where to read it. */
  protected abstract readOddMessage(at: number, lineFeed: number, end: number): number;
  /** Writes the head at `at` in its usual spelling, so that it ends at `lineFeed`. Returns what is wrong with it, or null. */
  protected abstract rewriteHead(at: number, lineFeed: number): string | null;
  /** Whether a line that reaches up to `lineFeed`, with its arguments from `from` on, is longer than may be. */
  protected abstract isTooLong(after: After, at: number, from: number, lineFeed: number): boolean;

  /**
   * Reads a message whose head lies at [at, payload) of the slab, and whose payload with the closing CRLF lies in `body`. Returns false
   * when the connection has ended.
   */
  parseLarge(at: number, body: Uint8Array): boolean {
    const { message } = this;
    if (body[body.length - 2] !== CR || body[body.length - 1] !== LF) {
      return this.operations.onPeerError(unknownOperation, "payload without CRLF behind it");
    }
    const problem = this.rewriteHead(at, at + this.neededHead - 1);
    if (problem !== null) return this.operations.onPeerError(badArguments, problem);
    message.body = body;
    message.length = message.payloadFrom;
    const goesOn = this.hand(this.operations, message);
    message.body = null;
    return goesOn || this.operations.isWaiting;
  }

  /** The slow path. Returns `at` when the line is not complete. */
  protected readLine(at: number, end: number): number {
    const found = recognise(this.dialect.lines, at, end);
    if (found === "partial") return at;
    if (found === "unknown") {
      return this.end(unknownOperation, JSON.stringify(argumentText(at, Math.min(end, at + SNIPPET_MAX))));
    }
    const from = skipBlanks(at + found.codes.length);
    const lineFeed = findLineFeed(from, end);
    if (this.isTooLong(found.after, at, from, lineFeed))
      return this.end(maxControlLineExceeded, `${lineFeed - at} bytes`);
    if (lineFeed === end) return at;
    if (found.act === null) return this.readOddMessage(at, lineFeed, end);
    return found.act(this.operations, argumentText(from, lineFeed)) ? lineFeed + 1 : ENDED;
  }

  /** The message was the last, for now or at all. */
  protected stopBehind(): number {
    const { message, operations } = this;
    return operations.isWaiting ? message.at + message.length : ENDED;
  }

  /** Whether the closing CRLF of the message stands where it should. */
  protected isClosed(): boolean {
    const { at, length } = this.message;
    return words.getInt16(at + length - 2, true) === 0x0a0d;
  }

  protected end(error: PeerError, detail: string): number {
    this.operations.onPeerError(error, detail);
    return ENDED;
  }

  protected endUnclosed(): number {
    return this.end(unknownOperation, "payload without CRLF behind it");
  }

  /** The head at `at` makes no sense. */
  protected endSenseless(problem: string, at: number, lineFeed: number): number {
    return this.end(badArguments, `${problem}: ${JSON.stringify(argumentText(at, lineFeed))}`);
  }
}

/** The loop of dialects that servers speak. */
export abstract class MessageLines<O extends LineOperations> extends LineReader<O> {
  /** Where the message lies whose head the next one may have, too; -1: nowhere. Of no use behind a call of `parse`. */
  private memoAt = -1;
  /** The longest head that is read here, looked up once for a call of `parse`, since it may be that of a reload. */
  private headMax = 0;

  /** Whether a read that begins with this byte may be taken. */
  protected abstract mayBegin(first: number): boolean;
  /** Hands on the message with the head of the one before. */
  protected abstract handAgain(operations: O, message: Message): boolean;
  /** Where the subject begins, counted from `at`, of a message whose name stands there in its usual spelling; 0: who knows. */
  protected abstract findSubject(at: number, end: number, isHeaded: boolean): number;

  override parse(at: number, end: number): number {
    const { message, operations } = this;
    bytes[end] = LF;
    this.needed = 0;
    if (at < end && !this.mayBegin(bytes[at]!)) return ENDED;
    if (operations.isWaiting) return at;
    this.headMax = this.limits.current.maxControlLineBytes;
    let memoAt = -1;
    while (at < end) {
      if (
        memoAt >= 0 &&
        at + message.length <= end &&
        sameHead(memoAt, at, message.payloadFrom) &&
        words.getInt16(at + message.length - 2, true) === 0x0a0d
      ) {
        message.at = memoAt = at;
        if (!this.handAgain(operations, message)) return this.stopBehind();
        at += message.length;
        continue;
      }
      const next = this.readNext(at, end);
      if (next === at || next < 0) return next;
      at = next;
      memoAt = this.memoAt;
      if (memoAt < 0 && operations.isWaiting) return at;
    }
    return at;
  }

  /** One message or line. Returns the position behind it, `at` where it is incomplete, or ENDED; sets `memoAt`. */
  private readNext(at: number, end: number): number {
    const { message, operations, dialect: spoken } = this;
    this.memoAt = -1;
    const first = words.getInt32(at, true);
    const isHeaded = first === spoken.headedWord;
    if (
      (first !== spoken.plainWord && !isHeaded) ||
      bytes[at + (isHeaded ? spoken.headedEnd : spoken.plainEnd)] !== BLANK
    ) {
      return this.readLine(at, end);
    }
    const subjectFrom = this.findSubject(at, end, isHeaded);
    const status = subjectFrom === 0 ? NOT_READ : readHead(message, at, end, subjectFrom, isHeaded ? 2 : 1);
    if (
      status !== READ ||
      at + message.length > end ||
      message.size > this.payloadMax ||
      message.payloadFrom > this.headMax ||
      words.getInt16(at + message.length - 2, true) !== 0x0a0d
    ) {
      return this.readUnusual(at, end, status);
    }
    if (!this.hand(operations, message)) return this.stopBehind();
    // A head that has lost the subject that it shows is not the one that the peer sent.
    if (message.shownLength === 0) this.memoAt = at;
    return at + message.length;
  }
}
