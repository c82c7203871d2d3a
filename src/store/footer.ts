/**
 * The footer of a sealed block: an index of what is in it, so that neither a start nor a look-up has to read the block itself. It is a
 * record behind the others and follows from them: without it, or where it is damaged, the block is scanned. Its time says where it lies.
 *
 *      0 u32 version: 2 where it has lists   4 u32 seed of the hashes   8 u32 rows   12 u32 marks   16 u32 bytes of names   20 u32 words of the filter
 *     24 f64 base of the rows   32 f64 first sequence   40 f64 last sequence   48 f64 last message before this block
 *     56 f64 last message known behind it   64 f64 first message of a batch that goes on in the next block, or 0
 *     72 i64 time of the last message
 *     80     rows, filter of the subjects' hashes, marks (f64 kind, f64 sequence, f64 second sequence), names (u16 length, bytes)
 *            lists of the rows by subject (subject-lists.ts), u32 length of the record, u32 magic
 */
import { assert } from "../base/assert.ts";
import { BlockRows, Bloom, bloomWords, ROW_WORDS } from "./block-rows.ts";
import { getDouble, getU32, putDouble, putU32 } from "./bytes.ts";
import { FOOTER, readRecord, RECORD_HEAD, RecordView, recordLength, timeIn, writeRecord } from "./record.ts";
import { hasLists, ListsBuilder, listsBytes, type ListsPlace } from "./subject-lists.ts";

const VERSION = 1;
const WITH_LISTS = 2;
const HEAD = 80;
const MARK_BYTES = 8 * 3;
export const TRAILER = 8;
const TRAILER_MAGIC = 0x5845_4853;
const ROW_BYTES = ROW_WORDS * 4;
const NAMES_START = 4096;

/** Numbers of a mark in `marks`: its kind (REMOVED, REMOVED_RUN, FIRST or SETTLED), its sequence, and the last sequence, which FIRST needs; or where a run begins. */
export const MARK_NUMBERS = 3;

/** Facts about a block beside its rows. */
export interface BlockFacts {
  firstSequence: number;
  lastSequence: number;
  /** The last message before the block; -1: its beginning does not say. */
  expected: number;
  /** The last message that is known of behind it. */
  lastSeen: number;
  /** First message of a batch that goes on in the next block; 0: there is none. */
  openBatch: number;
  lastTimeNs: bigint;
  readonly marks: number[];
}

/** `openBatch` of a block that may hold a part of a batch: it is to be scanned at each start. */
export const TORN = -1;

export interface Footer {
  readonly facts: BlockFacts;
  readonly rows: BlockRows;
  /** Names of all subjects in the block. */
  readonly names: readonly string[];
  readonly bloom: Bloom;
  /** Seed of the hashes. */
  readonly seed: number;
  readonly lists: ListsPlace | null;
}

type Counts = [rows: number, marks: number, nameBytes: number, filterWords: number];

/** Bytes of a footer before its rows. */
export const ROWS_AT = RECORD_HEAD + HEAD;
export const FOOTER_MIN = ROWS_AT + TRAILER;

/** Where a footer is to lie. */
interface FooterPlace {
  /** Seed of the hashes. */
  readonly seed: number;
  /** Where the records of the block end. */
  readonly end: number;
}

export interface EncodedFooter {
  readonly record: Buffer;
  readonly bloom: Bloom;
  readonly lists: ListsPlace | null;
}

/**
 * Makes the footer of a block, some rows at a time. The rows and the records do not change meanwhile. Each subject is met once.
 */
export class FooterBuilder {
  private readonly content: Buffer | null;
  private readonly rows: BlockRows;
  private readonly seen: Seen;
  private readonly hashes: number[] = [];
  private names = Buffer.allocUnsafeSlow(NAMES_START);
  private namesEnd = 0;
  private row = 0;
  private readonly sealBytes: number;
  /** null: not begun yet. */
  private lists: ListsBuilder | "none" | null = null;

  /** `content`: the records of the block; null: the filter of its subjects alone is wanted. `sealBytes`: of each record. */
  constructor(content: Buffer | null, rows: BlockRows, sealBytes: number) {
    this.content = content;
    this.rows = rows;
    this.sealBytes = sealBytes;
    this.seen = new Seen(rows.count);
  }

  /** Goes through so many rows. False: there is more to do. */
  take(count: number): boolean {
    const { rows } = this;
    if (this.row < rows.count) {
      const end = Math.min(rows.count, this.row + count);
      for (; this.row < end; this.row++) this.meet(this.row);
      if (end < rows.count) return false;
    }
    if (this.lists === null) {
      const wanted = this.content !== null && this.sealBytes === 0 && hasLists(rows, this.hashes.length);
      this.lists = wanted ? new ListsBuilder(rows) : "none";
    }
    return this.lists === "none" || this.lists.take(count);
  }

