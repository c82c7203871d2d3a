/**
 * Route bytes to operations. A routed message that names
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
import { bytes, readText } from "../slab/memory.ts";
import { maxControlLineExceeded, maxPayloadViolation, unknownOperation } from "./errors.ts";
import { writeHead } from "./head.ts";
import { dialect, line, MessageLines, type LineOperations } from "./message-lines.ts";
import type { Message } from "./message.ts";
import { argumentText, CR, findLineFeed, isBlank, sizeAt, splitArguments, type After } from "./scanner.ts";

/** What another server's operations mean. Each returns false when the connection has ended. Texts are byte strings. */
export interface RouteOperations extends LineOperations {
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
}

/** Known, and without meaning here: interest of leaf nodes, of gateways, and a client's words. */
const IGNORED = ["LS+", "LS-", "A+", "A-", "SUB", "UNSUB"];

const ROUTE = dialect<RouteOperations>("RMSG", "HMSG", [
  line("RS+", "blank", (route, text) => route.onInterest(splitArguments(text))),
  line("RS-", "blank", (route, text) => route.onInterestEnded(splitArguments(text))),
  line("PING", "ignored", (route) => route.onPing()),
  line("PONG", "ignored", (route) => route.onPong()),
  line("INFO", "arguments", (route, json) => route.onInfo(json)),
  line("CONNECT", "arguments", (route, json) => route.onConnect(json)),
  line("-ERR", "blank", (route, said) => route.onPeerSaysError(said.replace(/^'|'$/g, ""))),
  line("+OK", "ignored", () => true),
  ...IGNORED.map((name) => line<RouteOperations>(name, "ignored", () => true)),
]);

/** Of RMSG and of HMSG. */
const NAME_LENGTH = 4;
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

export class RouteParser extends MessageLines<RouteOperations> {
  /** The route of a pinned account: messages do not name it. */
  isPinned = false;
  /** Messages may come. Before, no payload is waited for: strangers have no memory to fill. */
  isRegistered = false;
  private account: string | null = null;
  private queues: readonly string[] = NO_QUEUES;

  constructor(operations: RouteOperations, limits: RouteParserLimits) {
    super(operations, limits, ROUTE);
  }

  protected override mayBegin(): boolean {
    return true;
  }

  protected override handAgain(operations: RouteOperations, message: Message): boolean {
    return operations.onRoutedAgain(message);
  }

  protected override hand(operations: RouteOperations, message: Message): boolean {
    return operations.onRouted(this.account, message, this.queues);
  }

  protected override findSubject(at: number, end: number): number {
    this.queues = NO_QUEUES;
    if (!this.isPinned) return this.readAccount(at, end);
    this.account = null;
    return NAME_LENGTH + 1;
  }

  /** A message in lower case: the same as in upper case. */
  protected override readOddMessage(at: number, _lineFeed: number, end: number): number {
    for (let i = at; i < at + NAME_LENGTH; i++) bytes[i] = bytes[i]! & ~BLANK;
    return this.readUnusual(at, end);
  }

  protected override isTooLong(_after: After, at: number, _from: number, lineFeed: number): boolean {
    return lineFeed - at > this.lineMax;
  }

  private handWhole(): number {
    const { message } = this;
    if (!this.isClosed()) return this.endUnclosed();
    const goesOn = this.operations.onRouted(this.account, message, this.queues);
    return goesOn ? message.at + message.length : this.stopBehind();
  }

  /** Incomplete, or with queue groups, or in an odd spelling. */
  protected override readUnusual(at: number, end: number): number {
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
    const problem = this.rewriteHead(at, lineFeed);
    return problem === null ? this.handWhole() : this.endSenseless(problem, at, lineFeed);
  }

  /** Where the subject begins; 0 in an odd spelling. The account is nearly always that of the message before. */
  private readAccount(at: number, end: number): number {
    const from = at + NAME_LENGTH + 1;
    const { account } = this;
    if (account !== null && bytes[from + account.length] === BLANK && isText(account, from)) {
      return NAME_LENGTH + 2 + account.length;
    }
    const length = endOfToken(from, end) - from;
    if (length === 0 || bytes[from + length] !== BLANK) return 0;
    this.account = readText(from, length);
    return NAME_LENGTH + 2 + length;
  }

  /** Rewrites the head without queue groups, which `queues` holds then. */
  protected override rewriteHead(at: number, lineFeed: number): string | null {
    const args = splitArguments(argumentText(at + NAME_LENGTH + 1, lineFeed));
    const named = this.isPinned ? 0 : 1;
    const sizes = bytes[at] === H ? 2 : 1;
    const between = args.slice(named + 1, args.length - sizes);
    if (args.length < named + 1 + sizes) return "Parse Error";
    const isMarked = between.length > 1 && (between[0] === "+" || between[0] === "|");
    if (!isMarked && between.length > 1) return "Parse Error";
    if (args[named]!.length > this.lineMax) return "Subject Too Long";
    const hasReply = isMarked ? between[0] === "+" : between.length === 1;
    this.queues = isMarked ? between.slice(hasReply ? 2 : 1) : NO_QUEUES;
    this.account = this.isPinned ? null : args[0]!;
    const prefix = this.isPinned ? "" : `${args[0]!} `;
    return writeHead(this.message, lineFeed, {
      plainPrefix: `RMSG ${prefix}`,
      headerPrefix: `HMSG ${prefix}`,
      subject: args[named]!,
      reply: hasReply ? between[isMarked ? 1 : 0]! : "",
      sizes: args.slice(-sizes),
    });
  }

  /** The longest line, which is kept until it is complete. */
  private get lineMax(): number {
    return routeLineMax(this.limits);
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
