/**
 * A stream as it will be once everything that its leader has proposed is agreed on: what is judged next sees that. Sequences beyond the
 * last of the store are those of messages under way, in order.
 *
 * Bounded by MESSAGES_MAX and BYTES_MAX: what comes beyond is refused.
 */
import { assert } from "../../base/assert.ts";
import type { RecordView } from "../../store/record.ts";
import { subjectMatches } from "../../subject/subject.ts";
import type { JudgedStream, Operation } from "../stream/judge.ts";
import type { JudgedStore } from "../stream/judged-store.ts";
import type { Stream } from "../stream/stream.ts";

const MESSAGES_MAX = 20_000;
const BYTES_MAX = 32 * 1024 * 1024;
/** A batch may be larger by itself than what else is under way. */
const BATCHED_BYTES_MAX = 48 * 1024 * 1024;

/** A message that is proposed. */
export interface UnderWay {
  readonly sequence: number;
  readonly operation: Operation;
  /** Where it is confirmed; "": nowhere. */
  readonly reply: string;
}

export class InFlight implements JudgedStream {
  readonly store: JudgedStore;
  readonly duplicates: JudgedStream["duplicates"];
  private readonly stream: Stream;
  private readonly messages = new Map<number, UnderWay>();
  private readonly subjects = new Map<string, { count: number; last: number }>();
  private readonly ids = new Map<string, number>();
  private bytes = 0;
  private unwanted = 0;
  private lastProposed = 0;
  private lastIdProposed: string | null = null;

  constructor(stream: Stream) {
    this.stream = stream;
    this.store = new InFlightStore(stream, {
      messages: this.messages,
      subjects: this.subjects,
      last: () => this.last,
      kept: () => this.messages.size - this.unwanted,
    });
    this.duplicates = {
      find: (id, nowNs) => this.ids.get(id) ?? stream.duplicates.find(id, nowNs),
    };
  }

  get config(): JudgedStream["config"] {
    return this.stream.config;
  }
  get lastId(): string | null {
    return this.messages.size > 0 ? this.lastIdProposed : this.stream.lastId;
  }
  get problem(): string {
    return this.stream.problem;
  }
  get host(): JudgedStream["host"] {
    return this.stream.host;
  }

  /** The last sequence that was given to a message. */
  get last(): number {
    return Math.max(this.lastProposed, this.stream.store.last);
  }

  get underWay(): Iterable<UnderWay> {
    return this.messages.values();
  }

  get isFull(): boolean {
    return this.messages.size >= MESSAGES_MAX || this.bytes >= BYTES_MAX;
  }

  /** Whether a batch of so many bytes may be proposed at once. */
  hasRoomFor(bytes: number): boolean {
    return this.bytes + bytes <= BATCHED_BYTES_MAX;
  }

  add(operation: Operation, reply: string): number {
    const { subject, id, body, isUnwanted = false } = operation;
    const sequence = (this.lastProposed = this.last + 1);
    this.messages.set(sequence, { sequence, operation, reply });
    if (isUnwanted) this.unwanted++;
    else this.subjects.set(subject, { count: (this.subjects.get(subject)?.count ?? 0) + 1, last: sequence });
    if (id !== null) this.ids.set(id, sequence);
    this.lastIdProposed = id;
    this.bytes += body.length;
    return sequence;
  }

  /** No message has the sequences up to this one. */
  passOver(sequence: number): void {
    assert(sequence > this.last, "sequences ascend");
    this.lastProposed = sequence;
  }

  /** The message of a sequence is agreed on; undefined: it was proposed by another leader. */
  take(sequence: number): UnderWay | undefined {
    const found = this.messages.get(sequence);
    if (found === undefined) return undefined;
    const { subject, id, body, isUnwanted = false } = found.operation;
    this.messages.delete(sequence);
    if (isUnwanted) this.unwanted--;
    else this.takeOf(subject);
    if (id !== null && this.ids.get(id) === sequence) this.ids.delete(id);
    this.bytes -= body.length;
    return found;
  }

  private takeOf(subject: string): void {
    const there = this.subjects.get(subject);
    assert(there !== undefined, "the subject of a message under way is known");
    if (--there.count === 0) this.subjects.delete(subject);
  }

  /** The leadership is over: what is under way may be agreed on or not. */
  clear(): void {
    this.messages.clear();
    this.subjects.clear();
    this.ids.clear();
    this.bytes = this.unwanted = 0;
    this.lastProposed = 0;
    this.lastIdProposed = null;
  }
}

interface UnderWayFigures {
  readonly messages: ReadonlyMap<number, UnderWay>;
  readonly subjects: ReadonlyMap<string, { readonly count: number; readonly last: number }>;
  readonly last: () => number;
  /** Messages that are kept. */
  readonly kept: () => number;
}

class InFlightStore implements JudgedStore {
  private readonly stream: Stream;
  private readonly underWay: UnderWayFigures;

  constructor(stream: Stream, underWay: UnderWayFigures) {
    this.stream = stream;
    this.underWay = underWay;
  }

  get last(): number {
    return this.underWay.last();
  }
  get messages(): number {
    return this.stream.store.messages + this.underWay.kept();
  }
  get bytes(): number {
    let sum = this.stream.store.bytes;
    for (const { operation } of this.underWay.messages.values())
      if (operation.isUnwanted !== true) sum += this.stream.store.bytesFor(operation);
    return sum;
  }
  bytesFor(message: Parameters<JudgedStore["bytesFor"]>[0]): number {
    return this.stream.store.bytesFor(message);
  }
  bytesOf(sequence: number): number {
    return this.stream.store.bytesOf(sequence);
  }
  firstOf(subject: string): number {
    return this.stream.store.firstOf(subject);
  }
  countOf(subject: string): number {
    return this.stream.store.countOf(subject) + (this.underWay.subjects.get(subject)?.count ?? 0);
  }
  lastOf(subject: string): number {
    return this.underWay.subjects.get(subject)?.last ?? this.stream.store.lastOf(subject);
  }
  lastMatching(pattern: string): number {
    let last = 0;
    for (const [subject, one] of this.underWay.subjects)
      if (subjectMatches(pattern, subject)) last = Math.max(last, one.last);
    return last === 0 ? this.stream.store.lastMatching(pattern) : last;
  }
  read(sequence: number): Pick<RecordView, "body" | "headerLength"> | null {
    const found = this.underWay.messages.get(sequence);
    if (found === undefined) return this.stream.store.read(sequence);
    const { body, headerLength } = found.operation;
    return { body: Buffer.from(body.buffer, body.byteOffset, body.length), headerLength };
  }
}
