/**
 * Client bytes to operations. A PUB or HPUB in an unusual spelling (lower case, tabs, no CR) is rewritten in place to the usual one,
 * which is never more than one byte longer, so that there is one kind of message from here on.
 */
import { parseJson } from "../base/json.ts";
import type { Live } from "../base/live.ts";
import { CARRY_MAX } from "../slab/layout.ts";
import { bytes, words } from "../slab/memory.ts";
import { badArguments, maxControlLineExceeded, maxPayloadViolation, peerSentError } from "./errors.ts";
import { INCOMPLETE, READ, readHead, writeHead } from "./head.ts";
import { dialect, ENDED, line, LineReader, type LineOperations } from "./message-lines.ts";
import type { Message } from "./message.ts";
import {
  argumentText,
  CR,
  LF,
  parseSize,
  sameHead,
  skipBlanks,
  splitArguments,
  type After,
} from "./scanner.ts";

/** What a client's operations mean. Each returns false when the connection has ended. Subjects are byte strings. */
export interface ClientOperations extends LineOperations {
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
}

const CLIENT = dialect<ClientOperations>("PUB", "HPUB", [
  line("SUB", "blank", subscribe),
  line("UNSUB", "blank", unsubscribe),
  line("PING", "ignored", (client) => client.onPing()),
  line("PONG", "ignored", (client) => client.onPong()),
  line("CONNECT", "arguments", (client, json) => client.onConnect(json)),
  line(
    "INFO",
    "arguments",
    (client, json) => isJsonObject(json) || client.onPeerError(badArguments, "INFO is not JSON"),
  ),
  line("+OK", "ignored", () => true),
  line("-ERR", "blank", (client, said) => client.onPeerError(peerSentError, said)),
]);

/** The first four bytes of a message. */
const PUB = CLIENT.plainWord;
const HPUB = CLIENT.headedWord;
const H = 0x48;
const BLANK = 0x20;
/** What a line may hold that does not count: blanks in front of its arguments, anything behind PING. It has to be kept, too. */
const PADDING_MAX = CARRY_MAX;

export interface ClientParserLimits {
  maxPayloadBytes: number;
  maxControlLineBytes: number;
}

export class ClientParser extends LineReader<ClientOperations> {
  declare limits: Live<ClientParserLimits>;

  constructor(operations: ClientOperations, limits: Live<ClientParserLimits>) {
    super(operations, limits, CLIENT);
    this.payloadMax = limits.current.maxPayloadBytes;
  }

  /** Others apply once the account of the client is known, and after a reload. */
  useLimits(limits: Live<ClientParserLimits>): void {
    this.limits = limits;
    this.payloadMax = limits.current.maxPayloadBytes;
  }

  /** As in `MessageLines`, with the names and the session of clients. */
  override parse(at: number, end: number): number {
    const { message, operations } = this;
    bytes[end] = LF;
    this.needed = 0;
    if (at < end && !operations.mayBegin(bytes[at]!)) return ENDED;
    if (operations.isWaiting) return at;
    const { maxControlLineBytes } = this.limits.current; // looked up once, since it may be that of a reload
    let memoAt = -1;
    while (at < end) {
      if (
        memoAt >= 0 &&
        at + message.length <= end &&
        sameHead(memoAt, at, message.payloadFrom) &&
        words.getInt16(at + message.length - 2, true) === 0x0a0d
      ) {
        message.at = memoAt = at;
        if (!operations.onPublishAgain(message)) return this.stopBehind();
        at += message.length;
        continue;
      }
      memoAt = -1;
      const first = words.getInt32(at, true);
      let next: number;
      if (first === PUB || (first === HPUB && bytes[at + 4] === BLANK)) {
        const status = readHead(message, at, end, first === PUB ? 4 : 5, first === PUB ? 1 : 2);
        if (
          status === READ &&
          at + message.length <= end &&
          message.size <= this.payloadMax &&
          message.payloadFrom <= maxControlLineBytes &&
          words.getInt16(at + message.length - 2, true) === 0x0a0d
        ) {
          if (!operations.onPublish(message)) return this.stopBehind();
          memoAt = at;
          at += message.length;
          continue;
        }
        next = this.readUnusual(at, end, status);
      } else next = this.readLine(at, end);
      if (next === at || next < 0 || operations.isWaiting) return next;
      at = next;
    }
    return at;
  }

