/**
 * Where each message of a stream lies, by its sequence. Blocks are found by the sequences that they reach; within a block the row says it,
 * which is in memory for blocks that are being written and for those that were used last. A sealed block keeps little in memory: a bit for
 * each sequence where some are gone, and a filter of the subjects in it.
 *
 * `locate` finds one message; what it found stands in the fields until the next call.
 */
import { assert } from "../base/assert.ts";
import { Gaps, ROW_WORDS, type BlockRows } from "./block-rows.ts";
import type { BlockLog } from "./block-log.ts";
import { firstLive, isGone, type Block } from "./block.ts";
import { bloomOf, hashesOf } from "./footer.ts";
import { readRow } from "./footer-file.ts";
import type { RowCache } from "./row-cache.ts";
import type { SubjectFilter } from "./subject-filter.ts";
import { ListsReader } from "./subject-lists.ts";
import { AMBIGUOUS, type SubjectTable } from "./subject-table.ts";

/** Single rows that are read of a block before all of its rows are. */
const SINGLE_ROWS_MAX = 512;
/** What a look into the lists of a block counts for, where no more than some rows are looked at. */
const ROWS_OF_LISTS = 256;

export interface IndexOptions {
  readonly log: BlockLog;
  readonly cache: RowCache;
  readonly subjects: SubjectTable;
  /** The subject in the record; "": it is damaged. */
  readonly subjectAt: (block: Block, offset: number, length: number) => string;
}

export class MessageIndex {
  /** All below are gone, whatever rows there are. */
  floor = 0;
  /** What `locate` found. */
  block: Block | null = null;
  offset = 0;
  length = 0;
  hash = 0;
  hasHeaders = false;
  /** Rows that `findWithin` has looked at, or as many as what it did takes. */
  lookedAt = 0;
  private located = 0;
  private lastSequence = 0;
  private readonly options: IndexOptions;
  private lastBlock: Block | null = null;
  /** Where the block that was looked for last stands among all. */
  private lastPlace = 0;
  /** Rows that may still be looked at; searches stop where it is 0. */
  private budget = Infinity;
  private readonly lists = new ListsReader();

  constructor(options: IndexOptions) {
    this.options = options;
  }

  /** A message was appended to the block that is being written. */
  add(
    block: Block,
    sequence: number,
    offset: number,
    length: number,
    hash: number,
    hasHeaders: boolean,
  ): void {
    const { rows } = block;
    assert(rows !== null, "the block that is being written has its rows in memory");
    if (rows.count > 0) {
      const expected = block.reach + 1;
      if (sequence > expected) {
        block.gaps ??= new Gaps();
        for (let gap = expected; gap < sequence; gap++) block.gaps.add(gap - block.base);
      }
    } else block.base = sequence;
    rows.add(sequence, offset, length, hash, hasHeaders);
    this.located = 0;
    block.reach = sequence;
    this.lastBlock = block;
  }

  /** Whether there is such a message. Reads nothing. */
  has(sequence: number): boolean {
    return this.blockOf(sequence) !== null;
  }

  /** False: there is no such message. */
  locate(sequence: number): boolean {
    if (this.located === sequence) return this.block !== null;
    const block = this.blockOf(sequence);
    this.located = sequence;
    this.block = block;
    if (block === null) return false;
    const isNext = sequence === this.lastSequence + 1;
    this.lastSequence = sequence;
    // a sealed footer is opened as a whole
    if (block.rows === null && !isNext && this.options.log.sealBytes === 0 && this.readOne(block, sequence))
      return true;
    const rows = this.rowsOf(block);
    const row = rows.rowOf(sequence);
    if (row < 0) {
      // its record is damaged, and so was the footer that told of it
      this.offset = this.length = this.hash = 0;
      return true;
    }
    this.offset = rows.offsetAt(row);
    this.length = rows.lengthAt(row);
    this.hash = rows.hashAt(row);
    this.hasHeaders = rows.hasHeadersAt(row);
    return true;
  }

  /** No sound record lies where the message was located: whether all rows of its block, which have a checksum, say another place. */
  locateAgain(sequence: number): boolean {
    const { block, offset, length, options } = this;
    if (block === null || block.file === null || block.memory !== null) return false;
    const rows = options.log.readRows(block);
    const row = rows.rowOf(sequence);
    if (row < 0 || (rows.offsetAt(row) === offset && rows.lengthAt(row) === length)) return false;
    options.cache.add(block, rows);
    this.located = 0;
    return this.locate(sequence);
  }

  /** The message is gone. */
  remove(block: Block, sequence: number): void {
    this.located = 0;
    block.gaps ??= new Gaps();
    block.gaps.add(sequence - block.base);
  }

