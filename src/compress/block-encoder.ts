/**
 * Blocks of S2 on their way into their compressed form (block-decoder.ts shows it). What the next four bytes are is looked up in a table
 * of where they were last; the higher levels also look at places before that, and at the next byte before they settle for a copy.
 *
 * Tables are not cleared between blocks: places count on from block to block, and places before the block under way count for nothing.
 * Bounded by the tables of each encoder, which may serve any number of streams, since no block refers to another one.
 */
import { assertOwn } from "../base/assert.ts";
import { BLOCK_MAX } from "./block-decoder.ts";
import { BlockWriter } from "./block-writer.ts";

/** How hard to try: as S2 calls it. */
export type Level = "fast" | "better" | "best";

/** Shorter blocks are not worth it. */
const PACK_MIN = 32;
/** What must be saved of a block: one part in so many. */
const WORTH_SHIFT = 5;
const HASH_FACTOR = 0x9e3779b1 | 0;
const HASH_BITS: Readonly<Record<Level, number>> = { fast: 14, better: 16, best: 17 };
/** Places that are looked at. */
const DEPTH: Readonly<Record<Level, number>> = { fast: 1, better: 3, best: 16 };
/** Places that chains remember: bytes back from where the encoder is. */
const CHAIN_SIZE = 128 * 1024;
/** Places beyond this begin again. */
const PLACES_MAX = 2 ** 31 - 2 * BLOCK_MAX;
const MATCH_MIN = 4;
/** Copies from further back take 5 bytes, which shorter ones are not worth. */
const NEAR = 65_535;
const FAR_MATCH_MIN = 7;
/** Near its end the block is not looked at any more, so that whole words can be read. */
const MARGIN = 8;
/** Where nothing is found, steps grow by one for so many bytes (as a power of two). */
const SKIP_SHIFT = 6;
/** A match of that length is good enough: the next byte is not looked at. */
const GOOD_ENOUGH = 64;
const EMPTY: DataView = new DataView(new ArrayBuffer(0));

/** Bytes that `pack` may write for a block of `length` bytes. */
export function packedMax(length: number): number {
  return length + Math.ceil(length / 32) + 16;
}

export class BlockEncoder {
  readonly level: Level;
  private readonly table: Int32Array;
  private readonly shift: number;
  private readonly depth: number;
  /** The place before, for each place; null: one place is looked at. */
  private readonly chain: Int32Array | null;
  /** The place of the first byte of the block under way; 0 is no place. */
  private base = 1;
  private words = EMPTY;
  private length = 0;
  /** The match that was found last. */
  private matchBack = 0;
  private matchLength = 0;

  constructor(level: Level) {
    this.level = level;
    this.table = new Int32Array(1 << HASH_BITS[level]);
    this.shift = 32 - HASH_BITS[level];
    this.depth = DEPTH[level];
    this.chain = this.depth === 1 ? null : new Int32Array(CHAIN_SIZE);
  }

  /** Packs `source` to the beginning of `target`, which has room for `packedMax` bytes. Returns the bytes; 0: it is not worth it. */
  pack(source: Uint8Array, target: Uint8Array): number {
    const { length } = source;
    assertOwn(length <= BLOCK_MAX, "a block of S2 is no longer than 4 MiB");
    assertOwn(target.length >= packedMax(length), "what does not compress has room, too");
    if (length < PACK_MIN) return 0;
    this.begin(source);
    const writer = new BlockWriter(source, target);
    if (this.chain === null) this.packFast(source, writer);
    else this.packWell(this.chain, writer);
    this.words = EMPTY;
    this.base += length;
    const packed = writer.finish();
    return packed <= length - (length >>> WORTH_SHIFT) ? packed : 0;
  }

  private begin(source: Uint8Array): void {
    this.words = new DataView(source.buffer, source.byteOffset, source.length);
    this.length = source.length;
    if (this.base <= PLACES_MAX) return;
    this.table.fill(0);
    this.chain?.fill(0);
    this.base = 1;
  }

  // ---- one place for each hash, and the first match that comes ----

