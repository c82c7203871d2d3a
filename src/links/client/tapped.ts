/** The operations of a client whose protocol is traced: each is written to the log before the session carries it out. */
import type { ClientOperations } from "../../protocol/client-parser.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/message.ts";
import type { Tap } from "../trunk/tap.ts";

export class TappedClient implements ClientOperations {
  private readonly session: ClientOperations;
  private readonly tap: Tap;

  constructor(session: ClientOperations, tap: Tap) {
    this.session = session;
    this.tap = tap;
  }

  get isWaiting(): boolean {
    return this.session.isWaiting;
  }

  mayBegin(first: number): boolean {
    return this.session.mayBegin(first);
  }

  onPublish(message: Message): boolean {
    this.tap.receivedMessage(message);
    return this.session.onPublish(message);
  }

  onPublishAgain(message: Message): boolean {
    this.tap.receivedMessage(message);
    return this.session.onPublishAgain(message);
  }

  onTooLarge(message: Message): void {
    this.session.onTooLarge?.(message);
  }

  onConnect(json: string): boolean {
    this.tap.received(`CONNECT ${json}`);
    return this.session.onConnect(json);
  }

  onSubscribe(subject: string, queue: string | null, sid: string): boolean {
    this.tap.received(`SUB ${subject} ${queue === null ? "" : `${queue} `}${sid}`);
    return this.session.onSubscribe(subject, queue, sid);
  }

  onUnsubscribe(sid: string, max: number): boolean {
    this.tap.received(`UNSUB ${sid}${max === 0 ? "" : ` ${max}`}`);
    return this.session.onUnsubscribe(sid, max);
  }

  onPing(): boolean {
    this.tap.received("PING");
    return this.session.onPing();
  }

  onPong(): boolean {
    this.tap.received("PONG");
    return this.session.onPong();
  }

  onPeerError(error: PeerError, detail: string): boolean {
    return this.session.onPeerError(error, detail);
  }
}
