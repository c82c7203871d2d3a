/** The operations of a route whose protocol is traced. */
import type { Message } from "../../protocol/message.ts";
import type { RouteOperations } from "../../protocol/route-parser.ts";
import type { Tap } from "../trunk/tap.ts";
import { TappedServer } from "../trunk/tapped-server.ts";

export class TappedRoute extends TappedServer<RouteOperations> implements RouteOperations {
  constructor(session: RouteOperations, tap: Tap) {
    super(session, tap, "RS");
  }

  onRouted(account: string | null, message: Message, queues: readonly string[]): boolean {
    this.tap.receivedMessage(message, queues.length === 0 ? "" : ` for ${queues.join(" ")}`);
    return this.session.onRouted(account, message, queues);
  }

  onRoutedAgain(message: Message): boolean {
    this.tap.receivedMessage(message);
    return this.session.onRoutedAgain(message);
  }

  onLeafInterest(args: readonly string[]): boolean {
    this.tap.received(`LS+ ${args.join(" ")}`);
    return this.session.onLeafInterest(args);
  }

  onLeafInterestEnded(args: readonly string[]): boolean {
    this.tap.received(`LS- ${args.join(" ")}`);
    return this.session.onLeafInterestEnded(args);
  }
}