  /** Records lie elsewhere now. */
  moved(): void {
    this.located = 0;
    this.lastBlock = null;
  }

  /** The first message from `from` up to `to` on a subject that the filter covers (null: any); 0: none. */
  find(from: number, to: number, filter: SubjectFilter | null): number {
    this.budget = Infinity;
    return this.search(from, to, filter);
  }

  /**
   * The same, and no more than some rows are looked at. Below 0: nothing was found so far, and the search goes on from that sequence (without
   * its sign).
   */
  findWithin(from: number, to: number, filter: SubjectFilter | null, rows: number): number {
    this.budget = rows;
    const found = this.search(from, to, filter);
    this.lookedAt = rows - this.budget;
    return found;
  }

  /** The first message from `from` up to `to` on the subject of this number; 0: none. */
  findSubject(from: number, to: number, number: number): number {
    this.budget = Infinity;
    return this.walk(from, to, null, number);
  }

  /** How many messages from `from` up to `to` are on subjects that the filter covers. */
  count(from: number, to: number, filter: SubjectFilter): number {
    let sum = 0;
    for (let at = from; at !== 0;) at = this.visitSome({ from: at, to }, filter, Infinity, () => void sum++);
    return sum;
  }

  /** Looks at some rows, and hands over messages that the filter covers (null: all). Returns where to go on; 0: there are no more. */
  visitSome(
    range: { readonly from: number; readonly to: number },
    filter: SubjectFilter | null,
    rowsMax: number,
    visit: (sequence: number, number: number) => void,
  ): number {
    const { from, to } = range;
    const { blocks } = this.options.log;
    for (let i = this.placeOf(from); i < blocks.length; i++) {
      const block = blocks[i]!;
      if (block.live === 0 || block.base === 0 || block.reach < from) continue;
      if (block.base > to) return 0;
      const rows = this.rowsOf(block);
      const start = rows.rowFrom(from);
      const end = Math.min(rows.count, start + rowsMax);
      for (let row = start; row < end; row++) {
        const sequence = rows.sequenceAt(row);
        if (sequence > to) return 0;
        if (isGone(block, sequence)) continue;
        const number = this.numberAt(block, rows, row);
        if (filter === null || filter.covers(number)) visit(sequence, number);
      }
      const next = end < rows.count ? rows.sequenceAt(end) : block.reach + 1;
      return next > to ? 0 : next;
    }
    return 0;
  }

  private search(from: number, to: number, filter: SubjectFilter | null): number {
    if (filter === null || filter.only === "") return this.walk(from, to, filter, 0);
    const number = this.options.subjects.numberOf(filter.only);
    return number === 0 ? 0 : this.walk(from, to, null, number);
  }

  /** `number`: of the only subject that is looked for; 0: the filter says which. */
  private walk(from: number, to: number, filter: SubjectFilter | null, number: number): number {
    const { log, subjects } = this.options;
    const { blocks } = log;
    const hash = number === 0 ? 0 : subjects.hashOfNumber(number);
    let at = from;
    for (let i = this.placeOf(from); i < blocks.length && at <= to; i++) {
      const block = blocks[i]!;
      if (block.live === 0 || block.base === 0 || block.reach < at) continue;
      const end = Math.min(to, block.reach);
      at = Math.max(at, block.base);
      if (at > end) continue;
      if (number !== 0 && block.bloom?.mayHave(hash) === false) continue;
      if (this.budget <= 0) return -at;
      const found =
        filter === null && number === 0
          ? firstLive(block, at, end)
          : this.findCovered(block, at, end, filter, number);
      if (found !== 0) return found;
      at = end + 1;
    }
    return 0;
  }

  /** How many messages there are from `from` up to `to`. */
  countLive(from: number, to: number): number {
    let sum = 0;
    const { blocks } = this.options.log;
    for (let i = this.placeOf(from); i < blocks.length; i++) {
      const block = blocks[i]!;
      if (block.live === 0 || block.base === 0) continue;
      if (block.base > to) break;
      if (block.base >= from && block.reach <= to) sum += block.live;
      else {
        const start = Math.max(from, block.base) - block.base;
        const end = Math.min(to, block.reach) - block.base;
        if (start <= end) sum += end - start + 1 - (block.gaps?.count(start, end) ?? 0);
      }
    }
    return sum;
  }

  /** Number of the subject of the message that was located; 0: it is damaged. */
  get number(): number {
    const { block, offset, length, hash, options } = this;
    assert(block !== null, "a message was located");
    if (length === 0) return 0;
    const number = options.subjects.numberOfHash(hash);
    if (number !== AMBIGUOUS) return number;
    return options.subjects.numberOf(options.subjectAt(block, offset, length));
  }

