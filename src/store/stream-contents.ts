/**
 * What a stream holds: where each message lies, the subjects, and what can be asked of them. It changes nothing but for what it finds
 * damaged when it is read. Nothing here is asked of a disk but the messages themselves.
 */
import type { BlockLog } from "./block-log.ts";
import { MessageIndex } from "./message-index.ts";
import { Ranges } from "./ranges.ts";
import { MESSAGE, recordLength, RecordView } from "./record.ts";
import { SubjectTable } from "./subject-table.ts";

export interface NewMessage {
  /** A byte string. */
  readonly subject: string;
  readonly headerLength: number;
  /** Headers and payload; may change afterwards. */
  readonly body: Uint8Array;
  readonly timeNs: bigint;
}

export abstract class StreamContents {
  /** Lowest sequence of a message, or last + 1. */
  first = 1;
  last = 0;
  messages = 0;
  /** As nats-server counts them: see `storedBytes`. */
  bytes = 0;
  /** Of the last message, nanoseconds since the epoch, in two words. */
  protected lastTimeLow = 0;
  protected lastTimeHigh = 0;
  /** Known missing: their records are damaged. */
  readonly lost = new Ranges();
  readonly subjects = new SubjectTable();
  readonly log: BlockLog;
  readonly isInMemory: boolean;
  protected readonly index = new MessageIndex();
  private readonly view = new RecordView();

  constructor(log: BlockLog, isInMemory: boolean) {
    this.log = log;
    this.isInMemory = isInMemory;
  }

  /** Forgets a message in memory. */
  protected abstract forget(sequence: number): void;

  /** 0n: there was none. */
  get lastTimeNs(): bigint {
    return BigInt.asIntN(64, (BigInt(this.lastTimeHigh) << 32n) | BigInt(this.lastTimeLow));
  }

  set lastTimeNs(timeNs: bigint) {
    this.lastTimeLow = Number(timeNs & 0xffff_ffffn);
    this.lastTimeHigh = Number((timeNs >> 32n) & 0xffff_ffffn);
  }

  /** Null: there is no such message, or its record is damaged (then it is in `lost` from here on). Holds until the next call. */
  read(sequence: number): RecordView | null {
    const block = this.index.blockOf(sequence);
    if (block === 0) return null;
    const { view, index } = this;
    if (this.log.read(view, block, index.offsetOf(sequence), index.lengthOf(sequence))) {
      if (view.kind === MESSAGE && view.sequence === sequence) return view;
    }
    this.lost.add(sequence, sequence);
    this.forget(sequence);
    return null;
  }

  has(sequence: number): boolean {
    return this.index.blockOf(sequence) !== 0;
  }

  subjectOf(sequence: number): string {
    return this.subjects.nameOf(this.index.subjectOf(sequence));
  }

  /** Bytes of the message as nats-server counts them; 0: there is none. */
  bytesOf(sequence: number): number {
    if (!this.has(sequence)) return 0;
    return storedBytes(this.index.lengthOf(sequence), this.index.hasHeaders(sequence), this.isInMemory);
  }

  /** Bytes that a message would count. */
  bytesFor({ subject, headerLength, body }: Omit<NewMessage, "timeNs">): number {
    return storedBytes(recordLength(subject.length, body.length), headerLength > 0, this.isInMemory);
  }

  /** 0n: there is none. */
  timeOf(sequence: number): bigint {
    return this.read(sequence)?.timeNs ?? 0n;
  }

  /** The next message from `from` on whose subject one of the patterns covers (null: any); 0: none. */
  next(from: number, filters: readonly string[] | null, to = this.last): number {
    const start = Math.max(from, this.first);
    if (start > to) return 0;
    if (filters === null) return this.index.find(start, to, null);
    return this.index.find(start, to, this.subjects.matches(filters));
  }

  /** The sequence of the first message with this time or a later one; last + 1: none. Times are taken to ascend. */
  atTime(timeNs: bigint): number {
    let low = this.first;
    let high = this.last + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const there = this.index.find(middle, high - 1, null);
      if (there === 0 || this.timeOf(there) >= timeNs) high = middle;
      else low = there + 1;
    }
    return low > this.last ? low : this.index.find(low, this.last, null);
  }

  /** The last message on the subject, up to `to`; 0: none. */
  lastOf(subject: string, to = this.last): number {
    const number = this.subjects.numberOf(subject);
    if (number === 0) return 0;
    const last = this.subjects.lastOf(number);
    return last <= to ? last : this.lastBefore(number, to);
  }

  firstOf(subject: string): number {
    return this.subjects.firstOf(this.subjects.numberOf(subject));
  }

  countOf(subject: string): number {
    return this.subjects.countOf(this.subjects.numberOf(subject));
  }

  /** The last message on any subject that the pattern covers, up to `to`; 0: none. */
  lastMatching(pattern: string, to = this.last): number {
    let last = 0;
    for (const number of this.subjects.matching(pattern)) {
      const there = this.subjects.lastOf(number);
      last = Math.max(last, there <= to ? there : this.lastBefore(number, to));
    }
    return last;
  }

  /** How many messages from `from` on the patterns cover (null: all). */
  countFrom(from: number, filters: readonly string[] | null): number {
    if (from > this.last) return 0;
    if (from <= this.first) {
      if (filters === null) return this.messages;
      let sum = 0;
      const matches = this.subjects.matches(filters);
      for (let number = 1; number < matches.length; number++) {
        if (matches[number] === 1) sum += this.subjects.countOf(number);
      }
      return sum;
    }
    const matches = filters === null ? null : this.subjects.matches(filters);
    let sum = 0;
    for (let at = this.index.find(from, this.last, matches); at !== 0;) {
      sum++;
      at = at === this.last ? 0 : this.index.find(at + 1, this.last, matches);
    }
    return sum;
  }

  /** The subjects that the pattern covers, with their counts. */
  *subjectsMatching(pattern: string): Generator<{ subject: string; messages: number; last: number }> {
    const { subjects } = this;
    for (const number of subjects.matching(pattern)) {
      yield {
        subject: subjects.nameOf(number),
        messages: subjects.countOf(number),
        last: subjects.lastOf(number),
      };
    }
  }

  /** Sequences between first and last without a message, ascending. */
  *holes(): Generator<number> {
    for (let sequence = this.first; sequence <= this.last; sequence++)
      if (!this.has(sequence)) yield sequence;
  }

  get holeCount(): number {
    return this.last - this.first + 1 - this.messages;
  }

  protected lastBefore(subject: number, to: number): number {
    return this.index.findBack(Math.min(to, this.last), this.subjects.firstOf(subject), subject);
  }
}

/**
 * Bytes of a message as nats-server counts them; limits are judged by these. In a file 30 bytes beside subject and payload, with
 * headers 4 more and the headers; in memory 16, and the headers.
 */
export function storedBytes(lengthOfRecord: number, hasHeaders: boolean, isInMemory: boolean): number {
  const content = lengthOfRecord - recordLength(0, 0);
  if (isInMemory) return content + 16;
  return content + (hasHeaders ? 34 : 30);
}
