/** The operations of a leaf connection whose protocol is traced. */
import type { LeafOperations } from "../../protocol/leaf-parser.ts";
import type { Message } from "../../protocol/message.ts";
import type { Tap } from "../trunk/tap.ts";
import { TappedServer } from "../trunk/tapped-server.ts";

export class TappedLeaf extends TappedServer<LeafOperations> implements LeafOperations {
  constructor(session: LeafOperations, tap: Tap) {
    super(session, tap, "LS");
  }

  onLeafMessage(message: Message, queues: readonly string[]): boolean {
    this.tap.receivedMessage(message, queues.length === 0 ? "" : ` for ${queues.join(" ")}`);
    return this.session.onLeafMessage(message, queues);
  }

  onLeafMessageAgain(message: Message): boolean {
    this.tap.receivedMessage(message);
    return this.session.onLeafMessageAgain(message);
  }
}
