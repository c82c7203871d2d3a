/**
 * The messages that a publisher has under way, as bytes, one behind the other: all of the same length, so that only the digits in them are
 * written for each. What is written is sent before it is acknowledged, and changes afterwards.
 *
 *     PUB bench.0000007 _INBOX.bench.ack0.00000042 16 xxxxxxxxxxxxxxxx
 */
import type { WireClient } from "./client.ts";

const SUBJECT = "bench.";
const SUBJECT_DIGITS = 7;
const REPLY_DIGITS = 9;
const ZERO = 0x30;

/** The subject of a number. */
export function subjectOf(number: number): string {
  return `${SUBJECT}${String(number).padStart(SUBJECT_DIGITS, "0")}`;
}

export interface MessagesOptions {
  readonly bytes: number;
  /** How many are under way at most. */
  readonly window: number;
  /** Messages are on so many subjects, one after the other. */
  readonly subjects: number;
  /** Each message has an id. */
  readonly withIds: boolean;
  /** Prefix of the replies. */
  readonly inbox: string;
  /** The number of the first message. */
  readonly from: number;
}

export class Messages {
  private readonly options: MessagesOptions;
  private readonly memory: Buffer;
  private readonly length: number;
  /** Where the digits begin within each message. */
  private readonly subjectAt: number;
  private readonly replyAt: number;
  private readonly idAt: number;

  constructor(options: MessagesOptions) {
    this.options = options;
    const { bytes, window, withIds, inbox } = options;
    const number = "0".repeat(REPLY_DIGITS);
    const headers = withIds ? `NATS/1.0\r\nNats-Msg-Id: ${inbox}.${number}\r\n\r\n` : "";
    const sizes = withIds ? `${headers.length} ${headers.length + bytes}` : `${bytes}`;
    const head = `${withIds ? "HPUB" : "PUB"} ${subjectOf(0)} ${inbox}.${number} ${sizes}\r\n`;
    const one = Buffer.from(`${head}${headers}${"x".repeat(bytes)}\r\n`, "latin1");
    this.length = one.length;
    this.memory = Buffer.alloc(window * one.length, one);
    this.subjectAt = head.indexOf(SUBJECT) + SUBJECT.length;
    this.replyAt = head.indexOf(number, this.subjectAt + SUBJECT_DIGITS);
    this.idAt = withIds ? head.length + headers.indexOf(number) : -1;
  }

  /** Writes the messages from one up to another, which is not included. */
  send(client: WireClient, from: number, to: number): void {
    const { window } = this.options;
    for (let at = from; at < to;) {
      const first = at % window;
      const count = Math.min(to - at, window - first);
      for (let i = 0; i < count; i++) this.number(first + i, at + i);
      client.write(this.memory.subarray(first * this.length, (first + count) * this.length));
      at += count;
    }
  }

  private number(slot: number, message: number): void {
    const { subjects, from } = this.options;
    const at = slot * this.length;
    if (subjects > 1) this.digits(at + this.subjectAt, (from + message) % subjects, SUBJECT_DIGITS);
    this.digits(at + this.replyAt, message, REPLY_DIGITS);
    if (this.idAt >= 0) this.digits(at + this.idAt, message, REPLY_DIGITS);
  }

  private digits(at: number, value: number, count: number): void {
    const { memory } = this;
    let rest = value;
    for (let i = at + count - 1; i >= at; i--) {
      const next = (rest / 10) | 0;
      memory[i] = ZERO + rest - 10 * next;
      rest = next;
    }
  }
}
