/**
 * Leaf node bytes to operations: the same at both ends. A leaf connection is for one account, which messages do not name.
 *
 *     LMSG subject [reply ]size                HMSG subject [reply ]headerLength size
 *     LMSG subject + reply q1 q2 size          queue groups chosen for the receiver, with a reply
 *     LMSG subject | q1 q2 size                the same without a reply
 *     LS+ subject [queue weight]               LS- subject [queue]
 */
import type { Live } from "../base/live.ts";
import { bytes } from "../slab/memory.ts";
import { dialect } from "./message-lines.ts";
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

/** What the peer's operations mean. */
export interface LeafOperations extends ServerOperations {
  /** Valid until the call returns. False: nothing more may be read, for now (`isWaiting`) or at all. */
  onLeafMessage(message: Message, queues: readonly string[]): boolean;
  /** A message with the very head of the one before. */
  onLeafMessageAgain(message: Message): boolean;
}

const LEAF = dialect<LeafOperations>("LMSG", "HMSG", serverLines("LS"));

const H = 0x48;

export interface LeafParserLimits extends ServerLineLimits {
  maxPayloadBytes: number;
}

export class LeafParser extends ServerLines<LeafOperations> {
  constructor(operations: LeafOperations, limits: Live<LeafParserLimits>) {
    super(operations, limits, LEAF);
    this.payloadMax = limits.current.maxPayloadBytes;
  }

  /** The limit of the server has changed. */
  usePayloadMax(bytesMax: number): void {
    this.payloadMax = bytesMax;
  }

  protected override handAgain(operations: LeafOperations, message: Message): boolean {
    return operations.onLeafMessageAgain(message);
  }

  protected override hand(operations: LeafOperations, message: Message): boolean {
    return operations.onLeafMessage(message, this.queues);
  }

  protected override findSubject(): number {
    this.queues = NO_QUEUES;
    return NAME_LENGTH + 1;
  }

  protected override rewriteHead(at: number, lineFeed: number): string | null {
    return this.writeWithoutQueues(lineFeed, {
      plainPrefix: "LMSG ",
      headerPrefix: "HMSG ",
      args: splitArguments(argumentText(at + NAME_LENGTH + 1, lineFeed)),
      sizes: bytes[at] === H ? 2 : 1,
    });
  }
}
