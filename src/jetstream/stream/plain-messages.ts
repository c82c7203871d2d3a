/**
 * Messages that ask for nothing but to be stored: without headers, to a stream that does nothing else with them. They go from the slab into
 * the block that is being written, and nothing is made for one. All others are judged (`judge.ts`), and so are these wherever one of
 * them might be refused.
 *
 * The clock is read once in a turn, and so is what the account may still store: messages of one turn follow each other by a nanosecond.
 */
import { bytes, isText, words } from "../../slab/memory.ts";
import type { Message } from "../../protocol/message.ts";
import type { PlacedMessage } from "../../store/record.ts";
import type { AccountHost } from "../host.ts";
import type { StreamConfig } from "./config.ts";
import { FAST_REPLY } from "./fast-batches.ts";

const SUBJECT_MAX = 65_535;
/** What a record has beside its message is less. */
const RECORD_REST = 64;
const LOW_MAX = 0xffff_ffff;

export class PlainMessages {
  private readonly host: Pick<AccountHost, "nowNs">;
  private readonly bytesLeft: () => number;
  private isOn = false;
  private sizeMax = Infinity;
  private left = 0;
  private readonly placed: PlacedMessage = {
    subject: "",
    memory: bytes,
    words,
    bodyAt: 0,
    bodyLength: 0,
    headerLength: 0,
    timeLow: 0,
    timeHigh: 0,
  };

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
    this.left = this.bytesLeft();
  }

  /** Whether the message can be stored without being judged. */
  takes(message: Message): boolean {
    const { headerLength, body, size, subjectLength, at, replyFrom, replyLength, shownLength } = message;
    if (!this.isOn || headerLength > 0 || body !== null || size > this.sizeMax || shownLength > 0)
      return false;
    if (subjectLength > SUBJECT_MAX || size + subjectLength + RECORD_REST > this.left) return false;
    const fast = FAST_REPLY.length;
    return replyLength < fast || !isText(at + replyFrom + replyLength - fast, FAST_REPLY);
  }

  /** The message as it is stored, until the next one is placed. */
  place(subject: string, { at, payloadFrom, size, subjectLength }: Message): PlacedMessage {
    const { placed } = this;
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
}
