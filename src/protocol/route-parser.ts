/**
 * Route bytes to operations, as `client-parser.ts` does for clients and by the same plan. A routed message that names
 * queue groups is rewritten in place without them (which only makes it shorter), so that what follows the subject is what a
 * client receives.
 *
 *     RMSG account subject [reply ]size        HMSG account subject [reply ]headerLength size
 *     RMSG account subject + reply q1 q2 size  queue groups chosen for the receiver, with a reply
 *     RMSG account subject | q1 q2 size        the same without a reply
 *
 * On a route of one pinned account the account is left out.
 */
import { hashBytes } from "../base/hash.ts";
import { bytes, readText, words, writeText } from "../base/slab.ts";
import {
  badArguments,
  maxControlLineExceeded,
  maxPayloadViolation,
  unknownOperation,
  type PeerError,
} from "./errors.ts";
import { Message } from "./message.ts";
import {
  argumentText,
  CR,
  findLineFeed,
  isBlank,
  LF,
  operation,
  parseSize,
  recognise,
  sameHead,
  sizeAt,
  skipBlanks,
  splitArguments,
} from "./scanner.ts";

/** What another server's operations mean. Each returns false when the connection has ended. Texts are byte strings. */
export interface RouteOperations {
  /** `account` is null on the route of a pinned account. Valid until the call returns. */
  onRouted(account: string | null, message: Message, queues: readonly string[]): boolean;
  /** A message with the very head of the one before. */
  onRoutedAgain(message: Message): boolean;
  onConnect(json: string): boolean;
  onInfo(json: string): boolean;
  onPing(): boolean;
  onPong(): boolean;
  /** RS+ with its arguments. */
  onInterest(args: readonly string[]): boolean;
  /** RS- with its arguments. */
  onInterestEnded(args: readonly string[]): boolean;
  /** The peer's -ERR. */
  onPeerSaysError(text: string): boolean;
  onPeerError(error: PeerError, detail: string): boolean;
}

const OPERATIONS = [
  operation("RMSG", "blank"),
  operation("HMSG", "blank"),
  operation("RS+", "blank"),
  operation("RS-", "blank"),
  operation("PING", "ignored"),
  operation("PONG", "ignored"),
  operation("INFO", "arguments"),
  operation("CONNECT", "arguments"),
  operation("-ERR", "blank"),
  operation("+OK", "ignored"),
  // Known, and without meaning here: interest of leaf nodes, of gateways, and a client's words.
  operation("LS+", "ignored"),
  operation("LS-", "ignored"),
  operation("A+", "ignored"),
  operation("A-", "ignored"),
  operation("SUB", "ignored"),
  operation("UNSUB", "ignored"),
] as const;
type Operation = (typeof OPERATIONS)[number]["kind"];

const RMSG = 0x47534d52;
const HMSG = 0x47534d48;
const ENDED = -1;
/** nats-server lets a route's line be this many times as long as a client's. */
const LINE_FACTOR = 16;
/** The largest max_payload that any member may be configured for. */
const PAYLOAD_MAX = 64 * 1024 * 1024;
const NO_QUEUES: readonly string[] = [];

export interface RouteParserLimits {
  maxControlLineBytes: number;
}

export class RouteParser {
  /** Bytes that the incomplete frame at the returned position takes in all; 0 when its head is not complete. */
  needed = 0;
  /** Bytes of that frame's head. */
  neededHead = 0;
  /** The route of a pinned account: messages do not name it. */
  isPinned = false;
  private readonly message = new Message();
  private account: string | null = null;
  private accountLength = 0;
  private queues: readonly string[] = NO_QUEUES;
  private readonly operations: RouteOperations;
  private readonly limits: RouteParserLimits;

  constructor(operations: RouteOperations, limits: RouteParserLimits) {
    this.operations = operations;
    this.limits = limits;
  }

  /** Reads operations in [at, end) of the slab; see `ClientParser.parse`. */
  parse(at: number, end: number): number {
    const { message, operations } = this;
    bytes[end] = LF;
    this.needed = 0;
    let memoAt = -1;
    while (at < end) {
      const first = words.getInt32(at, true);
      if (first !== RMSG && first !== HMSG) {
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
        if (!operations.onRoutedAgain(message)) return ENDED;
        at += message.length;
        continue;
      }
      const next = this.readMessage(at, end);
      if (next === at || next < 0) return next;
      memoAt = this.queues === NO_QUEUES && message.at === at ? at : -1;
      at = next;
    }
    return at;
  }

