/**
 * What a stream holds: where each message lies, the subjects, and what can be asked of them. It changes nothing but for what it finds
 * damaged when it is read. Nothing here is asked of a disk but the messages themselves.
 */
import { BlockLog, type BlockLogOptions } from "./block-log.ts";
import type { Block } from "./block.ts";
import type { Disk } from "./disk.ts";
import { visitHeaded } from "./headed.ts";
import { findBack, findBackWithin } from "./look-back.ts";
import { MessageIndex } from "./message-index.ts";
import { Ranges } from "./ranges.ts";
import type { SubjectFilter } from "./subject-filter.ts";
import { ERASED, MESSAGE, RecordView } from "./record.ts";
import type { RowCache } from "./row-cache.ts";
import { scrubLog, type Finding } from "./scrub.ts";
import { SubjectTable } from "./subject-table.ts";

/** Messages or subjects. */
const COUNTED_AT_ONCE_MAX = 4000;

/** Messages that are looked at from the end before subjects are. */
const LOOKED_BACK_MAX = 2000;

/** What a message counts beside its contents, as in nats-server. */
const IN_MEMORY = 16;
const IN_FILE = 30;
const FOR_HEADERS = 4;

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
  /** As nats-server counts them: see `counted`. */
  bytes = 0;
  /** Time of the last message, nanoseconds since the epoch, in two words. */
  protected lastTimeLow = 0;
  protected lastTimeHigh = 0;
  /** Known missing: their records are damaged. */
  readonly lost = new Ranges();
  /** What lay where damage was found, in all. */
  protected damagedBytes = 0;
  readonly subjects = new SubjectTable();
  readonly log: BlockLog;
  readonly isInMemory: boolean;
  private readonly disk: Disk | null;
  /** A message that was there until now is found to be damaged. */
  protected onLost: (sequence: number) => void = () => {};
  protected readonly index: MessageIndex;
  protected readonly cache: RowCache;
  private readonly view = new RecordView();
  private readonly looked = new RecordView();

  constructor(
    options: Pick<BlockLogOptions, "disk" | "folder" | "blockBytes" | "sealedBlocks" | "birth">,
    cache: RowCache,
  ) {
    this.disk = options.disk;
    this.isInMemory = options.disk === null;
    this.cache = cache;
    this.log = new BlockLog({
      ...options,
      hashOf: (subject) => this.subjects.hashOf(subject),
      onSealed: (block) => this.sealed(block),
    });
    this.index = new MessageIndex({
      log: this.log,
      cache,
      subjects: this.subjects,
      subjectAt: (block, offset, length) =>
        length > 0 && this.log.read(this.looked, block, offset, length) ? this.looked.subject : "",
    });
  }

  /** Syncs take so long that nobody shall wait for one. */
  get isSlow(): boolean {
    return this.disk?.isSlow === true;
  }

  /** Forgets a message in memory. */
  protected abstract forget(sequence: number): void;

  /** Bytes on the disk of what is known missing, as far as they are known: where only a footer was found damaged, they are not. */
  get lostBytes(): number {
    return this.lost.count === 0 ? 0 : this.damagedBytes;
  }

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
    const { view, index } = this;
    if (!index.locate(sequence)) return null;
    if (this.readLocated(sequence) || (index.locateAgain(sequence) && this.readLocated(sequence))) {
      if (view.kind === MESSAGE) return view;
      this.forget(sequence); // it was erased, and the mark that says so was not on the disk when the power went
      return null;
    }
    this.damagedBytes += index.length;
    index.block!.isDamaged = true; // kept as it is: it says what is missing, and may be mended by hand
    this.lost.add(sequence, sequence);
    this.forget(sequence);
    this.onLost(sequence);
    return null;
  }

  /** False: there is no sound record where the message was located. */
  private readLocated(sequence: number): boolean {
    const { view, index, log } = this;
    const { block, offset, length } = index;
    if (length === 0 || !log.read(view, block!, offset, length) || view.sequence !== sequence) return false;
    return view.kind === MESSAGE || view.kind === ERASED;
  }

  /** Reads everything that is on the disk back, in slices (scrub.ts). */
  scrub(found: (finding: Finding) => void): Generator<number, void> {
    const { log, lost } = this;
    return scrubLog({
      log,
      read: (sequence) => this.read(sequence),
      next: (from, to) => this.next(from, null, Math.min(to, this.last)),
      hashOf: (subject) => this.subjects.hashOf(subject),
      lostCount: () => lost.count,
      found,
    });
  }

  has(sequence: number): boolean {
    return this.index.has(sequence);
  }

  /** "": there is no such message. */
  subjectOf(sequence: number): string {
    return this.index.locate(sequence) ? this.subjects.nameOf(this.index.number) : "";
  }

  /** Bytes of the message as nats-server counts them; 0: there is none. */
  bytesOf(sequence: number): number {
    const { index } = this;
    if (!index.locate(sequence) || index.length === 0) return 0;
    return this.counted(index.length, index.hasHeaders);
  }

  /** Bytes that a message would count. */
  bytesFor({ subject, headerLength, body }: Omit<NewMessage, "timeNs">): number {
    return this.counted(this.log.lengthOf(subject.length, body.length), headerLength > 0);
  }

  /**
   * Bytes of a message as nats-server counts them; limits are judged by these. In a file 30 bytes beside subject and payload, with
   * headers 4 more and the headers; in memory 16, and the headers.
   */
  protected counted(lengthOfRecord: number, hasHeaders: boolean): number {
    const content = lengthOfRecord - this.log.lengthOf(0, 0);
    if (this.isInMemory) return content + IN_MEMORY;
    return content + (hasHeaders ? IN_FILE + FOR_HEADERS : IN_FILE);
  }

  /** The same for some messages in a file. */
  protected countedAll(messages: number, lengthOfRecords: number, headed: number): number {
    return lengthOfRecords + messages * (IN_FILE - this.log.lengthOf(0, 0)) + headed * FOR_HEADERS;
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
    return this.index.find(start, to, this.subjects.filterOf(filters));
  }

  /**
   * The same, and no more than some messages are looked at. Below 0: nothing was found so far, and what is from that sequence on (without
   * its sign) has not been looked at.
   */
  nextWithin(from: number, filters: readonly string[] | null, to: number, messages: number): number {
    const start = Math.max(from, this.first);
    if (start > to) return 0;
    const filter = filters === null ? null : this.subjects.filterOf(filters);
    return this.index.findWithin(start, to, filter, messages);
  }

  /** As `nextWithin`, towards older messages: the last one up to `from`. */
  previousWithin(from: number, filters: readonly string[] | null, messages: number): number {
    const start = Math.min(from, this.last);
    if (start < this.first) return 0;
    const filter = filters === null ? null : this.subjects.filterOf(filters);
    const range = { from: start, to: this.first, rowsMax: messages };
    return findBackWithin(this.index, this.log.blocks, range, filter);
  }

  /** Messages that `nextWithin` has looked at, or as many as what it did takes. */
  get lookedAt(): number {
    return this.index.lookedAt;
  }

  /**
   * Hands over some of the messages from a sequence up to another on subjects that the patterns cover (null: any). Returns where to go on; 0:
   * all have been handed over.
   */
  visitSome(
    { from, to }: { readonly from: number; readonly to: number },
    filters: readonly string[] | null,
    messages: number,
    visit: (sequence: number, number: number) => void,
  ): number {
    const start = Math.max(from, this.first);
    if (start > to) return 0;
    const filter = filters === null ? null : this.subjects.filterOf(filters);
    return this.index.visitSome({ from: start, to }, filter, messages, visit);
  }

  /** Visits messages with headers, from a sequence on. */
  visitHeaded(from: number, visit: (sequence: number) => void): void {
    visitHeaded(this.index, this.log.blocks, Math.max(from, this.first), visit);
  }

  /** Whether no later message is on the subject of this number. */
  isLastOf(number: number, sequence: number): boolean {
    return number > 0 && this.lastOfNumber(number, this.last) === sequence;
  }

  /** The sequence of the first message with this time or a later one; last + 1: none. Times are taken to ascend. */
  atTime(timeNs: bigint): number {
    let low = this.first;
    let high = this.last + 1;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2); // their sum may be no safe number
      const there = this.index.find(middle, high - 1, null);
      if (there === 0 || this.timeOf(there) >= timeNs) high = middle;
      else low = there + 1;
    }
    return low > this.last ? low : this.index.find(low, this.last, null);
  }

  /** The last message on the subject, up to `to`; 0: none. */
  lastOf(subject: string, to = this.last): number {
    const number = this.subjects.numberOf(subject);
    return number === 0 ? 0 : this.lastOfNumber(number, to);
  }

  /** 0: there is none. */
  firstOf(subject: string): number {
    const { subjects } = this;
    const number = subjects.numberOf(subject);
    if (number === 0) return 0;
    const bound = subjects.firstOf(number);
    if (subjects.isFirstExact(number)) return bound;
    const first = this.index.findSubject(Math.max(bound, this.first), subjects.lastOf(number), number);
    if (first !== 0) subjects.setFirst(number, first);
    return first;
  }

  countOf(subject: string): number {
    return this.subjects.countOf(this.subjects.numberOf(subject));
  }

  /** How many messages the subject of this one has; 0: there is no such message, or it is damaged. */
  countOfSubjectAt(sequence: number): number {
    return this.index.locate(sequence) ? this.subjects.countOf(this.index.number) : 0;
  }

  /** The last message on any subject that the pattern covers, up to `to`; 0: none. Most patterns cover one of the newest messages. */
  lastMatching(pattern: string, to = this.last): number {
    const { subjects } = this;
    const filter = subjects.filterOf([pattern]);
    if (filter.only !== "") return this.lastOf(filter.only, to);
    if (this.messages === 0) return 0;
    const range = { from: Math.min(to, this.last), to: this.first, rowsMax: LOOKED_BACK_MAX };
    const near = findBackWithin(this.index, this.log.blocks, range, filter);
    if (near >= 0) return near;
    let last = 0;
    for (let number = 1; number < subjects.numbersEnd; number++) {
      if (subjects.lastOf(number) > last && filter.covers(number))
        last = Math.max(last, this.lastOfNumber(number, to));
    }
    return last;
  }

  /** How many messages from `from` on the patterns cover (null: all). */
  countFrom(from: number, filters: readonly string[] | null): number {
    if (from > this.last) return 0;
    if (filters === null) return from <= this.first ? this.messages : this.index.countLive(from, this.last);
    const filter = this.subjects.filterOf(filters);
    if (from > this.first && this.index.countLive(from, this.last) * 2 < this.messages)
      return this.index.count(from, this.last, filter);
    const before = from <= this.first ? 0 : this.index.count(this.first, from - 1, filter);
    return this.countCovered(filter) - before;
  }

  /** Whether `countFrom` looks at few messages and subjects. */
  isCountedAtOnce(from: number, filters: readonly string[] | null): boolean {
    if (filters === null || from > this.last) return true;
    const { subjects, index } = this;
    const isTotalKnown = subjects.filterOf(filters).only !== "" || subjects.numbersEnd <= COUNTED_AT_ONCE_MAX;
    if (from <= this.first) return isTotalKnown;
    const rows = index.countLive(from, this.last);
    return rows <= COUNTED_AT_ONCE_MAX || (isTotalKnown && this.messages - rows <= COUNTED_AT_ONCE_MAX);
  }

  /** A sequence that no message on a subject of the pattern lies before. */
  startOf(pattern: string): number {
    const { subjects } = this;
    const { only } = subjects.filterOf([pattern]);
    return only === "" ? this.first : Math.max(this.first, subjects.firstOf(subjects.numberOf(only)));
  }

  private countCovered(filter: SubjectFilter): number {
    const { subjects } = this;
    if (filter.only !== "") return this.countOf(filter.only);
    let sum = 0;
    for (let number = 1; number < subjects.numbersEnd; number++)
      if (filter.covers(number)) sum += subjects.countOf(number);
    return sum;
  }

  /** The subjects that the pattern covers, with their counts. */
  *subjectsMatching(pattern: string): Generator<{ subject: string; messages: number; last: number }> {
    const { subjects } = this;
    for (const number of this.numbersInSteps(pattern, Infinity)) {
      yield {
        subject: subjects.nameOf(number),
        messages: subjects.countOf(number),
        last: this.lastOfNumber(number, this.last),
      };
    }
  }

  /** Numbers of the subjects that the pattern covers; 0 each time after so many have been looked at, so that others have their turn. */
  *numbersInSteps(pattern: string, perStep: number): Generator<number> {
    const { subjects } = this;
    const { only } = subjects.filterOf([pattern]);
    if (only !== "") {
      const number = subjects.numberOf(only);
      if (number > 0) yield number;
      return;
    }
    let left = perStep;
    for (let number = 1; number < subjects.numbersEnd; number++) {
      if (left-- === 0) {
        yield 0;
        left = perStep - 1;
      }
      // the table may have forgotten its filters meanwhile
      if (subjects.filterOf([pattern]).covers(number)) yield number;
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

  protected lastOfNumber(number: number, to: number): number {
    const { subjects } = this;
    const bound = subjects.lastOf(number);
    if (bound <= to && subjects.isLastExact(number)) return bound;
    const range = { from: Math.min(to, bound, this.last), to: subjects.firstOf(number) };
    const last = findBack(this.index, this.log.blocks, range, number);
    if (bound <= to && last !== 0) subjects.setLast(number, last);
    return last;
  }

  /** All of a block has been written. */
  private sealed(block: Block): void {
    if (!this.log.finishing.has(block)) {
      if (block.bloom === null) this.index.seal(block);
      block.facts.marks.length = 0;
    }
    const { rows } = block;
    if (block.file !== null && rows !== null) this.cache.add(block, rows);
  }
}