  protected override hand(operations: ClientOperations, message: Message): boolean {
    return operations.onPublish(message);
  }

  protected override readUnusual(at: number, end: number, status: number): number {
    if (status === READ) return this.stopAt(at, end);
    return status === INCOMPLETE ? this.waitForLine(at, end) : this.readLine(at, end);
  }

  protected override readOddMessage(at: number, lineFeed: number, end: number): number {
    const problem = this.rewriteHead(at, lineFeed);
    return problem === null ? this.stopAt(this.message.at, end) : this.endSenseless(problem, at, lineFeed);
  }

  protected override isTooLong(after: After, at: number, from: number, lineFeed: number): boolean {
    const { maxControlLineBytes } = this.limits.current;
    const length = after === "ignored" ? 0 : argumentsEnd(from, lineFeed) - from;
    return length > maxControlLineBytes || lineFeed - at > maxControlLineBytes + PADDING_MAX;
  }

  protected override rewriteHead(at: number, lineFeed: number): string | null {
    const hasHeaders = (bytes[at]! & ~BLANK) === H;
    const args = splitArguments(argumentText(at + (hasHeaders ? 4 : 3), lineFeed));
    const sizes = hasHeaders ? 2 : 1;
    if (args.length !== sizes + 1 && args.length !== sizes + 2) return "Parse Error";
    return writeHead(this.message, lineFeed, {
      plainPrefix: "PUB ",
      headerPrefix: "HPUB ",
      subject: args[0]!,
      reply: args.length === sizes + 2 ? args[1]! : "",
      sizes: args.slice(-sizes),
    });
  }

  /** A head in its usual spelling that was not handed on: wait for the payload, or say what is wrong. */
  private stopAt(at: number, end: number): number {
    const { message } = this;
    const limits = this.limits.current;
    const argumentsLength = message.payloadFrom - 2 - message.subjectFrom;
    if (argumentsLength > limits.maxControlLineBytes) {
      return this.end(maxControlLineExceeded, `${argumentsLength} bytes`);
    }
    if (message.size > limits.maxPayloadBytes) {
      if (message.headerLength > 0) this.tellTooLarge(end);
      return this.end(maxPayloadViolation, `${message.size} vs ${limits.maxPayloadBytes}`);
    }
    if (at + message.length <= end) {
      if (!this.isClosed()) return this.endUnclosed();
      // It was rewritten, or its line is a little over what the quick check allows.
      return this.operations.onPublish(message) ? at + message.length : this.stopBehind();
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

  private waitForLine(at: number, end: number): number {
    const length = argumentsEnd(at, end) - skipBlanks(skipWord(at));
    if (length <= this.limits.current.maxControlLineBytes) return at;
    return this.end(maxControlLineExceeded, `${length} bytes`);
  }
}

function subscribe(client: ClientOperations, text: string): boolean {
  const args = splitArguments(text.replaceAll("\r", " "));
  const [subject, second, third] = args;
  if (args.length === 2) return client.onSubscribe(subject!, null, second!);
  if (args.length === 3) return client.onSubscribe(subject!, second!, third!);
  return client.onPeerError(badArguments, `processSub Parse Error: ${JSON.stringify(args.join(" "))}`);
}

function unsubscribe(client: ClientOperations, text: string): boolean {
  const args = splitArguments(text.replaceAll("\r", " "));
  if (args.length === 1) return client.onUnsubscribe(args[0]!, 0);
  if (args.length === 2) return client.onUnsubscribe(args[0]!, Math.max(0, parseSize(args[1]!)));
  return client.onPeerError(badArguments, `processUnsub Parse Error: ${JSON.stringify(args.join(" "))}`);
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
