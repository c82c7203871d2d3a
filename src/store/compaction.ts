/**
 * Rewrites a block without what is dead: messages that were removed, and marks that nothing depends on any more. A mark for a removed
 * message is needed while an older block may hold its record.
 */
import type { BlockLog } from "./block-log.ts";
import type { Block } from "./block.ts";
import { BlockRows } from "./block-rows.ts";
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
  hashOf(subject: string): number;
  /** What says that messages are gone has to be on the disk before they are. */
  beforeRewrite(): void;
}

const EMPTY = new Uint8Array(0);

/** False: it would gain too little, or the block is damaged: then it stays as it is. */
export function rewriteBlock(block: Block, host: CompactionHost): boolean {
  const { log } = host;
  const content = log.contentOf(block);
  const kept = new Rewriting();
  const rows = new BlockRows();
  const marks: number[] = [];
  const before = host.rowsOf(block);
  const view = new RecordView();
  block.cleanedAt = block.live;
  for (let at = 0; at < content.length; at += view.length) {
    if (!readRecord(view, content, at, content.length)) {
      block.isDamaged = true;
      return false;
    }
    const { kind, sequence, previous, length } = view;
    const record = content.subarray(at, at + length);
    if (kind === MESSAGE && isLive(block, before, sequence, at)) {
      const hash = before.hashAt(before.rowOf(sequence));
      rows.add(sequence, kept.keep(unbatched(view, record)), length, hash, view.headerLength > 0);
    } else if (kind === REMOVED || kind === REMOVED_RUN || kind === SETTLED || kind === FIRST) {
      const from = kind === REMOVED_RUN ? Number(view.timeNs) : sequence;
      // the first record says what is known without the blocks before it
      if (kind === FIRST ? at !== 0 : !isInOlder(log, from, sequence, block)) continue;
      kept.keep(record);
      marks.push(kind, sequence, kind === REMOVED_RUN ? from : previous);
    } else kept.leaveOut(view);
  }
  const rest = kept.end();
  if (rest.length * 4 > block.end * 3) return false;
  host.beforeRewrite();
  rows.trim();
  const openBatch = Math.max(0, block.facts.openBatch); // what was torn has been removed since
  log.rewrite(block, rest, rows, { ...block.facts, openBatch, marks });
  return true;
}

function isLive(block: Block, rows: BlockRows, sequence: number, at: number): boolean {
  if (block.live === 0 || block.gaps?.has(sequence - block.base) === true) return false;
  const row = rows.rowOf(sequence);
  return row >= 0 && rows.offsetAt(row) === at;
}

/** All of a batch is on the disk when its block is rewritten. */
function unbatched({ flags }: RecordView, record: Buffer): Buffer {
  return flags === 0 ? record : withoutFlags(record);
}

/** Whether a block before this one may hold the record of a message from `from` to `to`. What is damaged may be that record: it is not called lost. */
function isInOlder({ blocks }: BlockLog, from: number, to: number, block: Block): boolean {
  return blocks.some(
    ({ number, facts, isDamaged }) =>
      number < block.number && (isDamaged || (facts.firstSequence <= to && from <= facts.lastSequence)),
  );
}

/** What stays of a block that is rewritten. A run of messages that are left out becomes one HOLE. */
class Rewriting {
  private readonly pieces: Buffer[] = [];
  private length = 0;
  private holeFrom = -1;
  private holeTo = 0;

  /** Returns the offset that the record has now. */
  keep(record: Buffer): number {
    this.endHole();
    const at = this.length;
    this.pieces.push(record);
    this.length += record.length;
    return at;
  }

  leaveOut({ sequence, previous }: RecordView): void {
    if (this.holeFrom < 0) this.holeFrom = previous;
    this.holeTo = sequence;
  }

  end(): Buffer {
    this.endHole();
    return Buffer.concat(this.pieces, this.length);
  }

  private endHole(): void {
    if (this.holeFrom < 0) return;
    const record = Buffer.alloc(recordLength(0, 0));
    writeRecord(record, 0, {
      kind: HOLE,
      sequence: this.holeTo,
      timeNs: 0n,
      previous: this.holeFrom,
      subject: "",
      headerLength: 0,
      body: EMPTY,
    });
    this.holeFrom = -1;
    this.pieces.push(record);
    this.length += record.length;
  }
}
