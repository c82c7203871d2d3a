/** What a consumer sends: messages of the stream with the subject where they are acknowledged, heartbeats, and flow control. */
import type { RecordView } from "../../store/record.ts";
import { statusBlock, VERSION_LINE } from "../headers.ts";
import type { AccountHost, Outgoing } from "../host.ts";
import { randomToken } from "../../base/base62.ts";
import { AckReply } from "./ack-reply.ts";
import type { ConsumerConfig } from "./config.ts";
import { FlowControl } from "./flow-control.ts";

const EMPTY = new Uint8Array(0);

export interface Delivery {
  readonly view: RecordView;
  /** Of the message in its stream. */
  readonly subject: string;
  /** The subject of an inbox, or the deliver subject. */
  readonly to: string;
  /** How often it has been delivered, this time included. */
  readonly count: number;
  readonly consumerSequence: number;
  /** Messages behind it. */
  readonly left: number;
}

export class Outlet {
  private readonly host: AccountHost;
  /** `<stream>.<consumer>`. */
  private readonly names: string;
  private readonly flow: FlowControl;
  private readonly reply: AckReply;

  constructor(host: AccountHost, names: string, { flowControl }: ConsumerConfig) {
    this.host = host;
    this.names = names;
    this.reply = new AckReply(names);
    this.flow = new FlowControl(flowControl);
  }

  /** The subscriber has been sent as much as it takes before it answers. */
  get isStalled(): boolean {
    return this.flow.isStalled;
  }

  message(delivery: Delivery, config: ConsumerConfig): Outgoing {
    const { view, subject: shownSubject, to, count, consumerSequence, left } = delivery;
    const { headers, sequence, timeLow, timeHigh } = view;
    const { reply } = this;
    reply.set({ deliveries: count, sequence, consumerSequence, timeLow, timeHigh, pending: left });
    if (!config.headersOnly) return { subject: to, reply, headers, payload: view.payload, shownSubject };
    const opened = headers === "" ? VERSION_LINE : headers.slice(0, -2);
    const size = `Nats-Msg-Size: ${view.payloadLength}\r\n\r\n`;
    return { subject: to, reply, headers: opened + size, payload: EMPTY, shownSubject };
  }

  /** Bytes were pushed: now and then the subscriber is asked whether it has them. */
  pushed(bytes: number, to: string): void {
    const id = this.flow.sent(bytes, () => randomToken(this.host.random));
    if (id !== null) this.question(to, id);
  }

  /** Asks the subscriber whether it has all that was pushed, unless it has been asked. */
  ask(to: string): void {
    const id = this.flow.ask(() => randomToken(this.host.random));
    if (id !== null) this.question(to, id);
  }

  private question(to: string, id: string): void {
    this.say(to, statusBlock("100 FlowControl Request"), `$JS.FC.${this.names}.${id}`);
  }

  /** False: it is no answer to the question. */
  flowed(id: string): boolean {
    return this.flow.answered(id);
  }

  beat(to: string, delivered: { readonly consumer: number; readonly stream: number }): void {
    const { openId } = this.flow;
    const stalled =
      openId === "" ? [] : ([["Nats-Consumer-Stalled", `$JS.FC.${this.names}.${openId}`]] as const);
    const entries = [
      ["Nats-Last-Consumer", delivered.consumer],
      ["Nats-Last-Stream", delivered.stream],
      ...stalled,
    ] as const;
    this.say(to, statusBlock("100 Idle Heartbeat", entries));
  }

  /** A message without a payload. `headers`: the whole block, or "". */
  say(to: string, headers: string, reply = ""): void {
    this.host.send({ subject: to, reply, headers, payload: EMPTY });
  }
}
