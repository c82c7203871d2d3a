/**
 * The framing format of S2 on its way in: chunks, most of which are blocks, in any pieces.
 *
 *     | kind | length (3 bytes) | ...
 *       0xff   6                  S2sTwO, or sNaPpY: a stream begins, as often as it likes
 *       0x00   4 + n              checksum, packed block
 *       0x01   4 + n              checksum, block as it is
 *       0xc5   12                 "no checksums": the sender checks none, so none are checked here either (stream-packer.ts)
 *       0x80 to 0xfe              skipped; others are not allowed
 *
 * The reader asks how long the next block is, and has it unpacked where it has room. Where no sum has to hold, a block as it is comes in
 * the pieces that have arrived. Bounds: `blockMax` bytes of a block, which the reader may raise;
 * a chunk that has not come whole is kept, and is no longer than such a block may be.
 */
import { assertOwn } from "../base/assert.ts";
import { BROKEN, unpackBlock, unpackedLength } from "./block-decoder.ts";
import { packedMax } from "./block-encoder.ts";
import { NOTE, sumOf, UNCHECKED_TEXT } from "./stream-packer.ts";

/** More has to come before there is a block. */
export const INCOMPLETE = 0;
/** In place of a length: the block had nothing in it. */
const EMPTY = -2;

const HEAD = 4;
const CHECKSUM = 4;
const PACKED = 0;
const PLAIN = 1;
const FIRST_SKIPPED = 0x80;
const STREAM_START = 0xff;
const NAMES = ["S2sTwO", "sNaPpY"];
const NAME_LENGTH = 6;
const NONE = new Uint8Array(0);

export class StreamUnpacker {
  /** Longer blocks break the rules. */
  blockMax: number;
  /** The sender checks no sums. */
  isUnchecked = false;
  /** What `next` has found goes as it is: it takes no more room than it had. */
  isPlain = false;
  private hasBegun = false;
  /** The bytes that have come and are not taken stand from `from` up to `filled`. */
  private input: Uint8Array = NONE;
  private from = 0;
  /** The memory of `input` is our own. */
  private isOwn = true;
  /** Bytes of a chunk to pass over that have not come. */
  private skip = 0;
  /** Bytes to come of a block that is handed on in pieces. */
  private left = 0;
  private filled = 0;

  constructor(blockMax: number) {
    this.blockMax = blockMax;
  }

  /** Bytes that are kept. */
  get keptBytes(): number {
    return this.filled - this.from;
  }

  /** Some of a chunk that is passed over has not come. */
  get isAmidChunk(): boolean {
    return this.skip > 0;
  }

  /** These come behind what is kept. They are not copied before `keep`, unless something is kept. */
  feed(bytes: Uint8Array): void {
    if (this.from === this.filled) {
      this.input = bytes;
      this.isOwn = false;
      this.from = 0;
      this.filled = bytes.length;
      return;
    }
    assertOwn(this.isOwn, "what is not taken is kept before more comes");
    this.reserve(bytes.length);
    this.input.set(bytes, this.filled);
    this.filled += bytes.length;
  }

  /** The bytes that were fed and are not taken lie here now. */
  moved(rest: Uint8Array): void {
    assertOwn(!this.isOwn && rest.length === this.keptBytes, "what moves is all that is not taken");
    this.input = rest;
    this.from = 0;
    this.filled = rest.length;
  }

  /** The memory that was fed is needed for something else. */
  keep(): void {
    if (this.from === this.filled) {
      this.input = NONE;
      this.from = this.filled = 0;
    } else if (!this.isOwn) {
      const rest = this.input.subarray(this.from, this.filled);
      this.input = new Uint8Array(Math.max(rest.length, this.wholeLength(rest)));
      this.input.set(rest);
      this.from = 0;
      this.filled = rest.length;
    }
    this.isOwn = true;
  }

