/** A block of a log: its file, and what is known of it in memory. */
import type { BlockRows, Bloom, Gaps } from "./block-rows.ts";
import type { DiskFile } from "./disk.ts";
import type { BlockFacts } from "./footer.ts";
import type { ListsPlace } from "./subject-lists.ts";

export interface Block {
  readonly number: number;
  /** null: the log is kept in memory. */
  file: DiskFile | null;
  /** Null in a sealed block that is on disk. */
  memory: Buffer | null;
  /** Bytes of records. */
  end: number;
  /** Bytes that have been written to the file. */
  flushed: number;
  /** Records that their owner still wants, and their bytes. */
  live: number;
  liveBytes: number;
  /** Messages with headers that there were in it. */
  headed: number;
  facts: BlockFacts;
  /** Sequence of the first row; 0: it has none. */
  base: number;
  /** The last sequence with a row in it or in a block before it. */
  reach: number;
  /** Where messages lie; null: it is read from the footer when it is needed. */
  rows: BlockRows | null;
  /** Sequences from `base` to `reach` without a message; null: none. */
  gaps: Gaps | null;
  /** Hashes of the subjects in it; null: not known. */
  bloom: Bloom | null;
  /** Bytes of the footer behind the records; 0: it has none. */
  footerLength: number;
  /** Where the footer lists rows by subject; null: it does not. */
  lists: ListsPlace | null;
  /** Rows that were read one by one. */
  singleRows: number;
  /** Whether it lies packed, or is not to be: "open" until that is known. */
  packing: "open" | "settled";
  /** Some of it is no sound record: it stays as it is. */
  isDamaged: boolean;
  /** `live` when it was last looked at for what could be left out. */
  cleanedAt: number;
}

export function emptyBlock(number: number, reach: number): Block {
  return {
    number,
    file: null,
    memory: null,
    end: 0,
    flushed: 0,
    live: 0,
    liveBytes: 0,
    headed: 0,
    facts: noFacts(),
    base: 0,
    reach,
    rows: null,
    gaps: null,
    bloom: null,
    footerLength: 0,
    lists: null,
    singleRows: 0,
    packing: "open",
    isDamaged: false,
    cleanedAt: -1,
  };
}

export function noFacts(): BlockFacts {
  return {
    firstSequence: 0,
    lastSequence: 0,
    expected: -1,
    lastSeen: 0,
    openBatch: 0,
    lastTimeNs: 0n,
    marks: [],
  };
}

/** Whether the message is gone that the block had. */
export function isGone({ gaps, base }: Block, sequence: number): boolean {
  return gaps !== null && gaps.has(sequence - base);
}

/** The first message from `from` up to `to`; 0: there is none. */
export function firstLive({ gaps, base }: Block, from: number, to: number): number {
  if (gaps === null) return from;
  const found = base + gaps.next(from - base, to - base + 1);
  return found > to ? 0 : found;
}

/** Place of the first block with this number or a higher one. Numbers ascend. */
export function placeOf(blocks: readonly Block[], number: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (blocks[middle]!.number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
