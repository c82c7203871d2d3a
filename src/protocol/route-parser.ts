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
import { LINE_MAX } from "../slab/layout.ts";
import { bytes, readText, words, writeText } from "../slab/memory.ts";
import {
  badArguments,
  maxControlLineExceeded,
  maxPayloadViolation,
  unknownOperation,
  type PeerError,
} from "./errors.ts";
import { READ, readHead, writeHead } from "./head.ts";
import { Message } from "./message.ts";
import {
  argumentText,
  CR,
  findLineFeed,
  isBlank,
  LF,
  operation,
  recognise,
  sameHead,
  sizeAt,
  skipBlanks,
  splitArguments,
} from "./scanner.ts";

/** What another server's operations mean. Each returns false when the connection has ended. Texts are byte strings. */
export interface RouteOperations {
  /** Nothing more may be read for now: messages were much work. */
  readonly isWaiting: boolean;
  /**
   * `account` is null on the route of a pinned account. Valid until the call returns. False: nothing more may be read, for now
   * (`isWaiting`) or at all.
   */
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
const BLANK = 0x20;
const H = 0x48;
/** nats-server lets a route's line be this many times as long as a client's. */
const LINE_FACTOR = 16;
/** The largest max_payload that any member may be configured for. */
const PAYLOAD_MAX = 64 * 1024 * 1024;
const NO_QUEUES: readonly string[] = [];

export interface RouteParserLimits {
  maxControlLineBytes: number;
}

/** The longest line that a route takes, and thus that may be told to others that are configured alike. */
export function routeLineMax({ maxControlLineBytes }: RouteParserLimits): number {
  return Math.min(maxControlLineBytes * LINE_FACTOR, LINE_MAX);
}

export class RouteParser {
  /** Bytes that the incomplete frame at the returned position takes in all; 0 when its head is not complete. */
  needed = 0;
  /** Bytes of that frame's head. */
  neededHead = 0;
  /** The route of a pinned account: messages do not name it. */
  isPinned = false;
  /** Messages may come. Before, no payload is waited for: strangers have no memory to fill. */
  isRegistered = false;
  private readonly message = new Message();
  private account: string | null = null;
  private queues: readonly string[] = NO_QUEUES;
  /** May be replaced between two calls of `parse`. */
  operations: RouteOperations;
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
    if (operations.isWaiting) return at;
    while (at < end) {
      const first = words.getInt32(at, true);
      if ((first !== RMSG && first !== HMSG) || bytes[at + 4] !== BLANK) {
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
        if (!operations.onRoutedAgain(message)) return this.stopBehind();
        at += message.length;
        continue;
      }
      const next = this.readMessage(at, end);
      if (next === at || next < 0 || operations.isWaiting) return next;
      // A shown subject has been taken out of the head: the next one cannot be compared with it.
      const isWhole = this.queues === NO_QUEUES && message.at === at && message.shownLength === 0;
      memoAt = isWhole ? at : -1;
      at = next;
    }
    return at;
  }

  parseLarge(at: number, body: Uint8Array): boolean {
    const { message } = this;
    if (body[body.length - 2] !== CR || body[body.length - 1] !== LF) {
      return this.operations.onPeerError(unknownOperation, "payload without CRLF behind it");
    }
    if (!this.rewriteHead(at, at + this.neededHead - 1)) {
      return this.operations.onPeerError(badArguments, "routed message");
    }
    message.body = body;
    message.length = message.payloadFrom;
    const goesOn = this.operations.onRouted(this.account, message, this.queues);
    message.body = null;
    return goesOn || this.operations.isWaiting;
  }

  /** Returns the position behind the message, `at` when it is not complete, or ENDED. */
  private readMessage(at: number, end: number): number {
    const { message } = this;
    const subjectFrom = this.isPinned ? 5 : this.readAccount(at, end);
    if (subjectFrom === 0) return this.readUnhurried(at, end);
    const status = readHead(message, at, end, subjectFrom, bytes[at] === H);
    const isShort = message.payloadFrom <= this.limits.maxControlLineBytes;
    if (status === READ && isShort && at + message.length <= end) {
      this.queues = NO_QUEUES;
      if (this.isPinned) this.account = null;
      return this.hand();
    }
    return this.readUnhurried(at, end);
  }

