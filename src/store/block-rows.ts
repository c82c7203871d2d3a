/**
 * Where the messages of one block lie: a row of 16 bytes for each, by ascending sequence. A block that is being written has its rows in
 * memory; those of a sealed one are read from its footer when they are needed (row-cache.ts).
 *
 *     0 u32 sequence, less the base   4 u32 offset   8 u32 length of the record; the highest bit: it has headers   12 u32 hash of the subject
 */
import { assert } from "../base/assert.ts";

export const ROW_WORDS = 4;
const START = 64;
const HAS_HEADERS = 0x8000_0000;

export class BlockRows {
  count = 0;
  words: Uint32Array;
  /** Sequence of the first row; 0: there is none. */
  base: number;

  constructor(base = 0, words: Uint32Array = new Uint32Array(START * ROW_WORDS), count = 0) {
    this.base = base;
    this.words = words;
    this.count = count;
  }

  add(sequence: number, offset: number, length: number, hash: number, hasHeaders: boolean): void {
    assert(length < HAS_HEADERS, "the length of a record leaves the highest bit free");
    if (this.count === 0) this.base = sequence;
    const at = this.count * ROW_WORDS;
    if (at === this.words.length) this.grow();
    const { words } = this;
    assert(sequence - this.base <= 0xffff_ffff, "the sequences of a block lie close together");
    words[at] = sequence - this.base;
    words[at + 1] = offset;
    words[at + 2] = hasHeaders ? length + HAS_HEADERS : length;
    words[at + 3] = hash;
    this.count++;
  }

  /** The row of the sequence; -1: it has none. */
  rowOf(sequence: number): number {
    const row = this.rowFrom(sequence);
    return row < this.count && this.sequenceAt(row) === sequence ? row : -1;
  }

  /** The first row with this sequence or a higher one; `count`: there is none. */
  rowFrom(sequence: number): number {
    const { words, count } = this;
    const delta = sequence - this.base;
    if (delta <= 0) return 0;
    // where no sequence is missing it lies at its distance from the base, otherwise before that
    if (delta < count && words[delta * ROW_WORDS] === delta) return delta;
    let low = 0;
    let high = Math.min(count, delta + 1);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (words[middle * ROW_WORDS]! < delta) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  sequenceAt(row: number): number {
    return this.base + this.words[row * ROW_WORDS]!;
  }

  offsetAt(row: number): number {
    return this.words[row * ROW_WORDS + 1]!;
  }

  lengthAt(row: number): number {
    return this.words[row * ROW_WORDS + 2]! & ~HAS_HEADERS;
  }

  hasHeadersAt(row: number): boolean {
    return this.words[row * ROW_WORDS + 2]! >= HAS_HEADERS;
  }

  hashAt(row: number): number {
    return this.words[row * ROW_WORDS + 3]!;
  }

  /** Gives back the room that was kept for more. */
  trim(): void {
    this.words = this.words.slice(0, this.count * ROW_WORDS);
  }

  private grow(): void {
    const larger = new Uint32Array(2 * this.words.length);
    larger.set(this.words);
    this.words = larger;
  }
}

/** Bits for the sequences from a base on: which of them have no message (any more). Null: all have one. */
export class Gaps {
  private bits = new Uint32Array(4);

  has(place: number): boolean {
    return ((this.bits[place >>> 5] ?? 0) & (1 << (place & 31))) !== 0;
  }

  add(place: number): void {
    const word = place >>> 5;
    if (word >= this.bits.length) this.grow(word);
    this.bits[word]! |= 1 << (place & 31);
  }

  /** How many runs of places there are in it, or a few more. */
  get runs(): number {
    let runs = 0;
    let before = 0;
    for (const word of this.bits) {
      const starts = word & ~((word << 1) | before);
      for (let left = starts; left !== 0; left &= left - 1) runs++;
      before = word >>> 31;
    }
    return runs;
  }

  /** The first place from `place` up to `end` that is none of them; `end`: there is none before it. */
  next(place: number, end: number): number {
    const { bits } = this;
    for (let at = place; at < end;) {
      const word = bits[at >>> 5] ?? 0;
      if (word === -1 >>> 0 && (at & 31) === 0) {
        at += 32;
        continue;
      }
      if ((word & (1 << (at & 31))) === 0) return at;
      at++;
    }
    return end;
  }

  /** How many of the places from `from` up to `to`, both included, are among them. */
  count(from: number, to: number): number {
    const { bits } = this;
    const last = Math.min(to, bits.length * 32 - 1);
    let sum = 0;
    for (let at = from; at <= last;) {
      const end = Math.min(last, at | 31);
      const wanted = (0xffff_ffff << (at & 31)) & (0xffff_ffff >>> (31 - (end & 31)));
      sum += ones(bits[at >>> 5]! & wanted);
      at = end + 1;
    }
    return sum;
  }

  private grow(word: number): void {
    const larger = new Uint32Array(Math.max(word + 1, 2 * this.bits.length));
    larger.set(this.bits);
    this.bits = larger;
  }
}

/** How many bits of a word of 32 are set. */
function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** Sequences without a row, up to `reach`; null: none. */
export function gapsBetween(rows: BlockRows, reach: number): Gaps | null {
  if (rows.count === 0 || reach - rows.base + 1 === rows.count) return null;
  const gaps = new Gaps();
  let expected = rows.base;
  for (let row = 0; row <= rows.count; row++, expected++) {
    const next = row === rows.count ? reach + 1 : rows.sequenceAt(row);
    for (; expected < next; expected++) gaps.add(expected - rows.base);
  }
  return gaps;
}

const BLOOM_BITS_PER_HASH = 8;

/** Which hashes a block may hold. One in about thirty that it does not hold is taken for one that it does. */
export class Bloom {
  readonly words: Uint32Array;

  constructor(words: Uint32Array) {
    this.words = words;
  }

  add(hash: number): void {
    const { words } = this;
    words[wordOf(hash) % words.length]! |= bitsOf(hash);
  }

  mayHave(hash: number): boolean {
    const { words } = this;
    const bits = bitsOf(hash);
    return (words[wordOf(hash) % words.length]! & bits) >>> 0 === bits >>> 0;
  }
}

/** Room for so many hashes. */
export function bloomWords(count: number): Uint32Array {
  return new Uint32Array(Math.max(1, Math.ceil((count * BLOOM_BITS_PER_HASH) / 32)));
}

function wordOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> 9;
}

/** Three of the 32 bits of one word. */
function bitsOf(hash: number): number {
  return (1 << (hash & 31)) | (1 << ((hash >>> 5) & 31)) | (1 << ((hash >>> 10) & 31));
}
