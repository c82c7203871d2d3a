/** What a consumer sends: messages of the stream with the subject where they are acknowledged, heartbeats, and flow control. */
import type { RecordView } from "../../store/record.ts";
import { statusBlock, VERSION_LINE } from "../headers.ts";
import { writeVerb } from "../../core/lane.ts";
import { bytes, copyIn, words, writeNumber } from "../../slab/memory.ts";
import type { AccountHost, DeliveryLane, Outgoing } from "../host.ts";
import { randomToken } from "../../base/base62.ts";
import { AckReply } from "./ack-reply.ts";
import type { ConsumerConfig } from "./config.ts";
import { FlowControl } from "./flow-control.ts";
import { withPin } from "./pin.ts";

const EMPTY = new Uint8Array(0);

/** The sizes in a head, with the blank and the line ends. */
const SIZES_MAX = 32;
const BLANK = 0x20;
const CRLF = 0x0a0d;

export interface Delivery {
  readonly view: RecordView;
  /** How often it has been delivered, this time included. */
  readonly count: number;
  readonly consumerSequence: number;
  /** Messages behind it. */
  readonly left: number;
}

/** Messages go out once others have it that they do. */
export interface Deferral {
  /** Calls `deliver` once all that was noted up to now is agreed on; never, where it is not. */
  later(deliver: () => void): void;
  /** null: it is gone. */
  read(sequence: number): RecordView | null;
}

interface OutletOptions {
  readonly host: AccountHost;
  readonly stream: { readonly config: { readonly name: string } };
  readonly config: ConsumerConfig;
  /** Absent: messages go out at once. */
  readonly deferral?: Deferral;
}

export class Outlet {
  private readonly deferral: Deferral | null;
  private prepared = { count: 0, consumerSequence: 0, left: 0 };
  private readonly host: AccountHost;
  /** `<stream>.<consumer>`. */
  private readonly names: string;
  private readonly flow: FlowControl;
  private readonly reply: AckReply;

  constructor({ host, stream, config, deferral }: OutletOptions) {
    this.host = host;
    this.deferral = deferral ?? null;
    this.names = `${stream.config.name}.${config.name}`;
    this.reply = new AckReply(this.names);
    this.flow = new FlowControl(config.flowControl);
  }

  /** The subscriber has been sent as much as it takes before it answers. */
  get isStalled(): boolean {
    return this.flow.isStalled;
  }

  /** Which message is delivered next. Its record holds until it has been. */
  prepare({ view, count, consumerSequence, left }: Delivery): void {
    const { sequence, timeLow, timeHigh } = view;
    if (this.deferral !== null) this.prepared = { count, consumerSequence, left };
    this.reply.set({ deliveries: count, sequence, consumerSequence, timeLow, timeHigh, pending: left });
  }

  /** Bytes that the delivery counts, as nats-server counts them. */
  sizeOf(view: RecordView, config: ConsumerConfig): number {
    const body = config.headersOnly ? headersAlone(view).length : view.bodyLength;
    return view.subjectLength + body + this.reply.length;
  }

  /** Delivers the message that was prepared. `pinId`: of the client that is pinned; "": none. Returns the bytes that it counts. */
  deliver(view: RecordView, lane: DeliveryLane, config: ConsumerConfig, pinId: string): number {
    const { deferral, prepared } = this;
    if (deferral === null) return this.deliverNow(view, lane, config, pinId);
    const { sequence } = view;
    deferral.later(() => {
      const there = deferral.read(sequence);
      if (there === null) return;
      this.prepare({ view: there, ...prepared });
      this.deliverNow(there, lane, config, pinId);
    });
    return this.sizeOf(view, config);
  }

  private deliverNow(view: RecordView, lane: DeliveryLane, config: ConsumerConfig, pinId: string): number {
    if (!config.headersOnly && pinId === "") {
      const written = this.write(view, lane);
      if (written > 0) return written;
    }
    const size = this.sizeOf(view, config);
    const headers = config.headersOnly ? headersAlone(view) : view.headers;
    const message: Outgoing = {
      subject: lane.subject,
      reply: this.reply,
      headers: pinId === "" ? headers : withPin(headers, pinId),
      payload: config.headersOnly ? EMPTY : view.payload,
      shownSubject: view.subject,
    };
    this.host.send(message);
    return size;
  }

  /** Straight into what the client is sent next. Returns the bytes that it counts; 0: it has to be sent in another way. */
  private write(view: RecordView, lane: DeliveryLane): number {
    const { memory, words: view8, subjectAt, subjectLength, headerLength, bodyLength } = view;
    const kind = headerLength > 0 ? "headed" : "plain";
    const start = lane.begin(subjectLength + this.reply.lengthMax + SIZES_MAX + bodyLength, kind);
    if (start === 0) return 0;
    let at = copyIn(writeVerb(start, kind), memory, view8, subjectAt, subjectLength);
    bytes[at++] = BLANK;
    const replyAt = lane.writeSid(at);
    const replyEnd = this.reply.write(replyAt);
    at = replyEnd;
    bytes[at++] = BLANK;
    if (headerLength > 0) {
      at = writeNumber(at, headerLength);
      bytes[at++] = BLANK;
    }
    at = writeNumber(at, bodyLength);
    words.setInt16(at, CRLF, true);
    at = copyIn(at + 2, memory, view8, subjectAt + subjectLength, bodyLength);
    words.setInt16(at, CRLF, true);
    lane.end(at + 2, bodyLength);
    return subjectLength + bodyLength + replyEnd - replyAt;
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

/** The headers of a message whose payload is left out. */
function headersAlone({ headers, payloadLength }: RecordView): string {
  const opened = headers === "" ? VERSION_LINE : headers.slice(0, -2);
  return `${opened}Nats-Msg-Size: ${payloadLength}\r\n\r\n`;
}
