/**
 * Blocks of S2 on their way out of their compressed form. A block tells how long it is, and then has elements of three kinds: bytes as they are,
 * copies of what came before, and, which Snappy does not have, repeats: copies from as far back as the last one.
 *
 *     | length, 7 bits a byte | tag, extra bytes, literal bytes | tag, offset | tag, offset | ...
 *
 * Nothing is written outside the target, and nothing is read outside the source, whatever the block says.
 */

/** The longest block in a stream of S2. */
export const BLOCK_MAX = 4 * 1024 * 1024;
/** The block breaks the rules of the format. */
export const BROKEN = -1;

const LITERAL = 0;
const COPY_1 = 1;
const COPY_2 = 2;
/** Bytes that one word takes, which copies may write beyond their end where there is room. */
const WORD = 8;

/** Bytes that the block which `source` begins with unpacks to; BROKEN: it does not say, or more than `lengthMax`. */
export function unpackedLength(source: Uint8Array, lengthMax = BLOCK_MAX): number {
  let length = 0;
  for (let i = 0; i < 4; i++) {
    if (i >= source.length) return BROKEN;
    const byte = source[i]!;
    length |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return length > lengthMax ? BROKEN : length;
  }
  return BROKEN;
}

/** Unpacks the block `source` to the beginning of `target`. Returns its length, or BROKEN, after which `target` may hold anything. */
export function unpackBlock(source: Uint8Array, target: Uint8Array): number {
  const length = unpackedLength(source, target.length);
  if (length === BROKEN) return BROKEN;
  let from = 0;
  while (source[from++]! >= 0x80);
  return new Unpacking(source, target, length).run(from) ? length : BROKEN;
}

/** One block that is being unpacked. */
class Unpacking {
  private readonly source: Uint8Array;
  private readonly target: Uint8Array;
  private readonly words: DataView;
  private readonly sourceWords: DataView;
  private readonly length: number;
  /** Up to here words may be written. */
  private readonly wordsEnd: number;
  private readonly sourceWordsEnd: number;

  constructor(source: Uint8Array, target: Uint8Array, length: number) {
    this.source = source;
    this.target = target;
    this.words = new DataView(target.buffer, target.byteOffset, length);
    this.sourceWords = new DataView(source.buffer, source.byteOffset, source.length);
    this.length = length;
    this.wordsEnd = length - WORD;
    this.sourceWordsEnd = source.length - WORD;
  }

  /** `start`: where the elements begin. Returns whether they make up the block. */
  run(start: number): boolean {
    const { source, length } = this;
    const end = source.length;
    let from = start;
    let at = 0;
    let back = 0;
    while (from < end) {
      const tag = source[from++]!;
      const kind = tag & 3;
      let count = tag >>> 2;
      if (kind === LITERAL) {
        if (count >= 60) {
          const extra = count - 59;
          if (from + extra > end) return false;
          count = this.number(from, extra);
          from += extra;
        }
        count++;
        if (count > length - at || count > end - from) return false;
        this.takeLiteral(from, at, count);
        from += count;
        at += count;
        continue;
      }
      if (kind === COPY_1) {
        if (from >= end) return false;
        count &= 7;
        const offset = ((tag & 0xe0) << 3) | source[from++]!;
        if (offset !== 0) {
          back = offset;
          count += 4;
        } else {
          const extra = count < 5 ? 0 : count - 4;
          if (from + extra > end) return false;
          count = repeatLength(count, extra === 0 ? 0 : this.number(from, extra));
          from += extra;
        }
      } else {
        const extra = kind === COPY_2 ? 2 : 4;
        if (from + extra > end) return false;
        back = this.number(from, extra);
        from += extra;
        count++;
      }
      if (back === 0 || back > at || count > length - at) return false;
      this.copy(at, back, count);
      at += count;
    }
    return at === length;
  }

  private number(at: number, count: number): number {
    const { source } = this;
    let value = source[at]!;
    if (count > 1) value |= source[at + 1]! << 8;
    if (count > 2) value |= source[at + 2]! << 16;
    if (count > 3) value |= source[at + 3]! << 24;
    return value >>> 0;
  }

  private takeLiteral(from: number, at: number, count: number): void {
    const { source, target, words, sourceWords } = this;
    if (count > 64) {
      target.set(source.subarray(from, from + count), at);
    } else if (at + count <= this.wordsEnd && from + count <= this.sourceWordsEnd) {
      for (let i = 0; i < count; i += WORD)
        words.setBigUint64(at + i, sourceWords.getBigUint64(from + i, true), true);
    } else {
      for (let i = 0; i < count; i++) target[at + i] = source[from + i]!;
    }
  }

  /** `back` may be less than `count`: then what is written is read again. */
  private copy(at: number, back: number, count: number): void {
    const { target, words } = this;
    const from = at - back;
    if (back >= WORD && at + count <= this.wordsEnd) {
      if (count > 256 && back >= count) target.copyWithin(at, from, from + count);
      else
        for (let i = 0; i < count; i += WORD)
          words.setBigUint64(at + i, words.getBigUint64(from + i, true), true);
      return;
    }
    for (let i = 0; i < count; i++) target[at + i] = target[from + i]!;
  }
}

function repeatLength(code: number, extra: number): number {
  if (code < 5) return code + 4;
  if (code === 5) return extra + 8;
  return code === 6 ? extra + 260 : extra + 65_540;
}
