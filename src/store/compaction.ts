/**
 * Rewrites a block without what is dead: messages that were removed, and marks that nothing depends on any more. A mark for a removed
 * message is needed while an older block may hold its record.
 */
import { assert } from "../base/assert.ts";
import type { BlockLog } from "./block-log.ts";
import type { Block } from "./block.ts";
import { BlockRows } from "./block-rows.ts";
import { FooterBuilder, type EncodedFooter } from "./footer.ts";
import {
  FIRST,
  HOLE,
  MESSAGE,
  readRecord,
  recordLength,
  RecordView,
  REMOVED,
  REMOVED_RUN,
  SETTLED,
  withoutFlags,
  writeRecord,
} from "./record.ts";

export interface CompactionHost {
  readonly log: BlockLog;
  rowsOf(block: Block): BlockRows;
}

const HOLE_BYTES = recordLength(0, 0, 0);
const EMPTY = new Uint8Array(0);
/** Records that a step reads, and rows that it writes to the footer. */
const RECORDS_PER_STEP = 3000;
const ROWS_PER_STEP = 4000;

/** Whether leaving out what is dead gives back a quarter of the block or more, as far as that is known without reading it. */
export function isWorthRewriting({ liveBytes, gaps, end }: Block): boolean {
  return liveBytes * 2 < end && isGain(liveBytes + (gaps?.runs ?? 0) * HOLE_BYTES, end);
}

function isGain(bytes: number, before: number): boolean {
  return bytes * 4 <= before * 3;
}

/** What a block is going to hold, made in steps. Messages may go meanwhile; what is there of the block stays as it is. */
export class Compaction {
  readonly block: Block;
  readonly rows = new BlockRows();
  private readonly host: CompactionHost;
  private readonly content: Buffer;
  private readonly before: BlockRows;
  private readonly kept: Kept;
  private readonly marks: number[] = [];
  private readonly view = new RecordView();
  private at = 0;
  private builder: FooterBuilder | null = null;

  constructor(block: Block, host: CompactionHost) {
    this.block = block;
    this.host = host;
    this.content = host.log.contentOf(block);
    this.before = host.rowsOf(block);
    this.kept = new Kept(this.content.length, host.log.sealBytes);
    block.cleanedAt = block.live;
  }

  get records(): Buffer {
    return this.kept.records;
  }

  /** "useless": it would gain too little, or the block is damaged: then it stays as it is. */
  step(): "more" | "done" | "useless" {
    if (this.builder !== null) return this.builder.take(ROWS_PER_STEP) ? "done" : "more";
    for (let left = RECORDS_PER_STEP; left > 0 && this.at < this.content.length; left--)
      if (!this.take()) return "useless";
    if (this.at < this.content.length) return "more";
    this.kept.end();
    if (!isGain(this.records.length, this.block.end)) return "useless";
    this.rows.trim();
    this.builder = new FooterBuilder(this.records, this.rows, this.host.log.sealBytes);
    return "more";
  }

  /** Of what `records` are then. */
  footer(seed: number): EncodedFooter {
    const { builder, block, records, marks } = this;
    assert(builder !== null, "all records were read");
    const openBatch = Math.max(0, block.facts.openBatch); // what was torn has been removed since
    return builder.encode({ ...block.facts, openBatch, marks }, { seed, end: records.length });
  }

  /** Takes the next record. False: it is damaged. */
  private take(): boolean {
    const { content, at, view, block, before, kept, rows, marks } = this;
    if (!readRecord(view, content, at, content.length)) {
      block.isDamaged = true;
      return false;
    }
    const { kind, sequence, previous, length } = view;
    this.at = at + length;
    if (kind === MESSAGE && isLive(block, before, sequence, at)) {
      const hash = before.hashAt(before.rowOf(sequence));
      const to = view.flags === 0 ? kept.keep(content, at, length) : kept.keepUnbatched(content, at, length);
      rows.add(sequence, to, length, hash, view.headerLength > 0);
    } else if (kind === REMOVED || kind === REMOVED_RUN || kind === SETTLED || kind === FIRST) {
      const from = kind === REMOVED_RUN ? Number(view.timeNs) : sequence;
      // the first record says what is known without the blocks before it
      if (kind === FIRST ? at !== 0 : !isInOlder(this.host.log, from, sequence, block)) return true;
      kept.keep(content, at, length);
      marks.push(kind, sequence, kind === REMOVED_RUN ? from : previous);
    } else kept.leaveOut(view);
    return true;
  }
}

function isLive(block: Block, rows: BlockRows, sequence: number, at: number): boolean {
  if (block.live === 0 || block.gaps?.has(sequence - block.base) === true) return false;
  const row = rows.rowOf(sequence);
  return row >= 0 && rows.offsetAt(row) === at;
}

/** Whether a block before this one may hold the record of a message from `from` to `to`. What is damaged may be that record: it is not called lost. */
function isInOlder({ blocks }: BlockLog, from: number, to: number, block: Block): boolean {
  return blocks.some(
    ({ number, facts, isDamaged }) =>
      number < block.number && (isDamaged || (facts.firstSequence <= to && from <= facts.lastSequence)),
  );
}

/** What stays of a block that is rewritten. A run of messages that are left out becomes one HOLE, which is no longer than one of them. */
class Kept {
  private readonly memory: Buffer;
  private length = 0;
  private holeFrom = -1;
  private holeTo = 0;
  private readonly sealBytes: number;

  constructor(bytesMax: number, sealBytes: number) {
    this.sealBytes = sealBytes;
    this.memory = Buffer.allocUnsafeSlow(bytesMax);
  }

  get records(): Buffer {
    return this.memory.subarray(0, this.length);
  }

  /** Returns the offset that the record has now. */
  keep(content: Buffer, at: number, length: number): number {
    this.end();
    const to = this.length;
    content.copy(this.memory, to, at, at + length);
    this.length += length;
    return to;
  }

  /** The same for a message of a batch: all of that is on the disk when its block is rewritten. */
  keepUnbatched(content: Buffer, at: number, length: number): number {
    const record = withoutFlags(content.subarray(at, at + length));
    return this.keep(record, 0, length);
  }

  leaveOut({ sequence, previous }: RecordView): void {
    if (this.holeFrom < 0) this.holeFrom = previous;
    this.holeTo = sequence;
  }

  /** Nothing follows what was left out. */
  end(): void {
    if (this.holeFrom < 0) return;
    this.length = writeRecord(
      this.memory,
      this.length,
      {
        kind: HOLE,
        sequence: this.holeTo,
        timeNs: 0n,
        previous: this.holeFrom,
        subject: "",
        headerLength: 0,
        body: EMPTY,
      },
      this.sealBytes,
    );
    this.holeFrom = -1;
  }
}