  private hand(): number {
    const { message } = this;
    if (words.getInt16(message.at + message.length - 2, true) !== 0x0a0d) {
      return this.end(unknownOperation, "payload without CRLF behind it");
    }
    const goesOn = this.operations.onRouted(this.account, message, this.queues);
    return goesOn ? message.at + message.length : this.stopBehind();
  }

  /** The message was the last, for now or at all. */
  private stopBehind(): number {
    const { message, operations } = this;
    return operations.isWaiting ? message.at + message.length : ENDED;
  }

  /** Incomplete, or with queue groups, or in an odd spelling. */
  private readUnhurried(at: number, end: number): number {
    const lineFeed = findLineFeed(at, end);
    // A message may name many queue groups, which are no subjects to be matched.
    const headMax = this.isRegistered ? LINE_MAX : this.lineMax;
    if (lineFeed - at > headMax) return this.end(maxControlLineExceeded, `${lineFeed - at} bytes`);
    if (lineFeed === end) return at;
    const size = sizeBefore(lineFeed);
    if (size > PAYLOAD_MAX) return this.end(maxPayloadViolation, `${size} vs ${PAYLOAD_MAX}`);
    const total = lineFeed + 1 - at + size + 2;
    if (at + total > end) {
      if (!this.isRegistered) return this.end(unknownOperation, "message before registration");
      this.needed = total;
      this.neededHead = lineFeed + 1 - at;
      return at;
    }
    if (this.rewriteHead(at, lineFeed)) return this.hand();
    return this.end(badArguments, JSON.stringify(argumentText(at, lineFeed)));
  }

  /** Where the subject begins; 0 in an odd spelling. The account is nearly always that of the message before. */
  private readAccount(at: number, end: number): number {
    const from = at + 5;
    const { account } = this;
    if (account !== null && bytes[from + account.length] === BLANK && isText(account, from)) {
      return 6 + account.length;
    }
    const length = endOfToken(from, end) - from;
    if (length === 0 || bytes[from + length] !== BLANK) return 0;
    this.account = readText(from, length);
    return 6 + length;
  }

  /** Rewrites the head in its usual spelling, without queue groups. Returns false if the head is malformed. */
  private rewriteHead(at: number, lineFeed: number): boolean {
    const args = splitArguments(argumentText(at + 5, lineFeed));
    const named = this.isPinned ? 0 : 1;
    const sizes = bytes[at] === H ? 2 : 1;
    const between = args.slice(named + 1, args.length - sizes);
    if (args.length < named + 1 + sizes) return false;
    const isMarked = between.length > 1 && (between[0] === "+" || between[0] === "|");
    if (!isMarked && between.length > 1) return false;
    if (args[named]!.length > this.lineMax) return false;
    const hasReply = isMarked ? between[0] === "+" : between.length === 1;
    this.queues = isMarked ? between.slice(hasReply ? 2 : 1) : NO_QUEUES;
    this.account = this.isPinned ? null : args[0]!;
    const prefix = this.isPinned ? "" : `${args[0]!} `;
    const problem = writeHead(this.message, lineFeed, {
      plainPrefix: `RMSG ${prefix}`,
      headerPrefix: `HMSG ${prefix}`,
      subject: args[named]!,
      reply: hasReply ? between[isMarked ? 1 : 0]! : "",
      sizes: args.slice(-sizes),
    });
    return problem === null;
  }

  private readLine(at: number, end: number): number {
    const found = recognise<Operation>(OPERATIONS, at, end);
    if (found === "partial") return at;
    if (found === "unknown") {
      return this.end(unknownOperation, JSON.stringify(argumentText(at, Math.min(end, at + 32))));
    }
    const from = skipBlanks(at + found.codes.length);
    const lineFeed = findLineFeed(from, end);
    if (lineFeed - at > this.lineMax) return this.end(maxControlLineExceeded, `${lineFeed - at} bytes`);
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

  /** The longest line, which is kept until it is complete. */
  private get lineMax(): number {
    return routeLineMax(this.limits);
  }

  private end(error: PeerError, detail: string): number {
    this.operations.onPeerError(error, detail);
    return ENDED;
  }
}

/** End of the token at `at`: the next blank or line end, or `end`. */
function endOfToken(at: number, end: number): number {
  let i = at;
  while (i < end && bytes[i]! > BLANK) i++;
  return i;
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
