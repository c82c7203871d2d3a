/**
 * A client's connection that writes every operation to the log, as nats-server's trace does: `<<-` what came, `->>` what went.
 * A class of its own, so that a server that does not trace pays nothing. Payloads are not logged, CONNECT without secrets (the
 * log room takes them out).
 */
import { readText } from "../../slab/memory.ts";
import type { Subscription } from "../../core/subscription.ts";
import type { Message } from "../../protocol/message.ts";
import { ClientSession } from "./session.ts";

export class TracedClientSession extends ClientSession {
  override onPublish(message: Message): boolean {
    this.traceMessage(message);
    return super.onPublish(message);
  }

  protected override onMapped(at: number, length: number, message: Message): void {
    const mapped = readText(message.at + message.subjectFrom, message.subjectLength);
    this.log.trace(`<<- [MAPPING ${readText(at, length)} -> ${mapped}]`);
  }

  override onPublishAgain(message: Message): boolean {
    return this.onPublish(message);
  }

  override onConnect(json: string): boolean {
    this.log.trace(`<<- [CONNECT ${json}]`);
    return super.onConnect(json);
  }

  override onSubscribe(subject: string, queue: string | null, sid: string): boolean {
    this.log.trace(`<<- [SUB ${subject} ${queue === null ? "" : `${queue} `}${sid}]`);
    return super.onSubscribe(subject, queue, sid);
  }

  override onUnsubscribe(sid: string, max: number): boolean {
    this.log.trace(`<<- [UNSUB ${sid}${max === 0 ? "" : ` ${max}`}]`);
    return super.onUnsubscribe(sid, max);
  }

  override onPing(): boolean {
    this.log.trace("<<- [PING]");
    return super.onPing();
  }

  override onPong(): boolean {
    this.log.trace("<<- [PONG]");
    return super.onPong();
  }

  override deliver(subscription: Subscription, message: Message): boolean {
    const head = readText(message.headAt, message.headLength);
    this.log.trace(`->> [${head}${subscription.sid} ${tailOf(message)}]`);
    return super.deliver(subscription, message);
  }

  override say(line: string): void {
    this.log.trace(`->> [${line.slice(0, line.indexOf("\r\n"))}]`);
    super.say(line);
  }

  /** Of a connection that stands: tracing has been switched on or off. */
  static follow(session: ClientSession, isTracing: boolean): void {
    Object.setPrototypeOf(session, isTracing ? TracedClientSession.prototype : ClientSession.prototype);
  }

  private traceMessage(message: Message): void {
    this.log.trace(`<<- [${readText(message.at, message.payloadFrom - 2)}]`);
  }
}

function tailOf(message: Message): string {
  return readText(message.at + message.tailFrom, message.payloadFrom - 2 - message.tailFrom);
}
