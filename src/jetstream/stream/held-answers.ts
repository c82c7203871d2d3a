/**
 * Answers that wait, in the order they were given. Most confirm one message to an inbox: of those the subject is kept as bytes, end to
 * end with the others', so that nothing is made for one. Bounded by what publishers have under way.
 *
 *     bytes   | _INBOX.a.1 | _INBOX.a.2 |  | _INBOX.b.9 |
 *     ends              10           20 20           30      behind the subject; of another answer (its text is in `others`) as before
 */
import { assert } from "../../base/assert.ts";

const START = 64;
const BYTES_START = 2048;
/** Room that is kept when nothing waits. */
const BYTES_KEPT = 256 * 1024;

export interface CommitAnswer {
  readonly reply: string;
  readonly payload: string;
}

/** A piece of memory outside the slab; `words` is all of `memory`. */
export interface Piece {
  memory: Buffer;
  words: DataView;
  at: number;
  length: number;
}

/** The subject to which a message is confirmed, and its sequence. */
export interface Confirmation extends Piece {
  sequence: number;
}

export interface AnswerHost {
  send(answer: CommitAnswer): void;
  /** Holds until this returns. */
  confirm(confirmation: Confirmation): void;
}

export class HeldAnswers {
  private bytes = Buffer.allocUnsafeSlow(BYTES_START);
  private ends = new Uint32Array(START);
  /** 0: the answer is one of `others`. */
  private sequences = new Float64Array(START);
  private readonly others: CommitAnswer[] = [];
  private from = 0;
  private to = 0;
  /** Where the subject of the first begins. */
  private start = 0;
  private readonly first: Confirmation;

  constructor() {
    const { bytes: memory } = this;
    this.first = { memory, words: wordsOf(memory), at: 0, length: 0, sequence: 0 };
  }

  get count(): number {
    return this.to - this.from;
  }

  add(answer: CommitAnswer): void {
    this.others.push(answer);
    this.push(0, this.end);
  }

  /** Confirms the message of a sequence to the subject that lies there. */
  confirm(memory: Uint8Array, at: number, length: number, sequence: number): void {
    assert(sequence > 0, "what is confirmed has a sequence");
    const { end } = this;
    if (end + length > this.bytes.length) this.makeRoom(length);
    const from = this.end;
    const { bytes } = this;
    for (let i = 0; i < length; i++) bytes[from + i] = memory[at + i]!;
    this.push(sequence, from + length);
  }

  /** The first `count` are sent. More may come meanwhile. */
  release(count: number, host: AnswerHost): void {
    assert(count <= this.count, "an answer is released once");
    for (let i = 0; i < count; i++) {
      const { first } = this;
      const sequence = this.take();
      if (sequence === 0) host.send(this.others.shift()!);
      else host.confirm(first);
    }
    if (this.from === this.to) this.reset();
  }

  /** Takes all of them. */
  takeAll(): CommitAnswer[] {
    const all: CommitAnswer[] = [];
    this.release(this.count, {
      send: (answer) => all.push(answer),
      confirm: (confirmation) => all.push({ reply: textOf(confirmation), payload: "" }),
    });
    return all;
  }

  private get end(): number {
    return this.to === this.from ? this.start : this.ends[this.to - 1]!;
  }

  /** Sets `first`, and returns its sequence. */
  private take(): number {
    const { first, from, bytes } = this;
    const end = this.ends[from]!;
    if (first.memory !== bytes) {
      first.memory = bytes;
      first.words = wordsOf(bytes);
    }
    first.at = this.start;
    first.length = end - this.start;
    first.sequence = this.sequences[from]!;
    this.start = end;
    this.from = from + 1;
    return first.sequence;
  }

  private push(sequence: number, end: number): void {
    if (this.to === this.ends.length) this.makeEntries();
    this.ends[this.to] = end;
    this.sequences[this.to++] = sequence;
  }

  /** More entries, or the same ones closer together: in new memory, since one that is being sent may lie in the old. */
  private makeEntries(): void {
    const { from, to, count } = this;
    const capacity = Math.max(START, count * 2 > this.ends.length ? this.ends.length * 2 : this.ends.length);
    const ends = new Uint32Array(capacity);
    const sequences = new Float64Array(capacity);
    ends.set(this.ends.subarray(from, to));
    sequences.set(this.sequences.subarray(from, to));
    this.ends = ends;
    this.sequences = sequences;
    this.from = 0;
    this.to = count;
  }

  private makeRoom(length: number): void {
    const { start, end, from, to, ends } = this;
    const used = end - start;
    const bytes = Buffer.allocUnsafeSlow(Math.max(BYTES_START, 2 * (used + length)));
    this.bytes.copy(bytes, 0, start, end);
    for (let i = from; i < to; i++) ends[i] = ends[i]! - start;
    this.bytes = bytes;
    this.start = 0;
  }

  private reset(): void {
    this.from = this.to = this.start = 0;
    if (this.bytes.length > BYTES_KEPT) this.bytes = Buffer.allocUnsafeSlow(BYTES_START);
    if (this.ends.length > BYTES_KEPT) {
      this.ends = new Uint32Array(START);
      this.sequences = new Float64Array(START);
    }
  }
}

function wordsOf(memory: Buffer): DataView {
  return new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
}

export function textOf({ memory, at, length }: Piece): string {
  return memory.toString("latin1", at, at + length);
}
