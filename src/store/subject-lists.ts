/**
 * Which rows of a block are on which subject, in the footer of the block: to find one subject of many, some bytes of a block are read instead of
 * all its rows. Rows are listed by the highest bits of the hashes of their subjects; an entry has the lowest bits of the
 * hash, too, so that hardly ever a row of another subject is taken for one that is looked for. The row itself decides.
 *
 *     lists      u32 for each row, list by list, ascending: bits of the hash (14), sequence less the base (18)
 *     directory  for each list u32 entries up to its end, u32 checksum
 *
 * Each list has a checksum of its own, since it is read without the rest of the footer. A block has no lists where most of its rows would
 * be read anyway (few subjects), where its sequences do not fit, and where its footer is encrypted as a whole.
 */
import { assert } from "../base/assert.ts";
import type { BlockRows } from "./block-rows.ts";
import { checksum, getU32, putU32 } from "./bytes.ts";
import type { DiskFile } from "./disk.ts";

const PLACE_BITS = 18;
const PLACE_MASK = (1 << PLACE_BITS) - 1;
/** Fewer subjects are found as fast in the rows. */
const SUBJECTS_MIN = 8;
/** Rows of a list, on average at most: a power of two. */
const ROWS_PER_LIST_BITS = 6;
const ENTRY_BYTES = 4;
const DIRECTORY_BYTES = 8;
/** All rows are read instead of a list that holds more than one of so many. */
const SHARE_MAX = 16;

/** Where the lists of a block lie in its file. */
export interface ListsPlace {
  readonly at: number;
  /** Rows of the block. */
  readonly count: number;
}

function listBitsOf(count: number): number {
  return 32 - Math.clz32(count >>> ROWS_PER_LIST_BITS);
}

function listOf(hash: number, bits: number): number {
  return bits === 0 ? 0 : hash >>> (32 - bits);
}

function entryOf(hash: number, place: number): number {
  return ((hash << PLACE_BITS) | place) >>> 0;
}

/** Whether the block shall have lists. `subjects`: how many there are in it. */
export function hasLists(rows: BlockRows, subjects: number): boolean {
  return subjects >= SUBJECTS_MIN && rows.sequenceAt(rows.count - 1) - rows.base <= PLACE_MASK;
}

export function listsBytes(count: number): number {
  return count * ENTRY_BYTES + (1 << listBitsOf(count)) * DIRECTORY_BYTES;
}

/** The checksum of a list says which entries of the block it has. */
function sumOf(memory: Uint8Array, from: number, length: number, start: number, end: number): number {
  const place = Math.imul(start + 1, 0x9e3779b1) ^ Math.imul(end + 1, 0x85ebca6b);
  return (checksum(memory, from, from + length) ^ place) >>> 0;
}

/** Makes the lists of a block, some rows at a time: counts them, then puts each into its list. */
export class ListsBuilder {
  private readonly rows: BlockRows;
  private readonly bits: number;
  /** Where the next entry of each list goes; while they are counted, how many it has. */
  private readonly ends: Uint32Array;
  private readonly entries: Uint32Array;
  private counted = 0;
  private listed = 0;

  constructor(rows: BlockRows) {
    this.rows = rows;
    this.bits = listBitsOf(rows.count);
    this.ends = new Uint32Array(1 << this.bits);
    this.entries = new Uint32Array(rows.count);
  }

  /** False: there is more. */
  take(count: number): boolean {
    const { rows, bits, ends, entries } = this;
    if (this.counted < rows.count) {
      const end = Math.min(rows.count, this.counted + count);
      for (; this.counted < end; this.counted++) ends[listOf(rows.hashAt(this.counted), bits)]!++;
      if (end < rows.count) return false;
      let sum = 0;
      for (const [list, own] of ends.entries()) {
        ends[list] = sum;
        sum += own;
      }
    }
    const end = Math.min(rows.count, this.listed + count);
    for (; this.listed < end; this.listed++) {
      const hash = rows.hashAt(this.listed);
      const at = ends[listOf(hash, bits)]!++;
      entries[at] = entryOf(hash, rows.sequenceAt(this.listed) - rows.base);
    }
    return end === rows.count;
  }

  writeTo(body: Buffer, at: number): void {
    const { entries, ends } = this;
    assert(this.listed === this.rows.count, "all rows were listed");
    body.set(new Uint8Array(entries.buffer, entries.byteOffset, entries.byteLength), at);
    const directoryAt = at + entries.byteLength;
    let start = 0;
    for (const [list, end] of ends.entries()) {
      const from = at + start * ENTRY_BYTES;
      putU32(body, directoryAt + list * DIRECTORY_BYTES, end);
      const sum = sumOf(body, from, (end - start) * ENTRY_BYTES, start, end);
      putU32(body, directoryAt + list * DIRECTORY_BYTES + 4, sum);
      start = end;
    }
  }
}

/** Reads lists; remembers the one that was read last. */
export class ListsReader {
  private readonly head = Buffer.alloc(2 * DIRECTORY_BYTES);
  private memory = Buffer.alloc(64 * ENTRY_BYTES);
  private place: ListsPlace | null = null;
  private hash = 0;
  private found: Uint32Array | null = null;

  /**
   * The places of rows, ascending, whose subjects may have this hash: all that have it are among them. null: the rows are to be read, since
   * there are no lists, or too many of the rows are in the list, or it is damaged.
   */
  of(lists: ListsPlace | null, file: DiskFile | null, hash: number): Uint32Array | null {
    if (lists === null || file === null) return null;
    if (this.place === lists && this.hash === hash) return this.found;
    this.found = this.read(file, lists, hash);
    this.place = lists;
    this.hash = hash;
    return this.found;
  }

  private read(file: DiskFile, { at, count }: ListsPlace, hash: number): Uint32Array | null {
    const { head } = this;
    const bits = listBitsOf(count);
    const list = listOf(hash, bits);
    const directoryAt = at + count * ENTRY_BYTES;
    const before = list === 0 ? 0 : DIRECTORY_BYTES;
    const there = head.subarray(0, before + DIRECTORY_BYTES);
    if (file.read(there, directoryAt + list * DIRECTORY_BYTES - before) < there.length) return null;
    const start = before === 0 ? 0 : getU32(head, 0);
    const end = getU32(head, before);
    const length = (end - start) * ENTRY_BYTES;
    if (start > end || end > count || (end - start) * SHARE_MAX > count + SHARE_MAX * SHARE_MAX) return null;
    if (length > this.memory.length) this.memory = Buffer.alloc(2 * length);
    const entries = this.memory.subarray(0, length);
    if (file.read(entries, at + start * ENTRY_BYTES) < length) return null;
    if (getU32(head, before + 4) !== sumOf(entries, 0, length, start, end)) return null;
    return placesOf(entries, hash);
  }
}

function placesOf(entries: Buffer, hash: number): Uint32Array {
  const places = new Uint32Array(entries.length / ENTRY_BYTES);
  let count = 0;
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
    const entry = getU32(entries, at);
    const place = entry & PLACE_MASK;
    if (entryOf(hash, place) === entry) places[count++] = place;
  }
  return places.subarray(0, count);
}
