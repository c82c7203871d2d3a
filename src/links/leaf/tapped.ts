/** The operations of a leaf connection whose protocol is traced: each is written to the log before the session carries it out. */
import type { PeerError } from "../../protocol/errors.ts";
import type { LeafOperations } from "../../protocol/leaf-parser.ts";
import type { Message } from "../../protocol/message.ts";
import type { Tap } from "../trunk/tap.ts";

export class TappedLeaf implements LeafOperations {
  private readonly session: LeafOperations;
  private readonly tap: Tap;

  constructor(session: LeafOperations, tap: Tap) {
    this.session = session;
    this.tap = tap;
  }

  get isWaiting(): boolean {
    return this.session.isWaiting;
  }

  onLeafMessage(message: Message, queues: readonly string[]): boolean {
    this.tap.receivedMessage(message, queues.length === 0 ? "" : ` for ${queues.join(" ")}`);
    return this.session.onLeafMessage(message, queues);
  }

  onLeafMessageAgain(message: Message): boolean {
    this.tap.receivedMessage(message);
    return this.session.onLeafMessageAgain(message);
  }

  onConnect(json: string): boolean {
    this.tap.received(`CONNECT ${json}`);
    return this.session.onConnect(json);
  }

  onInfo(json: string): boolean {
    this.tap.received(`INFO ${json}`);
    return this.session.onInfo(json);
  }

  onInterest(args: readonly string[]): boolean {
    this.tap.received(`LS+ ${args.join(" ")}`);
    return this.session.onInterest(args);
  }

  onInterestEnded(args: readonly string[]): boolean {
    this.tap.received(`LS- ${args.join(" ")}`);
    return this.session.onInterestEnded(args);
  }

  onPing(): boolean {
    this.tap.received("PING");
    return this.session.onPing();
  }

  onPong(): boolean {
    this.tap.received("PONG");
    return this.session.onPong();
  }

  onPeerSaysError(text: string): boolean {
    this.tap.received(`-ERR ${text}`);
    return this.session.onPeerSaysError(text);
  }

  onPeerError(error: PeerError, detail: string): boolean {
    return this.session.onPeerError(error, detail);
  }
}
