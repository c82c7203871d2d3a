/**
 * The operations of another server whose protocol is traced: each is written to the log before the session carries it out. Messages and
 * what only one dialect has are added by the kinds of connections.
 */
import type { PeerError } from "../../protocol/errors.ts";
import type { ServerOperations } from "../../protocol/server-lines.ts";
import type { Tap } from "./tap.ts";

export abstract class TappedServer<O extends ServerOperations> implements ServerOperations {
  protected readonly session: O;
  protected readonly tap: Tap;
  private readonly interest: "RS" | "LS";

  /** `interest`: how the dialect announces it, without "+" and "-". */
  constructor(session: O, tap: Tap, interest: "RS" | "LS") {
    this.session = session;
    this.tap = tap;
    this.interest = interest;
  }

  get isWaiting(): boolean {
    return this.session.isWaiting;
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
    this.tap.received(`${this.interest}+ ${args.join(" ")}`);
    return this.session.onInterest(args);
  }

  onInterestEnded(args: readonly string[]): boolean {
    this.tap.received(`${this.interest}- ${args.join(" ")}`);
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

  /** nats-server does not trace it either: the session logs it. */
  onPeerSaysError(text: string): boolean {
    return this.session.onPeerSaysError(text);
  }

  onPeerError(error: PeerError, detail: string): boolean {
    return this.session.onPeerError(error, detail);
  }
}
