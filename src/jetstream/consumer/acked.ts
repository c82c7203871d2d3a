/**
 * Which consumer and which message an acknowledgement is for, as its subject says:
 *
 *     $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>
 *     $JS.ACK.<domain>.<account hash>.<stream>.<consumer>.<deliveries>.…           eleven tokens or more
 *
 * Most are for the consumer that the one before was for: it is remembered by what stands in front of the deliveries.
 */
import { AREA, LINE_MAX } from "../../slab/layout.ts";
import { bytes, isText, readText, writeText } from "../../slab/memory.ts";

const DOT = 0x2e;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const PLAIN_TOKENS = 4;
const DOMAIN_TOKENS = 6;
const DOMAIN_FROM = 11;

export class Acked<Consumer> {
  consumer: Consumer | null = null;
  /** Sequence of the message in its stream. */
  sequence = 0;
  /** Up to the dot behind the consumer; "": none is remembered. */
  private prefix = "";
  private prefixTokens = 0;
  private readonly find: (stream: string, consumer: string) => Consumer | undefined;

  constructor(find: (stream: string, consumer: string) => Consumer | undefined) {
    this.find = find;
  }

  /** Consumers have come or gone. */
  forget(): void {
    this.prefix = "";
    this.consumer = null;
  }

  /** Sets `consumer` and `sequence`. False: there is no such consumer, or the subject is none of an acknowledgement. */
  read(subject: string): boolean {
    if (subject.length > LINE_MAX) return false;
    writeText(AREA.hashed.at, subject);
    return this.readAt(AREA.hashed.at, subject.length);
  }

  /** The same for a subject that lies in the slab. */
  readAt(at: number, length: number): boolean {
    return (
      (this.isRemembered(at, length) && this.readRest(at, length)) ||
      (this.learn(readText(at, length)) && this.readRest(at, length))
    );
  }

  private isRemembered(at: number, length: number): boolean {
    const { prefix } = this;
    return prefix !== "" && length > prefix.length && isText(at, prefix);
  }

  private learn(subject: string): boolean {
    const tokens = subject.split(".");
    const count = tokens.length >= DOMAIN_FROM ? DOMAIN_TOKENS : PLAIN_TOKENS;
    const [stream = "", consumer = ""] = tokens.slice(count - 2, count);
    this.consumer = this.find(stream, consumer) ?? null;
    this.prefix = this.consumer === null ? "" : `${tokens.slice(0, count).join(".")}.`;
    this.prefixTokens = count;
    return this.consumer !== null;
  }

  /** What stands behind the prefix. False: there is no sequence, or the subject has the other form. */
  private readRest(at: number, length: number): boolean {
    let token = 0;
    let sequence = 0;
    let digits = 0;
    const end = at + length;
    for (let i = at + this.prefix.length; i < end; i++) {
      const code = bytes[i]!;
      if (code === DOT) token++;
      else if (token === 1) {
        if (code < DIGIT_0 || code > DIGIT_9) return false;
        sequence = sequence * 10 + (code - DIGIT_0);
        digits++;
      }
    }
    const isDomain = this.prefixTokens + token + 1 >= DOMAIN_FROM;
    if (isDomain !== (this.prefixTokens === DOMAIN_TOKENS)) return false;
    this.sequence = sequence;
    return digits > 0 && Number.isSafeInteger(sequence);
  }
}
