/** The operations of a route whose protocol is traced: each is written to the log before the session carries it out. */
import type { PeerError } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/message.ts";
import type { RouteOperations } from "../../protocol/route-parser.ts";
import type { Tap } from "../trunk/tap.ts";

export class TappedRoute implements RouteOperations {
  private readonly session: RouteOperations;
  private readonly tap: Tap;

  constructor(session: RouteOperations, tap: Tap) {
    this.session = session;
    this.tap = tap;
  }

  get isWaiting(): boolean {
    return this.session.isWaiting;
  }

  onRouted(account: string | null, message: Message, queues: readonly string[]): boolean {
    this.tap.receivedMessage(message, queues.length === 0 ? "" : ` for ${queues.join(" ")}`);
    return this.session.onRouted(account, message, queues);
  }

  onRoutedAgain(message: Message): boolean {
    this.tap.receivedMessage(message);
    return this.session.onRoutedAgain(message);
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
    this.tap.received(`RS+ ${args.join(" ")}`);
    return this.session.onInterest(args);
  }

  onInterestEnded(args: readonly string[]): boolean {
    this.tap.received(`RS- ${args.join(" ")}`);
    return this.session.onInterestEnded(args);
  }

  onLeafInterest(args: readonly string[]): boolean {
    this.tap.received(`LS+ ${args.join(" ")}`);
    return this.session.onLeafInterest(args);
  }

  onLeafInterestEnded(args: readonly string[]): boolean {
    this.tap.received(`LS- ${args.join(" ")}`);
    return this.session.onLeafInterestEnded(args);
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
    return this.session.onPeerSaysError(text);
  }

  onPeerError(error: PeerError, detail: string): boolean {
    return this.session.onPeerError(error, detail);
  }
}