  private packFast(source: Uint8Array, writer: BlockWriter): void {
    const { words, table, shift, base } = this;
    const limit = this.length - MARGIN;
    let at = 1;
    let anchor = 0;
    let back = 0;
    table[Math.imul(words.getInt32(0, true), HASH_FACTOR) >>> shift] = base;
    while (at < limit) {
      const word = words.getInt32(at, true);
      const slot = Math.imul(word, HASH_FACTOR) >>> shift;
      let from = table[slot]! - base;
      table[slot] = base + at;
      if (back > 0 && words.getInt32(at + 1 - back, true) === words.getInt32(at + 1, true)) {
        at++;
        from = at - back;
      } else if (from < 0 || words.getInt32(from, true) !== word) {
        at += 1 + ((at - anchor) >>> SKIP_SHIFT);
        continue;
      }
      while (at > anchor && from > 0 && source[at - 1] === source[from - 1]) {
        at--;
        from--;
      }
      const length = MATCH_MIN + this.common(from + MATCH_MIN, at + MATCH_MIN);
      if (at - from > NEAR && length < FAR_MATCH_MIN) {
        at += MATCH_MIN;
        continue;
      }
      writer.literal(anchor, at);
      back = at - from;
      writer.copy(back, length);
      at += length;
      anchor = at;
      if (at >= limit) break;
      table[Math.imul(words.getInt32(at - 2, true), HASH_FACTOR) >>> shift] = base + at - 2;
    }
    writer.literal(anchor, this.length);
  }

  /** How many bytes from `from` on are as those from `at` on, which is behind it. */
  private common(from: number, at: number): number {
    const { words, length } = this;
    const wordsEnd = length - 4;
    let end = at;
    let other = from;
    while (end <= wordsEnd) {
      const difference = words.getInt32(end, true) ^ words.getInt32(other, true);
      if (difference !== 0) return end - at + ((31 - Math.clz32(difference & -difference)) >>> 3);
      end += 4;
      other += 4;
    }
    while (end < length && words.getUint8(end) === words.getUint8(other)) {
      end++;
      other++;
    }
    return end - at;
  }

  // ---- chains of places, and the better of this match and the next one ----

  private packWell(chain: Int32Array, writer: BlockWriter): void {
    const limit = this.length - MARGIN;
    let at = 0;
    let anchor = 0;
    let back = 0;
    while (at < limit) {
      this.find(chain, at, back);
      if (this.matchLength === 0) {
        at += 1 + ((at - anchor) >>> (SKIP_SHIFT + 1));
        continue;
      }
      let length = this.matchLength;
      let matchBack = this.matchBack;
      let inserted = at + 1;
      while (length < GOOD_ENOUGH && at + 1 < limit) {
        this.find(chain, at + 1, back);
        inserted = at + 2;
        if (this.matchLength <= length + 1) break;
        at++;
        length = this.matchLength;
        matchBack = this.matchBack;
      }
      writer.literal(anchor, at);
      writer.copy(matchBack, length);
      back = matchBack;
      const end = at + length;
      for (at = inserted; at < end && at < limit; at++) this.insert(chain, at);
      at = anchor = end;
    }
    writer.literal(anchor, this.length);
  }

  private insert(chain: Int32Array, at: number): number {
    const { table, base } = this;
    const slot = Math.imul(this.words.getInt32(at, true), HASH_FACTOR) >>> this.shift;
    const before = table[slot]!;
    table[slot] = base + at;
    chain[(base + at) & (CHAIN_SIZE - 1)] = before;
    return before;
  }

  /** Puts the longest match at `at` into `matchBack` and `matchLength`; 0: there is none. `back`: what a repeat would go back. */
  private find(chain: Int32Array, at: number, back: number): void {
    const { words, base, depth } = this;
    const word = words.getInt32(at, true);
    this.matchLength = 0;
    if (back > 0 && back <= at && words.getInt32(at - back, true) === word) {
      // A repeat takes a byte less than a copy.
      this.matchBack = back;
      this.matchLength = MATCH_MIN + this.common(at - back + MATCH_MIN, at + MATCH_MIN);
    }
    let place = this.insert(chain, at);
    const oldest = Math.max(base, base + at - CHAIN_SIZE + 1);
    for (let i = 0; i < depth && place >= oldest && this.matchLength < GOOD_ENOUGH; i++) {
      const from = place - base;
      if (words.getInt32(from, true) === word) {
        const length = MATCH_MIN + this.common(from + MATCH_MIN, at + MATCH_MIN);
        const isFar = at - from > NEAR;
        if (length > this.matchLength + (isFar ? 2 : 0) && (!isFar || length >= FAR_MATCH_MIN)) {
          this.matchLength = length;
          this.matchBack = at - from;
        }
      }
      const earlier = chain[place & (CHAIN_SIZE - 1)]!;
      if (earlier >= place) break; // overwritten since
      place = earlier;
    }
  }
}