  parseLarge(at: number, body: Uint8Array): boolean {
    const { message } = this;
    if (body[body.length - 2] !== CR || body[body.length - 1] !== LF) {
      return this.operations.onPeerError(unknownOperation, "payload without CRLF behind it");
    }
    const lineFeed = at + this.neededHead - 1;
    if (!this.readHead(at, lineFeed)) return this.operations.onPeerError(badArguments, "routed message");
    message.body = body;
    message.length = message.payloadFrom;
    const goesOn = this.operations.onRouted(this.account, message, this.queues);
    message.body = null;
    return goesOn;
  }

  /** Returns the position behind the message, `at` when it is not complete, or ENDED. */
  private readMessage(at: number, end: number): number {
    const { message, limits } = this;
    const lineFeed = findLineFeed(at, end);
    if (lineFeed - at > limits.maxControlLineBytes * LINE_FACTOR) {
      return this.end(maxControlLineExceeded, `${lineFeed - at} bytes`);
    }
    if (lineFeed === end) return at;
    const size = sizeBefore(lineFeed);
    if (size > PAYLOAD_MAX) return this.end(maxPayloadViolation, `${size} vs ${PAYLOAD_MAX}`);
    const total = lineFeed + 1 - at + size + 2;
    if (at + total > end) {
      this.needed = total;
      this.neededHead = lineFeed + 1 - at;
      return at;
    }
    if (!this.readHead(at, lineFeed))
      return this.end(badArguments, JSON.stringify(argumentText(at, lineFeed)));
    if (words.getInt16(message.at + message.length - 2, true) !== 0x0a0d) {
      return this.end(unknownOperation, "payload without CRLF behind it");
    }
    if (!this.operations.onRouted(this.account, message, this.queues)) return ENDED;
    return message.at + message.length;
  }

  /**
   * Reads the head that ends at `lineFeed` into the message: token by token, since most heads are in their usual spelling.
   * Returns false when it makes no sense.
   */
  private readHead(at: number, lineFeed: number): boolean {
    const { message } = this;
    const end = bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
    const accountAt = at + 5;
    const subjectAt = this.isPinned ? accountAt : endOfToken(accountAt, end) + 1;
    const subjectEnd = endOfToken(subjectAt, end);
    const tail = subjectEnd + 1;
    const isUsual = subjectEnd < end && subjectEnd > subjectAt && end < lineFeed && bytes[at + 4] === 0x20;
    if (!isUsual || isMark(tail)) return this.readUnusual(at, lineFeed, end);
    this.readAccount(accountAt, subjectAt - 1 - accountAt);
    this.queues = NO_QUEUES;
    message.at = at;
    message.subjectFrom = subjectAt - at;
    message.subjectLength = subjectEnd - subjectAt;
    message.subjectHash = hashBytes(subjectAt, message.subjectLength);
    message.tailFrom = tail - at;
    return this.readSizes(at, tail, end) || this.readUnusual(at, lineFeed, end);
  }

  /** `[reply ]size` or `[reply ]headerLength size` in [from, end). */
  private readSizes(at: number, from: number, end: number): boolean {
    const { message } = this;
    const hasHeaders = bytes[at] === 0x48;
    let sizesAt = from;
    const firstEnd = endOfToken(from, end);
    const secondEnd = firstEnd < end ? endOfToken(firstEnd + 1, end) : firstEnd;
    const hasReply = hasHeaders ? secondEnd < end : firstEnd < end;
    if (hasReply) sizesAt = firstEnd + 1;
    message.replyFrom = from - at;
    message.replyLength = hasReply ? firstEnd - from : 0;
    message.sizesFrom = sizesAt - at;
    let lastAt = sizesAt;
    message.headerLength = 0;
    if (hasHeaders) {
      const headerEnd = endOfToken(sizesAt, end);
      message.headerLength = sizeAt(sizesAt, headerEnd);
      lastAt = headerEnd + 1;
    }
    message.size = sizeAt(lastAt, end);
    if (message.size < 0 || message.headerLength < 0 || message.headerLength > message.size) return false;
    if (hasHeaders && message.headerLength === 0) return false;
    message.payloadFrom = end + 2 - at;
    message.length = message.payloadFrom + message.size + 2;
    return true;
  }

  private readAccount(at: number, length: number): void {
    if (this.isPinned) {
      this.account = null;
      return;
    }
    const { account } = this;
    if (account !== null && this.accountLength === length && isText(account, at)) return;
    this.account = readText(at, length);
    this.accountLength = length;
  }

