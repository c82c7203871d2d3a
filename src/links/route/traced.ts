/** A route that writes every operation to the log; see `links/client/traced.ts`. */
import { readText } from "../../slab/memory.ts";
import type { Plan } from "../../core/plan.ts";
import type { Message } from "../../protocol/message.ts";
import { RouteSession } from "./session.ts";

export class TracedRouteSession extends RouteSession {
  override onRouted(account: string | null, message: Message, queues: readonly string[]): boolean {
    const chosen = queues.length === 0 ? "" : ` for ${queues.join(" ")}`;
    this.log.trace(`<<- [${readText(message.at, message.payloadFrom - 2)}${chosen}]`);
    return super.onRouted(account, message, queues);
  }

  override onRoutedAgain(message: Message): boolean {
    this.log.trace(`<<- [${readText(message.at, message.payloadFrom - 2)}]`);
    return super.onRoutedAgain(message);
  }

  override onConnect(json: string): boolean {
    this.log.trace(`<<- [CONNECT ${json}]`);
    return super.onConnect(json);
  }

  override onInfo(json: string): boolean {
    this.log.trace(`<<- [INFO ${json}]`);
    return super.onInfo(json);
  }

  override onInterest(args: readonly string[]): boolean {
    this.log.trace(`<<- [RS+ ${args.join(" ")}]`);
    return super.onInterest(args);
  }

  override onInterestEnded(args: readonly string[]): boolean {
    this.log.trace(`<<- [RS- ${args.join(" ")}]`);
    return super.onInterestEnded(args);
  }

  override onPing(): boolean {
    this.log.trace("<<- [PING]");
    return super.onPing();
  }

  override onPong(): boolean {
    this.log.trace("<<- [PONG]");
    return super.onPong();
  }

  override forward(plan: Plan, message: Message, queues: string): void {
    const subject = readText(plan.subjectAt, plan.subjectLength);
    this.log.trace(`->> [RMSG ${plan.account} ${subject} ${queues}${message.size}]`);
    super.forward(plan, message, queues);
  }

  /** Of a connection that stands: tracing has been switched on or off. */
  static follow(session: RouteSession, isTracing: boolean): void {
    Object.setPrototypeOf(session, isTracing ? TracedRouteSession.prototype : RouteSession.prototype);
  }

  protected override say(line: string): void {
    this.log.trace(`->> [${line.slice(0, line.indexOf("\r\n"))}]`);
    super.say(line);
  }
}
