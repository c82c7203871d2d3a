/**
 * What the dialects of routes and of leaf nodes have in common: messages that may name queue groups, and lines that may be longer than
 * those of clients. A message that names queue groups is rewritten in place without them, which only makes it shorter, so that what
 * follows the subject is what a client receives.
 *
 * Bounds: before the peer is known (`isRegistered`) a line of `lineMax`, and no payload is waited for.
 */
import { LINE_MAX } from "../slab/layout.ts";
import { bytes } from "../slab/memory.ts";
import { maxControlLineExceeded, maxPayloadViolation, unknownOperation } from "./errors.ts";
import { writeHead } from "./head.ts";
import { line, MessageLines, type DialectLine, type LineOperations } from "./message-lines.ts";
import { CR, findLineFeed, isBlank, sizeAt, splitArguments, type After } from "./scanner.ts";

/** Of RMSG, LMSG and HMSG. */
export const NAME_LENGTH = 4;
const BLANK = 0x20;
/** nats-server lets a server's line be this many times as long as a client's. */
const LINE_FACTOR = 16;
/** The largest max_payload that any server may be configured for. */
const PAYLOAD_MAX = 64 * 1024 * 1024;
export const NO_QUEUES: readonly string[] = [];

/** What any server's operations mean, besides its messages. Each returns false when the connection has ended. Texts are byte strings. */
export interface ServerOperations extends LineOperations {
  onConnect(json: string): boolean;
  onInfo(json: string): boolean;
  onPing(): boolean;
  onPong(): boolean;
  /** RS+ on a route, LS+ on a leaf connection, with its arguments. */
  onInterest(args: readonly string[]): boolean;
  /** RS- or LS-, with its arguments. */
  onInterestEnded(args: readonly string[]): boolean;
  /** The peer's -ERR. */
  onPeerSaysError(text: string): boolean;
}

/** The lines that every server speaks; interest is announced by `interest` with "+" and "-". */
export function serverLines<O extends ServerOperations>(interest: "RS" | "LS"): readonly DialectLine<O>[] {
  return [
    line(`${interest}+`, "blank", (peer, text) => peer.onInterest(splitArguments(text))),
    line(`${interest}-`, "blank", (peer, text) => peer.onInterestEnded(splitArguments(text))),
    line("PING", "ignored", (peer) => peer.onPing()),
    line("PONG", "ignored", (peer) => peer.onPong()),
    line("INFO", "arguments", (peer, json) => peer.onInfo(json)),
    line("CONNECT", "arguments", (peer, json) => peer.onConnect(json)),
    line("-ERR", "blank", (peer, said) => peer.onPeerSaysError(said.replace(/^'|'$/g, ""))),
    line("+OK", "ignored", () => true),
  ];
}

export interface ServerLineLimits {
  maxControlLineBytes: number;
}

/** The longest line that another server may send, and thus that may be told to others that are configured alike. */
export function serverLineMax({ maxControlLineBytes }: ServerLineLimits): number {
  return Math.min(maxControlLineBytes * LINE_FACTOR, LINE_MAX);
}

interface ServerHead {
  /** What stands before the subject, with a blank behind each word: without headers, and with them. */
  readonly plainPrefix: string;
  readonly headerPrefix: string;
  /** From the subject on. */
  readonly args: readonly string[];
  /** How many sizes end the line: two where there are headers. */
  readonly sizes: 1 | 2;
}

export abstract class ServerLines<O extends LineOperations> extends MessageLines<O> {
  /** Messages may come. Before, no payload is waited for: strangers have no memory to fill. */
  isRegistered = false;
  protected queues: readonly string[] = NO_QUEUES;

  protected override mayBegin(): boolean {
    return true;
  }

  /** A message in lower case: the same as in upper case. */
  protected override readOddMessage(at: number, _lineFeed: number, end: number): number {
    for (let i = at; i < at + NAME_LENGTH; i++) bytes[i] = bytes[i]! & ~BLANK;
    return this.readUnusual(at, end);
  }

  protected override isTooLong(_after: After, at: number, _from: number, lineFeed: number): boolean {
    return lineFeed - at > this.lineMax;
  }

  /** Incomplete, or with queue groups, or in an odd spelling. */
  protected override readUnusual(at: number, end: number): number {
    const lineFeed = findLineFeed(at, end);
    // A message may name many queue groups, which are no subjects to be matched.
    const headMax = this.isRegistered ? LINE_MAX : this.lineMax;
    if (lineFeed - at > headMax) return this.end(maxControlLineExceeded, `${lineFeed - at} bytes`);
    if (lineFeed === end) return at;
    const size = sizeBefore(lineFeed);
    const payloadMax = Math.min(this.payloadMax, PAYLOAD_MAX);
    if (size > payloadMax) return this.end(maxPayloadViolation, `${size} vs ${payloadMax}`);
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

  private handWhole(): number {
    const { message } = this;
    if (!this.isClosed()) return this.endUnclosed();
    return this.hand(this.operations, message) ? message.at + message.length : this.stopBehind();
  }

  /** Rewrites the head without queue groups, which `queues` holds then. Returns what is wrong with it, or null. */
  protected writeWithoutQueues(lineFeed: number, { args, sizes, ...prefixes }: ServerHead): string | null {
    const between = args.slice(1, args.length - sizes);
    const [subject] = args;
    if (subject === undefined || args.length < 1 + sizes) return "Parse Error";
    const isMarked = between.length > 1 && (between[0] === "+" || between[0] === "|");
    if (!isMarked && between.length > 1) return "Parse Error";
    if (subject.length > this.lineMax) return "Subject Too Long";
    const hasReply = isMarked ? between[0] === "+" : between.length === 1;
    this.queues = isMarked ? between.slice(hasReply ? 2 : 1) : NO_QUEUES;
    return writeHead(this.message, lineFeed, {
      ...prefixes,
      subject,
      reply: hasReply ? between[isMarked ? 1 : 0]! : "",
      sizes: args.slice(-sizes),
    });
  }

  /** The longest line, which is kept until it is complete. */
  private get lineMax(): number {
    return serverLineMax(this.limits.current);
  }
}

/** The number at the end of the line, 0 where there is none: how much payload to wait for. */
function sizeBefore(lineFeed: number): number {
  let end = lineFeed;
  while (bytes[end - 1] === CR || isBlank(bytes[end - 1]!)) end--;
  let at = end;
  while (end - at < 9 && bytes[at - 1]! >= 0x30 && bytes[at - 1]! <= 0x39) at--;
  return Math.max(0, sizeAt(at, end));
}