  /** Queue groups, odd spacing, no carriage return: the head is written anew in its usual spelling. */
  private readUnusual(at: number, lineFeed: number, end: number): boolean {
    const args = splitArguments(readText(at + 5, end - at - 5));
    const parsed = parseRouted(args, bytes[at] === 0x48, this.isPinned);
    if (parsed === null) return false;
    const start = lineFeed + 1 - parsed.head.length;
    writeText(start, parsed.head);
    const accountLength = this.isPinned ? 0 : args[0]!.length;
    this.readAccount(start + 5, accountLength);
    const { message } = this;
    message.at = start;
    message.subjectFrom = this.isPinned ? 5 : 6 + accountLength;
    message.subjectLength = args[this.isPinned ? 0 : 1]!.length;
    message.subjectHash = hashBytes(start + message.subjectFrom, message.subjectLength);
    message.tailFrom = message.subjectFrom + message.subjectLength + 1;
    this.queues = parsed.queues;
    return this.readSizes(start, start + message.tailFrom, lineFeed - 1);
  }

  private readLine(at: number, end: number): number {
    const found = recognise<Operation>(OPERATIONS, at, end);
    if (found === "partial") return at;
    if (found === "unknown") {
      return this.end(unknownOperation, JSON.stringify(argumentText(at, Math.min(end, at + 32))));
    }
    const from = skipBlanks(at + found.codes.length);
    const lineFeed = findLineFeed(from, end);
    if (lineFeed - from > this.limits.maxControlLineBytes * LINE_FACTOR) {
      return this.end(maxControlLineExceeded, `${lineFeed - from} bytes`);
    }
    if (lineFeed === end) return at;
    // A message in lower case: the same as in upper case.
    if (found.kind === "RMSG" || found.kind === "HMSG") {
      writeText(at, found.kind);
      return this.readMessage(at, end);
    }
    return this.act(found.kind, argumentText(from, lineFeed)) ? lineFeed + 1 : ENDED;
  }

  private act(kind: Exclude<Operation, "RMSG" | "HMSG">, line: string): boolean {
    const { operations } = this;
    switch (kind) {
      case "RS+":
        return operations.onInterest(splitArguments(line));
      case "RS-":
        return operations.onInterestEnded(splitArguments(line));
      case "PING":
        return operations.onPing();
      case "PONG":
        return operations.onPong();
      case "INFO":
        return operations.onInfo(line);
      case "CONNECT":
        return operations.onConnect(line);
      case "-ERR":
        return operations.onPeerSaysError(line.replace(/^'|'$/g, ""));
      default:
        return true;
    }
  }

  private end(error: PeerError, detail: string): number {
    this.operations.onPeerError(error, detail);
    return ENDED;
  }
}

interface RoutedHead {
  /** In its usual spelling, without queue groups. */
  readonly head: string;
  readonly queues: readonly string[];
}

function parseRouted(args: readonly string[], hasHeaders: boolean, isPinned: boolean): RoutedHead | null {
  const prefix = args.slice(0, isPinned ? 1 : 2);
  const sizes = args.slice(hasHeaders ? -2 : -1);
  const rest = args.slice(prefix.length, args.length - sizes.length);
  if (args.length < prefix.length + sizes.length || sizes.some((size) => parseSize(size) < 0)) return null;
  const marked = rest.length > 1 && (rest[0] === "+" || rest[0] === "|");
  if (!marked && rest.length > 1) return null;
  const reply = marked ? (rest[0] === "+" ? [rest[1]!] : []) : rest;
  const queues = marked ? rest.slice(rest[0] === "+" ? 2 : 1) : NO_QUEUES;
  const isPlain = hasHeaders && parseSize(sizes[0]!) === 0;
  const kept = isPlain ? sizes.slice(1) : sizes;
  const name = hasHeaders && !isPlain ? "HMSG" : "RMSG";
  return { head: `${[name, ...prefix, ...reply, ...kept].join(" ")}\r\n`, queues };
}

/** End of the token at `at`: the next blank, or `end`. */
function endOfToken(at: number, end: number): number {
  let i = at;
  while (i < end && bytes[i] !== 0x20) i++;
  return i;
}

function isMark(at: number): boolean {
  const code = bytes[at];
  return (code === 0x2b || code === 0x7c) && bytes[at + 1] === 0x20;
}

function isText(value: string, at: number): boolean {
  for (let i = 0; i < value.length; i++) if (bytes[at + i] !== value.charCodeAt(i)) return false;
  return true;
}

/** The number at the end of the line, 0 where there is none: how much payload to wait for. */
function sizeBefore(lineFeed: number): number {
  let end = lineFeed;
  while (bytes[end - 1] === CR || isBlank(bytes[end - 1]!)) end--;
  let at = end;
  while (end - at < 9 && bytes[at - 1]! >= 0x30 && bytes[at - 1]! <= 0x39) at--;
  return Math.max(0, sizeAt(at, end));
}
