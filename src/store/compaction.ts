/**
 * Rewrites a block without what is dead: messages that were removed, and marks that nothing depends on any more. A mark for a removed
 * message is needed while an older block may hold its record.
 */
import type { Block, BlockLog } from "./block-log.ts";
import type { MessageIndex } from "./message-index.ts";
import {
  FIRST,
  HOLE,
  MESSAGE,
  readRecord,
  recordLength,
  RecordView,
  REMOVED,
  SETTLED,
  withoutFlags,
  writeRecord,
} from "./record.ts";

export interface CompactionHost {
  readonly log: BlockLog;
  readonly index: MessageIndex;
  /** What says that messages are gone has to be on the disk before they are. */
  beforeRewrite(): void;
}

const EMPTY = new Uint8Array(0);

/** False: it would gain too little, or the block is damaged: then it stays as it is. */
export function rewriteBlock(block: Block, host: CompactionHost): boolean {
  const { log, index } = host;
  const content = log.contentOf(block);
  const kept = new Rewriting();
  const moves: [sequence: number, offset: number][] = [];
  const view = new RecordView();
  block.cleanedAt = block.live;
  for (let at = 0; at < content.length; at += view.length) {
    if (!readRecord(view, content, at, content.length)) {
      block.isDamaged = true;
      return false;
    }
    const { kind, sequence, length } = view;
    const isLive = index.blockOf(sequence) === block.number && index.offsetOf(sequence) === at;
    if (kind === MESSAGE && isLive)
      moves.push([sequence, kept.keep(unbatched(view, content.subarray(at, at + length)))]);
    else if (kind === REMOVED || kind === SETTLED) {
      if (isInOlder(log, sequence, block)) kept.keep(content.subarray(at, at + length));
    } else if (kind !== FIRST) kept.leaveOut(view);
    else if (at === 0) kept.keep(content.subarray(0, length)); // what is known without the blocks before it
  }
  const rest = kept.end();
  if (rest.length * 4 > block.end * 3) return false;
  host.beforeRewrite();
  log.rewrite(block, rest);
  for (const [sequence, offset] of moves) index.move(sequence, offset);
  return true;
}

/** All of a batch is on the disk when its block is rewritten. */
function unbatched({ flags }: RecordView, record: Buffer): Buffer {
  return flags === 0 ? record : withoutFlags(record);
}

/** Whether a block before this one may hold the record of a message. What is damaged may be that record: it is not called lost. */
function isInOlder({ blocks }: BlockLog, sequence: number, block: Block): boolean {
  return blocks.some(
    ({ number, firstSequence, lastSequence, isDamaged }) =>
      number < block.number && (isDamaged || (firstSequence <= sequence && sequence <= lastSequence)),
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
