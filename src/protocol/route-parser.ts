/**
 * Route bytes to operations. What becomes of messages that name queue groups is in server-lines.ts.
 *
 *     RMSG account subject [reply ]size        HMSG account subject [reply ]headerLength size
 *     RMSG account subject + reply q1 q2 size  queue groups chosen for the receiver, with a reply
 *     RMSG account subject | q1 q2 size        the same without a reply
 *     LMSG origin account … headerLength size  from a leaf node of the cluster `origin`; always with the length of headers
 *
 * On a route of one pinned account the account is left out.
 */
import type { Live } from "../base/live.ts";
import { bytes, readText } from "../slab/memory.ts";
import { dialect, line, message } from "./message-lines.ts";
import type { Message } from "./message.ts";
import { argumentText, splitArguments } from "./scanner.ts";
import {
  NAME_LENGTH,
  NO_QUEUES,
  serverLines,
  ServerLines,
  type ServerLineLimits,
  type ServerOperations,
} from "./server-lines.ts";

/** What another server's operations mean. */
export interface RouteOperations extends ServerOperations {
  /**
   * `account` is null on the route of a pinned account. Valid until the call returns. False: nothing more may be read, for now
   * (`isWaiting`) or at all.
   */
  onRouted(account: string | null, message: Message, queues: readonly string[]): boolean;
  /** A message with the very head of the one before. */
  onRoutedAgain(message: Message): boolean;
  /** LS+ with its arguments: interest of leaf nodes. */
  onLeafInterest(args: readonly string[]): boolean;
  onLeafInterestEnded(args: readonly string[]): boolean;
}

/** Known, and without meaning here: interest of gateways, and a client's words. */
const IGNORED = ["A+", "A-", "SUB", "UNSUB"];

const ROUTE = dialect<RouteOperations>("RMSG", "HMSG", [
  message("LMSG"),
  ...serverLines<RouteOperations>("RS"),
  line("LS+", "blank", (route, text) => route.onLeafInterest(splitArguments(text))),
  line("LS-", "blank", (route, text) => route.onLeafInterestEnded(splitArguments(text))),
  ...IGNORED.map((name) => line<RouteOperations>(name, "ignored", () => true)),
]);

const BLANK = 0x20;
const H = 0x48;
const L = 0x4c;

export class RouteParser extends ServerLines<RouteOperations> {
  /** The route of a pinned account: messages do not name it. */
  isPinned = false;
  private account: string | null = null;

  constructor(operations: RouteOperations, limits: Live<ServerLineLimits>) {
    super(operations, limits, ROUTE);
  }

  protected override handAgain(operations: RouteOperations, message: Message): boolean {
    return operations.onRoutedAgain(message);
  }

  protected override hand(operations: RouteOperations, message: Message): boolean {
    return operations.onRouted(this.account, message, this.queues);
  }

  protected override findSubject(at: number, end: number): number {
    this.queues = NO_QUEUES;
    this.message.leafCluster = "";
    if (!this.isPinned) return this.readAccount(at, end);
    this.account = null;
    return NAME_LENGTH + 1;
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

  protected override rewriteHead(at: number, lineFeed: number): string | null {
    const args = splitArguments(argumentText(at + NAME_LENGTH + 1, lineFeed));
    const isFromLeaf = bytes[at] === L;
    const leafCluster = isFromLeaf ? args.shift() : "";
    const account = this.isPinned ? null : args.shift();
    if (leafCluster === undefined || account === undefined) return "Parse Error";
    this.message.leafCluster = leafCluster;
    this.account = account;
    const prefix = account === null ? "" : `${account} `;
    return this.writeWithoutQueues(lineFeed, {
      plainPrefix: `RMSG ${prefix}`,
      headerPrefix: `HMSG ${prefix}`,
      args,
      sizes: isFromLeaf || bytes[at] === H ? 2 : 1,
    });
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