  hashOfNumber(number: number): number {
    return this.options.subjects.hashOfNumber(number);
  }

  /** The first block that reaches the sequence. */
  placeOf(sequence: number): number {
    const { blocks } = this.options.log;
    const last = this.lastPlace;
    if (last < blocks.length && blocks[last]!.reach >= sequence) {
      if (last === 0 || blocks[last - 1]!.reach < sequence) return last;
    }
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (blocks[middle]!.reach < sequence) low = middle + 1;
      else high = middle;
    }
    return (this.lastPlace = low);
  }

  rowsOf(block: Block): BlockRows {
    const { cache, log } = this.options;
    const { rows } = block;
    if (rows !== null) {
      cache.used(block);
      return rows;
    }
    const read = log.readRows(block);
    cache.add(block, read);
    return read;
  }

  /** A block without a footer gets its filter of subjects from its rows. */
  seal(block: Block): void {
    const { rows } = block;
    if (rows !== null) block.bloom = bloomOf(hashesOf(rows));
  }

  /** null: no block has a message of this sequence. */
  private blockOf(sequence: number): Block | null {
    if (sequence < this.floor) return null;
    let block = this.lastBlock;
    if (block === null || sequence < block.base || sequence > block.reach || block.base === 0) {
      block = this.options.log.blocks[this.placeOf(sequence)] ?? null;
      if (block === null || block.base === 0 || sequence < block.base) return null;
      this.lastBlock = block;
    }
    return block.live === 0 || isGone(block, sequence) ? null : block;
  }

  /** Reads one row of a block whose rows are not in memory. False: all of them are to be read. */
  private readOne(block: Block, sequence: number): boolean {
    if (block.singleRows >= SINGLE_ROWS_MAX) {
      block.singleRows = 0;
      return false;
    }
    block.singleRows++;
    const row = readRow(block, sequence - block.base);
    if (row === null || row.rowOf(sequence) !== 0) return false;
    this.offset = row.offsetAt(0);
    this.length = row.lengthAt(0);
    this.hash = row.hashAt(0);
    this.hasHeaders = row.hasHeadersAt(0);
    return this.length > 0 && this.offset + this.length <= block.end;
  }

  private findCovered(
    block: Block,
    from: number,
    to: number,
    filter: SubjectFilter | null,
    only: number,
  ): number {
    const { subjects } = this.options;
    const hash = only === 0 ? 0 : subjects.hashOfNumber(only);
    const places = only === 0 || block.rows !== null ? null : this.lists.of(block.lists, block.file, hash);
    const listed = places === null ? -1 : this.findListed(block, places, from, to, only);
    if (listed >= 0) return listed;
    const rows = this.rowsOf(block);
    const { words, count, base } = rows;
    const start = rows.rowFrom(from);
    const last = to - base;
    const stop = Math.min(count, start + this.budget);
    let row = start;
    let found = 0;
    for (; row < stop && found === 0; row++) {
      const delta = words[row * ROW_WORDS]!;
      if (delta > last) break;
      const own = words[row * ROW_WORDS + 3]!;
      if ((only !== 0 && own !== hash) || isGone(block, base + delta)) continue;
      let number = subjects.numberOfHash(own);
      if (number === AMBIGUOUS) number = this.numberAt(block, rows, row);
      if (filter === null ? number === only : filter.covers(number)) found = base + delta;
    }
    this.budget -= row - start;
    if (found === 0 && row === stop && row < count && words[row * ROW_WORDS]! <= last)
      return -(base + words[row * ROW_WORDS]!);
    return found;
  }

  /** The first of the messages at these places that is on the subject of this number; 0: none; below 0: a row says another than its list. */
  private findListed(block: Block, places: Uint32Array, from: number, to: number, only: number): number {
    const { base } = block;
    this.budget -= ROWS_OF_LISTS;
    for (let i = indexFrom(places, from - base); i < places.length; i++) {
      const sequence = base + places[i]!;
      if (sequence > to) return 0;
      if (isGone(block, sequence)) continue;
      if (!this.locate(sequence) || this.number !== only) return -1;
      return sequence;
    }
    return 0;
  }

  /** Number of the subject of a row. */
  numberAt(block: Block, rows: BlockRows, row: number): number {
    const { subjects, subjectAt } = this.options;
    const number = subjects.numberOfHash(rows.hashAt(row));
    if (number !== AMBIGUOUS) return number;
    return subjects.numberOf(subjectAt(block, rows.offsetAt(row), rows.lengthAt(row)));
  }
}

/** Where the first of some ascending numbers stands that is no lower than `from`. */
function indexFrom(places: Uint32Array, from: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
