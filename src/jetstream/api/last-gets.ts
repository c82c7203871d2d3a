/**
 * Direct gets of the last message on a subject that the request names: most gets are such, those of key-value stores above all. They wait
 * for the end of the turn and are answered straight into what their clients are sent next, so that nothing is made for one.
 */
import { KnownTexts } from "../../slab/known-texts.ts";
import { bytes, copyIn, digitsOf, writeNumber, writeText } from "../../slab/memory.ts";
import type { RecordView } from "../../store/record.ts";
import type { Incoming } from "../host.ts";
import { HeldAnswers, textOf, type AnswerHost, type Confirmation } from "../stream/held-answers.ts";
import type { Stream } from "../stream/stream.ts";
import { VERSION_LINE } from "../headers.ts";
import { TimeStamp } from "./time-stamp.ts";

const SEQUENCE = "\r\nNats-Sequence: ";
const TIME = "\r\nNats-Time-Stamp: ";
const END = "\r\n\r\n";
const LINE_END = "\r\n";

export interface LastGetsHost {
  /** Answers in another way; the message may be gone. */
  answer(sequence: number, reply: string): void;
}

export class LastGets implements AnswerHost {
  private readonly stream: Stream;
  private readonly host: LastGetsHost;
  private readonly held = new HeldAnswers();
  private readonly subjects = new KnownTexts();
  private readonly time = new TimeStamp();
  private readonly start: Buffer;
  private readonly startWords: DataView;
  private isDue = false;

  constructor(stream: Stream, host: LastGetsHost) {
    this.stream = stream;
    this.host = host;
    this.start = Buffer.from(`Nats-Stream: ${stream.config.name}\r\nNats-Subject: `, "latin1");
    this.startWords = new DataView(this.start.buffer, this.start.byteOffset, this.start.length);
  }

  /** `from`: where the subject begins that is asked for. False: it is another request, or there is no message. */
  take({ message }: Incoming, from: number): boolean {
    if (message === undefined || message.replyLength === 0) return false;
    const { at, subjectFrom, subjectLength, subjectHash, size, headerLength } = message;
    if (size > headerLength || subjectLength <= from) return false;
    const subject = this.subjects.find(at + subjectFrom + from, subjectLength - from, subjectHash);
    const sequence = this.stream.store.lastOf(subject);
    if (sequence === 0) return false;
    this.held.confirm(bytes, at + message.replyFrom, message.replyLength, sequence);
    if (this.isDue) return true;
    this.isDue = true;
    this.stream.host.afterwards(() => {
      this.isDue = false;
      this.held.release(this.held.count, this);
    });
    return true;
  }

  send({ reply }: { readonly reply: string }): void {
    this.host.answer(0, reply);
  }

  /** The answer to one of them: the message of the sequence that was found. */
  confirm(get: Confirmation): void {
    const { sequence } = get;
    const view = this.stream.store.read(sequence);
    if (view === null || !this.write(get, view)) this.host.answer(sequence, textOf(get));
  }

  private write(get: Confirmation, view: RecordView): boolean {
    const { time, start, startWords } = this;
    const { memory, words, subjectAt, subjectLength, headerLength, payloadLength, sequence } = view;
    time.set(view.timeLow, view.timeHigh);
    const bodyAt = subjectAt + subjectLength;
    const own = headerLength === 0 ? VERSION_LINE.length : headerLength - LINE_END.length;
    const told =
      start.length + subjectLength + SEQUENCE.length + digitsOf(sequence) + TIME.length + time.length;
    const headers = own + told + END.length;
    const { answers } = this.stream.host;
    let at = answers.begin(get, headers + payloadLength, headers);
    if (at === 0) return false;
    at = headerLength === 0 ? writeText(at, VERSION_LINE) : copyIn(at, memory, words, bodyAt, own);
    at = copyIn(copyIn(at, start, startWords, 0, start.length), memory, words, subjectAt, subjectLength);
    at = writeText(writeNumber(writeText(at, SEQUENCE), sequence), TIME);
    at = writeText(time.write(at), END);
    at = copyIn(at, memory, words, bodyAt + headerLength, payloadLength);
    answers.end(writeText(at, LINE_END), headers + payloadLength);
    return true;
  }
}