  get bloom(): Bloom {
    return bloomOf(this.hashes);
  }

  /** The records end at `end`: the footer holds there alone. */
  encode(facts: BlockFacts, { seed, end }: FooterPlace): EncodedFooter {
    const { rows, content, sealBytes } = this;
    assert(this.take(Infinity) && content !== null, "all rows were gone through");
    const lists = this.lists instanceof ListsBuilder ? this.lists : null;
    const names = this.names.subarray(0, this.namesEnd);
    const { marks } = facts;
    const markCount = marks.length / MARK_NUMBERS;
    const { bloom } = this;
    const filter = bloom.words;
    const filterAt = HEAD + rows.count * ROW_BYTES;
    const marksAt = filterAt + filter.byteLength;
    const listsAt = marksAt + markCount * MARK_BYTES + names.length;
    const bytes = listsAt + (lists === null ? 0 : listsBytes(rows.count)) + TRAILER;
    const body = Buffer.allocUnsafeSlow(bytes);
    const numbers = [
      lists === null ? VERSION : WITH_LISTS,
      seed,
      rows.count,
      markCount,
      names.length,
      filter.length,
    ];
    for (const [i, value] of numbers.entries()) putU32(body, 4 * i, value);
    const { firstSequence, lastSequence, expected, lastSeen, openBatch } = facts;
    const doubles = [rows.base, firstSequence, lastSequence, expected, lastSeen, openBatch];
    for (const [i, value] of doubles.entries()) putDouble(body, 24 + 8 * i, value);
    const lastAt = rows.count === 0 ? -1 : rows.offsetAt(rows.count - 1);
    body.writeBigInt64LE(lastAt < 0 ? 0n : timeIn(content, lastAt), 72);
    const { words } = rows;
    body.set(new Uint8Array(words.buffer, words.byteOffset, rows.count * ROW_BYTES), HEAD);
    body.set(new Uint8Array(filter.buffer, filter.byteOffset, filter.byteLength), filterAt);
    let at = marksAt;
    for (let i = 0; i < marks.length; i++, at += 8) putDouble(body, at, marks[i]!);
    body.set(names, at);
    lists?.writeTo(body, listsAt);
    const length = recordLength(0, bytes, sealBytes);
    putU32(body, bytes - TRAILER, length);
    putU32(body, bytes - TRAILER + 4, TRAILER_MAGIC);
    const record = Buffer.allocUnsafeSlow(length);
    writeRecord(
      record,
      0,
      {
        kind: FOOTER,
        sequence: lastSequence,
        timeNs: BigInt(end),
        previous: lastSeen,
        subject: "",
        headerLength: 0,
        body,
      },
      sealBytes,
    );
    return { record, bloom, lists: lists === null ? null : listsPlace(end, listsAt, rows.count) };
  }

  /** Keeps the name of the row's subject as it stands in the record, where it is new: of subjects that share a hash, too. */
  private meet(row: number): void {
    const { content, rows } = this;
    const hash = rows.hashAt(row);
    const first = this.seen.add(hash, row);
    if (first === row) this.hashes.push(hash);
    if (content === null) return;
    const at = rows.offsetAt(row);
    if (first !== row && isSameSubject(content, at, rows.offsetAt(first))) return;
    const length = getU32(content, at + RECORD_HEAD - 4);
    assert(length <= 0xffff, "the length of a subject fits into its field");
    if (this.namesEnd + 2 + length > this.names.length) {
      const larger = Buffer.allocUnsafeSlow(2 * (this.namesEnd + 2 + length));
      this.names.copy(larger, 0, 0, this.namesEnd);
      this.names = larger;
    }
    const { names, namesEnd } = this;
    names[namesEnd] = length;
    names[namesEnd + 1] = length >>> 8;
    content.copy(names, namesEnd + 2, at + RECORD_HEAD, at + RECORD_HEAD + length);
    this.namesEnd += 2 + length;
  }
}

/** `content`: the records of the block, which end at `end`. */
export function encodeFooter(
  content: Buffer,
  rows: BlockRows,
  facts: BlockFacts,
  where: FooterPlace & { readonly sealBytes: number },
): EncodedFooter {
  return new FooterBuilder(content, rows, where.sealBytes).encode(facts, where);
}

/** `end`: where the records of the block end; `at`: where the lists begin in the body of the footer. */
function listsPlace(end: number, at: number, count: number): ListsPlace {
  return { at: end + RECORD_HEAD + at, count };
}

