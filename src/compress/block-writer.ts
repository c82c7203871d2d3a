/** Writes the elements of a block of S2 (block-decoder.ts shows them) in their shortest form. */
import { assertOwn } from "../base/assert.ts";

/** Longer copies are one and a repeat. */
const COPY_MAX = 64;
/** Then the rest is long enough for a repeat. */
const COPY_FIRST = 60;
const SHORT_COPY_MAX = 11;
const SHORT_BACK_MAX = 2047;
/** What a copy of two bytes takes when a repeat follows, which has the rest. */
const SHORT_COPY_FIRST = 8;
const NEAR = 65_535;
const REPEAT_MIN = 4;

export class BlockWriter {
  private at = 0;
  private lastBack = 0;
  private readonly source: Uint8Array;
  private readonly target: Uint8Array;

  /** Begins with the length of the block, which is that of the source. */
  constructor(source: Uint8Array, target: Uint8Array) {
    this.source = source;
    this.target = target;
    let rest = source.length;
    for (; rest >= 0x80; rest >>>= 7) target[this.at++] = (rest & 0x7f) | 0x80;
    target[this.at++] = rest;
  }

  /** Bytes that have been written. */
  finish(): number {
    assertOwn(this.at <= this.target.length, "a block stays within its room");
    return this.at;
  }

  /** The bytes of the source from `from` up to `end`. */
  literal(from: number, end: number): void {
    if (from === end) return;
    const { source, target } = this;
    const length = end - from;
    const told = length - 1;
    let { at } = this;
    if (told < 60) target[at++] = told << 2;
    else {
      const extra = told < 0x100 ? 1 : told < 0x10000 ? 2 : 3;
      target[at++] = (59 + extra) << 2;
      for (let i = 0; i < extra; i++) target[at++] = told >>> (8 * i);
    }
    if (length > 64) target.set(source.subarray(from, end), at);
    else for (let i = 0; i < length; i++) target[at + i] = source[from + i]!;
    this.at = at + length;
  }

  /** `length` bytes from `back` bytes ago. */
  copy(back: number, length: number): void {
    if (back === this.lastBack) return this.repeat(length);
    const { target } = this;
    this.lastBack = back;
    if (back <= SHORT_BACK_MAX && length > SHORT_COPY_MAX) {
      this.copyShort(back, SHORT_COPY_FIRST);
      return this.repeat(length - SHORT_COPY_FIRST);
    }
    if (back <= SHORT_BACK_MAX) return this.copyShort(back, length);
    const first = length > COPY_MAX ? COPY_FIRST : length;
    const bytes = back <= NEAR ? 2 : 4;
    target[this.at++] = ((first - 1) << 2) | (bytes === 2 ? 2 : 3);
    for (let i = 0; i < bytes; i++) target[this.at++] = back >>> (8 * i);
    if (first < length) this.repeat(length - first);
  }

  private copyShort(back: number, length: number): void {
    this.target[this.at++] = ((back >>> 8) << 5) | ((length - 4) << 2) | 1;
    this.target[this.at++] = back;
  }

  private repeat(length: number): void {
    assertOwn(length >= REPEAT_MIN, "a repeat has four bytes and more");
    const { target } = this;
    const code = length <= 8 ? length - 4 : length < 264 ? 5 : length < 65_796 ? 6 : 7;
    target[this.at++] = (code << 2) | 1;
    target[this.at++] = 0;
    if (code < 5) return;
    const rest = length - (code === 5 ? 8 : code === 6 ? 260 : 65_540);
    for (let i = 0; i < code - 4; i++) target[this.at++] = rest >>> (8 * i);
  }
}