  /** The length of the next block; INCOMPLETE; or BROKEN: what comes is no such stream, or more than it may be. */
  next(): number {
    for (;;) {
      const { input, from, filled } = this;
      if (this.skip > 0) {
        const skipped = Math.min(this.skip, filled - from);
        this.skip -= skipped;
        this.from += skipped;
        if (this.skip > 0) return INCOMPLETE;
        continue;
      }
      if (this.left > 0) return Math.min(this.left, filled - from);
      if (filled - from < HEAD) return INCOMPLETE;
      const kind = input[from]!;
      const length = chunkLength(input, from);
      if (!this.hasBegun && kind !== STREAM_START) return BROKEN;
      if (kind === PACKED || kind === PLAIN) {
        const found = this.blockLength(kind, from, length);
        if (found !== EMPTY) return found;
      } else if (kind === STREAM_START || (kind === NOTE && length === UNCHECKED_TEXT.length)) {
        if (kind === STREAM_START && length !== NAME_LENGTH) return BROKEN;
        if (filled - from < HEAD + length) return INCOMPLETE;
        const text = String.fromCharCode(...input.subarray(from + HEAD, from + HEAD + length));
        if (kind === STREAM_START && !NAMES.includes(text)) return BROKEN;
        this.hasBegun = true;
        if (text === UNCHECKED_TEXT) this.isUnchecked = true;
        this.from += HEAD + length;
      } else {
        if (kind < FIRST_SKIPPED) return BROKEN;
        this.from += HEAD;
        this.skip = length;
      }
    }
  }

  /** Unpacks the block that `next` has found to `target`, which is as long as it is. Returns whether it is what was sent. */
  take(target: Uint8Array): boolean {
    const { input, from } = this;
    if (this.left > 0) {
      target.set(input.subarray(from, from + target.length));
      this.from += target.length;
      this.left -= target.length;
      assertOwn(
        this.left >= 0 && this.from <= this.filled,
        "a piece of a block has come, and is no longer than it",
      );
      return true;
    }
    const length = chunkLength(input, from);
    const dataFrom = from + HEAD + CHECKSUM;
    const dataEnd = from + HEAD + length;
    const data = input.subarray(dataFrom, dataEnd);
    this.from = dataEnd;
    if (input[from] === PLAIN) target.set(data);
    else if (unpackBlock(data, target) !== target.length) return false;
    return this.isUnchecked || sumOf(target) === checksumAt(input, from + HEAD);
  }

  /** EMPTY: it is behind us. */
  private blockLength(kind: number, from: number, length: number): number {
    const { input, filled, blockMax } = this;
    const isPlain = kind === PLAIN;
    if (length < CHECKSUM) return BROKEN;
    if (length - CHECKSUM > (isPlain ? blockMax : packedMax(blockMax))) return BROKEN;
    this.isPlain = isPlain;
    if (isPlain && this.isUnchecked) return this.beginPieces(length - CHECKSUM);
    if (filled - from < HEAD + length) return INCOMPLETE;
    if (isPlain && length === CHECKSUM) return this.take(NONE) ? EMPTY : BROKEN;
    if (isPlain) return length - CHECKSUM;
    const data = input.subarray(from + HEAD + CHECKSUM, from + HEAD + length);
    const unpacked = unpackedLength(data);
    // A packed block of nothing is of no use, and would be taken for one that has not come.
    return unpacked <= 0 || unpacked > blockMax ? BROKEN : unpacked;
  }

  /** A block of `length` bytes that goes as it is and is not checked. */
  private beginPieces(length: number): number {
    if (this.keptBytes < HEAD + CHECKSUM) return INCOMPLETE;
    this.from += HEAD + CHECKSUM;
    this.left = length;
    return length === 0 ? EMPTY : Math.min(length, this.keptBytes);
  }

  /** Makes room for `length` more bytes behind what is kept. */
  private reserve(length: number): void {
    const { input, from, filled } = this;
    if (filled + length <= input.length) return;
    const kept = input.subarray(from, filled);
    const total = kept.length + length;
    const whole = this.wholeLength(kept);
    if (total <= input.length && input.length >= whole) {
      input.copyWithin(0, from, filled);
    } else {
      this.input = new Uint8Array(Math.max(total, whole));
      this.input.set(kept);
    }
    this.from = 0;
    this.filled = kept.length;
  }

  /** Bytes that the chunk at the beginning of `rest` takes, where it is a block and may be that long; else 0. */
  private wholeLength(rest: Uint8Array): number {
    if (this.skip > 0 || this.left > 0 || rest.length < HEAD || rest[0]! > PLAIN) return 0;
    const length = chunkLength(rest, 0);
    return length <= CHECKSUM + packedMax(this.blockMax) ? HEAD + length : 0;
  }
}

function chunkLength(input: Uint8Array, at: number): number {
  return input[at + 1]! | (input[at + 2]! << 8) | (input[at + 3]! << 16);
}

function checksumAt(input: Uint8Array, at: number): number {
  return (input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) | (input[at + 3]! << 24)) >>> 0;
}
