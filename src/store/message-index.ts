/**
 * Where each message of a stream lies, by its sequence: typed arrays in chunks, 20 bytes for each sequence between the first and
 * the last. A removed message leaves a hole, which keeps its link to the next message of the same subject.
 */
import { assert } from "../base/assert.ts";

const CHUNK = 8192;
const CHUNK_START = 64;
const HAS_HEADERS = 0x8000_0000;

export interface MessagePlace {
  /** Number of the block, above 0. */
  readonly block: number;
  readonly offset: number;
  /** Of the record. */
  readonly length: number;
  readonly hasHeaders: boolean;
  /** Number of the subject. */
  readonly subject: number;
}

interface Chunk {
  /** Number of the block; 0: no message. */
  block: Uint32Array;
  offset: Uint32Array;
  /** Length of the record; the highest bit: it has headers. */
  length: Uint32Array;
  subject: Uint32Array;
  /** Distance to the next message of the same subject; 0: none yet, or too far to say. */
  next: Uint32Array;
}

export class MessageIndex {
  private readonly chunks = new Map<number, Chunk>();
  private lastNumber = -1;
  private lastChunk: Chunk | null = null;
  private lowest = Infinity;

  set(sequence: number, place: MessagePlace): void {
    const { block, offset, length, subject } = place;
    assert(block > 0, "a message lies in a block");
    assert(length < HAS_HEADERS, "the length of a record leaves the highest bit free");
    const chunk = this.chunkWithRoom(sequence);
    const i = sequence % CHUNK;
    chunk.block[i] = block;
    chunk.offset[i] = offset;
    chunk.length[i] = place.hasHeaders ? length | HAS_HEADERS : length;
    chunk.subject[i] = subject;
    chunk.next[i] = 0;
  }

  /** 0: there is no such message. */
  blockOf(sequence: number): number {
    return this.chunkOf(sequence)?.block[sequence % CHUNK] ?? 0;
  }

  offsetOf(sequence: number): number {
    return this.chunkOf(sequence)?.offset[sequence % CHUNK] ?? 0;
  }

  lengthOf(sequence: number): number {
    return (this.chunkOf(sequence)?.length[sequence % CHUNK] ?? 0) & ~HAS_HEADERS;
  }

  hasHeaders(sequence: number): boolean {
    return (this.chunkOf(sequence)?.length[sequence % CHUNK] ?? 0) >= HAS_HEADERS;
  }

  /** Also of a message that was removed, while its place is known. */
  subjectOf(sequence: number): number {
    return this.chunkOf(sequence)?.subject[sequence % CHUNK] ?? 0;
  }

  /** The next sequence of the same subject, removed or not; 0: not known. */
  nextOf(sequence: number): number {
    const distance = this.chunkOf(sequence)?.next[sequence % CHUNK] ?? 0;
    return distance === 0 ? 0 : sequence + distance;
  }

  link(sequence: number, next: number): void {
    const chunk = this.chunkOf(sequence);
    const distance = next - sequence;
    assert(distance > 0, "a later message follows an earlier one");
    if (chunk !== null && distance <= 0xffff_ffff) chunk.next[sequence % CHUNK] = distance;
  }

  remove(sequence: number): void {
    const chunk = this.chunkOf(sequence);
    if (chunk !== null) chunk.block[sequence % CHUNK] = 0;
  }

  move(sequence: number, offset: number): void {
    const chunk = this.chunkOf(sequence);
    assert(chunk !== null, "only messages that are there move");
    chunk.offset[sequence % CHUNK] = offset;
  }

  /** Places below are forgotten. */
  dropBelow(sequence: number): void {
    const keep = Math.floor(sequence / CHUNK);
    if (keep - this.lowest > this.chunks.size) {
      for (const number of this.chunks.keys()) if (number < keep) this.chunks.delete(number);
      this.lowest = keep;
    }
    for (; this.lowest < keep; this.lowest++) this.chunks.delete(this.lowest);
    if (this.lastNumber < keep) this.forgetLast();
  }

  clear(): void {
    this.chunks.clear();
    this.lowest = Infinity;
    this.forgetLast();
  }

  /** The first sequence from `from` up to `to` with a message on a subject that `matches` (null: any); 0: none. */
  find(from: number, to: number, matches: Uint8Array | null): number {
    for (let sequence = from; sequence <= to;) {
      const chunk = this.chunkOf(sequence);
      const end = Math.min(to, sequence - (sequence % CHUNK) + CHUNK - 1);
      if (chunk !== null) {
        const { block, subject } = chunk;
        for (; sequence <= end; sequence++) {
          const i = sequence % CHUNK;
          if (i >= block.length) break;
          if (block[i] !== 0 && (matches === null || matches[subject[i]!] === 1)) return sequence;
        }
      }
      sequence = end + 1;
    }
    return 0;
  }

  /** The last sequence from `from` down to `to` with a message on this subject; 0: none. */
  findBack(from: number, to: number, subject: number): number {
    for (let sequence = from; sequence >= to; sequence--) {
      if (this.subjectOf(sequence) === subject && this.blockOf(sequence) !== 0) return sequence;
    }
    return 0;
  }

  private chunkOf(sequence: number): Chunk | null {
    const number = Math.floor(sequence / CHUNK);
    if (number === this.lastNumber) return this.lastChunk;
    const chunk = this.chunks.get(number) ?? null;
    this.lastNumber = number;
    this.lastChunk = chunk;
    return chunk;
  }

  private chunkWithRoom(sequence: number): Chunk {
    const number = Math.floor(sequence / CHUNK);
    let chunk = this.chunkOf(sequence);
    if (chunk === null) {
      chunk = newChunk(CHUNK_START);
      this.chunks.set(number, chunk);
      this.lowest = Math.min(this.lowest, number);
      this.lastChunk = chunk;
    }
    const i = sequence % CHUNK;
    if (i >= chunk.block.length) grow(chunk, i);
    return chunk;
  }

  private forgetLast(): void {
    this.lastNumber = -1;
    this.lastChunk = null;
  }
}

function newChunk(size: number): Chunk {
  return {
    block: new Uint32Array(size),
    offset: new Uint32Array(size),
    length: new Uint32Array(size),
    subject: new Uint32Array(size),
    next: new Uint32Array(size),
  };
}

function grow(chunk: Chunk, place: number): void {
  let size = chunk.block.length;
  while (size <= place) size *= 2;
  const larger = newChunk(Math.min(size, CHUNK));
  larger.block.set(chunk.block);
  larger.offset.set(chunk.offset);
  larger.length.set(chunk.length);
  larger.subject.set(chunk.subject);
  larger.next.set(chunk.next);
  Object.assign(chunk, larger);
}
