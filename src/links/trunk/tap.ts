/**
 * Protocol tracing of one connection: writes what passes to the log, in the form of nats-server. A connection has a tap only while
 * tracing is on; it is asked where something is sent, and stands between the parser and its operations.
 */
import type { Logger } from "../../base/logger.ts";
import { readText } from "../../slab/memory.ts";
import type { Message } from "../../protocol/message.ts";

export class Tap {
  private readonly connection: { readonly log: Logger };

  /** The connection's logger changes when it is known who the peer is. */
  constructor(connection: { readonly log: Logger }) {
    this.connection = connection;
  }

  received(what: string): void {
    this.connection.log.trace(`<<- [${what}]`);
  }

  /** `more` stands behind the head. */
  receivedMessage({ at, payloadFrom }: Message, more = ""): void {
    this.received(readText(at, payloadFrom - 2) + more);
  }

  sent(what: string): void {
    this.connection.log.trace(`->> [${what}]`);
  }

  /** `text` up to its first line end. */
  sentText(text: string): void {
    this.sent(text.slice(0, text.indexOf("\r\n")));
  }
}