/** Length of the footer that a file ends with, as its last bytes say; 0: it has none. */
export function footerLength(lastBytes: Uint8Array): number {
  if (lastBytes.length < TRAILER || getU32(lastBytes, lastBytes.length - 4) !== TRAILER_MAGIC) return 0;
  return getU32(lastBytes, lastBytes.length - TRAILER);
}

/** null: it is damaged, of another version or another place than `at`, or its hashes have another seed. */
export function decodeFooter(record: Buffer, at: number, seed: number | null): Footer | null {
  const view = new RecordView();
  if (!readRecord(view, record, 0, record.length) || view.kind !== FOOTER) return null;
  if (view.timeNs !== BigInt(at)) return null;
  const { body } = view;
  const version = getU32(body, 0);
  if (body.length < HEAD + TRAILER || (version !== VERSION && version !== WITH_LISTS)) return null;
  const own = getU32(body, 4);
  if (seed !== null && own !== seed) return null;
  const [count, marks, nameBytes, filter] = [8, 12, 16, 20].map((i) => getU32(body, i)) as Counts;
  const filterAt = HEAD + count * ROW_BYTES;
  const marksAt = filterAt + filter * 4;
  const namesAt = marksAt + marks * MARK_BYTES;
  const listsAt = namesAt + nameBytes;
  if (listsAt + (version === WITH_LISTS ? listsBytes(count) : 0) + TRAILER !== body.length) return null;
  return {
    seed: own,
    rows: rowsIn(body, count),
    bloom: new Bloom(wordsIn(body, filterAt, filter)),
    facts: {
      firstSequence: getDouble(body, 32),
      lastSequence: getDouble(body, 40),
      expected: getDouble(body, 48),
      lastSeen: getDouble(body, 56),
      openBatch: getDouble(body, 64),
      lastTimeNs: body.readBigInt64LE(72),
      marks: Array.from({ length: marks * MARK_NUMBERS }, (_, i) => getDouble(body, marksAt + 8 * i)),
    },
    names: namesIn(body.subarray(namesAt, listsAt)),
    lists: version === WITH_LISTS ? listsPlace(at, listsAt, count) : null,
  };
}

/** The rows alone. null: the footer is damaged. */
export function decodeRows(record: Buffer): BlockRows | null {
  const view = new RecordView();
  if (!readRecord(view, record, 0, record.length) || view.kind !== FOOTER) return null;
  return rowsIn(view.body, getU32(view.body, 8));
}

function rowsIn(body: Buffer, count: number): BlockRows {
  return new BlockRows(getDouble(body, 24), wordsIn(body, HEAD, count * ROW_WORDS), count);
}

function wordsIn(body: Buffer, at: number, count: number): Uint32Array {
  const words = new Uint32Array(count);
  new Uint8Array(words.buffer).set(body.subarray(at, at + 4 * count));
  return words;
}

function namesIn(bytes: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const length = bytes[at]! | (bytes[at + 1]! << 8);
    names.push(bytes.toString("latin1", at + 2, at + 2 + length));
    at += 2 + length;
  }
  return names;
}

export function bloomOf(hashes: Iterable<number> & { readonly length: number }): Bloom {
  const bloom = new Bloom(bloomWords(hashes.length));
  for (const hash of hashes) bloom.add(hash);
  return bloom;
}

/** Hashes of the rows, each once. */
export function hashesOf(rows: BlockRows): number[] {
  const seen = new Seen(rows.count);
  const hashes: number[] = [];
  for (let row = 0; row < rows.count; row++) {
    const hash = rows.hashAt(row);
    if (seen.add(hash, row) === row) hashes.push(hash);
  }
  return hashes;
}

function isSameSubject(content: Buffer, one: number, other: number): boolean {
  const length = getU32(content, one + RECORD_HEAD - 4);
  if (getU32(content, other + RECORD_HEAD - 4) !== length) return false;
  for (let i = RECORD_HEAD; i < RECORD_HEAD + length; i++)
    if (content[one + i] !== content[other + i]) return false;
  return true;
}

/** Hashes that were met, with the row where that was. */
class Seen {
  private readonly slots: Uint32Array;
  private readonly mask: number;

  constructor(count: number) {
    let size = 16;
    while (size < 2 * count) size *= 2;
    this.slots = new Uint32Array(2 * size);
    this.mask = size - 1;
  }

  /** The first row with this hash: `row`, where it is new. */
  add(hash: number, row: number): number {
    const { slots, mask } = this;
    let at = (hash ^ (hash >>> 16)) & mask;
    for (; slots[2 * at + 1] !== 0; at = (at + 1) & mask)
      if (slots[2 * at] === hash) return slots[2 * at + 1]! - 1;
    slots[2 * at] = hash;
    slots[2 * at + 1] = row + 1;
    return row;
  }
}
