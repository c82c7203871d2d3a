/**
 * Messages that ask for nothing but to be stored, to a stream that does nothing else with them: those without headers of JetStream's own, but
 * for an id. They go from the slab into the block that is being written, and nothing is made for one. All others are judged
 * (`judge.ts`), and so are these wherever one of them might be refused.
 *
 * The clock is read once in a turn, and so is what the account may still store: messages of one turn follow each other by a nanosecond.
 */
import { bytes, isText, readText, words } from "../../slab/memory.ts";
import type { Message } from "../../protocol/message.ts";
import { emptyMessage, type PlacedMessage } from "../../store/record.ts";
import type { AccountHost } from "../host.ts";
import type { StreamConfig } from "./config.ts";
import { FAST_REPLY } from "./fast-batches.ts";

const SUBJECT_MAX = 65_535;
/** nats-server keeps the length of headers in 16 bits. */
const HEADERS_MAX = 65_535;
/** How headers begin that JetStream may know, as a word and a dash: `Nats-`. */
const OWN = 0x7374614e;
const OWN_LENGTH = 4;
const DASH = 0x2d;
const ID = "Nats-Msg-Id:";
const CR = 0x0d;
const LF = 0x0a;
const CRLF_LENGTH = 2;
/** What a record has beside its message is less. */
const RECORD_REST = 64;
const LOW_MAX = 0xffff_ffff;

export class PlainMessages {
  private readonly host: Pick<AccountHost, "nowNs">;
  private readonly bytesLeft: () => number;
  private isOn = false;
  private sizeMax = Infinity;
  private left = 0;
  /** Id of the message that was taken last; null: it has none. */
  id: string | null = null;
  /** When the turn began, milliseconds. */
  timeMs = 0;
  private readonly placed: PlacedMessage = { ...emptyMessage(), memory: bytes, words };

  constructor(host: Pick<AccountHost, "nowNs">, bytesLeft: () => number) {
    this.host = host;
    this.bytesLeft = bytesLeft;
  }

  configure(config: StreamConfig): void {
    const { discard, maxMessages, maxBytes, maxMessageBytes } = config;
    const mayRefuse = discard === "new" && (maxMessages > 0 || maxBytes > 0 || config.discardNewPerSubject);
    const isChanged = config.subjectTransform !== null || config.allowCounter || config.allowSchedules;
    const goesOn =
      config.republish !== null ||
      config.mirror !== null ||
      config.sources.length > 0 ||
      config.retention === "interest";
    this.isOn = !config.sealed && !mayRefuse && !isChanged && !goesOn;
    this.sizeMax = maxMessageBytes >= 0 ? maxMessageBytes : Infinity;
  }

  /** The first message of a turn comes. */
  begin(): void {
    const timeNs = this.host.nowNs();
    this.placed.timeLow = Number(timeNs & 0xffff_ffffn);
    this.placed.timeHigh = Number(timeNs >> 32n);
    this.timeMs = Number(timeNs) / 1e6;
    this.left = this.bytesLeft();
  }

  /** Whether the message can be stored without being judged. */
  takes(message: Message): boolean {
    const { headerLength, body, size, subjectLength, at, replyFrom, replyLength, shownLength } = message;
    if (!this.isOn || body !== null || size > this.sizeMax || shownLength > 0) return false;
    this.id = null;
    if (headerLength > 0 && !this.takesHeaders(at + message.payloadFrom, headerLength)) return false;
    if (subjectLength > SUBJECT_MAX || size + subjectLength + RECORD_REST > this.left) return false;
    const fast = FAST_REPLY.length;
    return replyLength < fast || !isText(at + replyFrom + replyLength - fast, FAST_REPLY);
  }

  /** The message as it is stored, until the next one is placed. */
  place(subject: string, message: Message): PlacedMessage {
    const { placed } = this;
    const { at, payloadFrom, size, subjectLength } = message;
    placed.headerLength = message.headerLength;
    placed.subject = subject;
    placed.bodyAt = at + payloadFrom;
    placed.bodyLength = size;
    this.left -= size + subjectLength + RECORD_REST;
    if (placed.timeLow < LOW_MAX) placed.timeLow++;
    else {
      placed.timeLow = 0;
      placed.timeHigh++;
    }
    return placed;
  }

  /** Whether they ask for nothing; sets `id`. */
  private takesHeaders(from: number, length: number): boolean {
    if (length > HEADERS_MAX) return false;
    const end = from + length;
    let at = lineBehind(from, end);
    while (at > 0 && at < end) {
      const next = lineBehind(at, end);
      if (next > 0 && words.getInt32(at, true) === OWN && bytes[at + OWN_LENGTH] === DASH) {
        if (this.id !== null || !isText(at, ID)) return false;
        const value = at + ID.length;
        this.id = readText(value, next - CRLF_LENGTH - value).trim();
      }
      at = next;
    }
    if (this.id === "") this.id = null;
    return at === end;
  }
}

/** Behind the end of the line; 0: there is none, or it ends otherwise. */
function lineBehind(from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== LF) at++;
  return at < end && bytes[at - 1] === CR ? at + 1 : 0;
}
