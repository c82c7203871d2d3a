/**
 * Gives back the room of what is gone: removes the files of blocks that hold nothing that is live, and rewrites those that hold little. All
 * of it is done in steps, with syncs in the background; messages may come and go meanwhile.
 *
 *     read ─▶ footer ─▶ written beside the block ─▶ synced, and the log with it ─▶ renamed
 *
 * Invariant: what says that messages are gone is on the disk before they are.
 */
import { assert } from "../base/assert.ts";
import type { BlockLog } from "./block-log.ts";
import { gapsBetween } from "./block-rows.ts";
import type { Block } from "./block.ts";
import { Compaction, isWorthRewriting } from "./compaction.ts";
import { DiskError, type DiskFile } from "./disk.ts";
import type { EncodedFooter } from "./footer.ts";
import type { MessageIndex } from "./message-index.ts";
import { Packing, type Cleaned } from "./packing.ts";
import type { RowCache } from "./row-cache.ts";

export interface CleaningHost {
  readonly log: BlockLog;
  readonly index: MessageIndex;
  readonly cache: RowCache;
  readonly isInMemory: boolean;
  /** Writes out what was appended. Throws `DiskError`. */
  flush(): void;
  /** Messages are about to go for good. */
  beforeForgetting(): void;
}

interface Made {
  /** null: in memory. */
  readonly file: DiskFile | null;
  readonly footer: EncodedFooter;
}

export class Cleaning {
  private readonly host: CleaningHost;
  readonly packing: Packing;
  private compaction: Compaction | null = null;
  /** The log is being synced, or the file that replaces the block. */
  private isSyncing = false;
  /** The log says durably that nothing is left of the blocks at its beginning, up to the one of this number. */
  private emptyTo = 0;
  private isClosed = false;

  constructor(host: CleaningHost) {
    this.host = host;
    this.packing = new Packing(host.log);
  }

  /** Does a part. */
  work(): Cleaned {
    const { log } = this.host;
    if (log.syncs.isHolding) return "nothing";
    if (!log.finishing.isIdle) {
      log.finishing.work();
      return "more";
    }
    if (this.isSyncing) return "nothing";
    if (this.compaction === null) return this.begin();
    const result = this.compaction.step();
    if (result === "more") return "more";
    if (result === "useless") this.compaction = null;
    else this.replace(this.compaction);
    return "done";
  }

  /** The bytes of one of its messages are overwritten: what was read before does not count. */
  overwritten(block: Block): void {
    this.packing.overwritten(block);
    if (this.compaction?.block !== block) return;
    this.compaction = null;
    block.cleanedAt = -1;
  }

  /** Gives up the rewrite that is under way; a start removes the rest of it. */
  close(): void {
    this.isClosed = true;
    this.compaction = null;
    this.packing.close();
  }

  private begin(): Cleaned {
    const { log, index } = this.host;
    const { blocks } = log;
    for (const block of blocks) {
      if (block === blocks.at(-1) || block.isDamaged) continue;
      if (block === blocks[0] && block.live === 0) return this.drop(block);
      if (block.cleanedAt === block.live || !isWorthRewriting(block)) continue;
      this.compaction = new Compaction(block, { log, rowsOf: (one) => index.rowsOf(one) });
      return "more";
    }
    return this.packing.work();
  }

  private drop(block: Block): Cleaned {
    try {
      if (block.number > this.emptyTo) return this.syncEmpty();
      this.host.beforeForgetting();
      this.host.log.drop(block);
      return "done";
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return "nothing"; // it is tried again
    }
  }

  /** One sync serves for all blocks at the beginning of which nothing is left. */
  private syncEmpty(): Cleaned {
    const { log } = this.host;
    const last = log.blocks.at(-1)!;
    const to = (log.blocks.find((block) => block === last || block.live > 0) ?? last).number - 1;
    this.flush();
    this.isSyncing = true;
    log.sync((error) => {
      this.isSyncing = false;
      if (error === null) this.emptyTo = to;
    });
    return this.emptyTo === to ? "more" : "nothing";
  }

  /** All that was appended, whatever it waits for. */
  private flush(): void {
    this.host.log.syncs.release();
    this.host.flush();
  }

  private replace(compaction: Compaction): void {
    const { log } = this.host;
    const { block } = compaction;
    assert(log.seed !== null, "a block that is rewritten has rows with hashes");
    const footer = compaction.footer(log.seed);
    try {
      this.flush();
      const file = log.prepareRewrite(block, compaction.records, footer.record);
      const end = (error: DiskError | null): void => this.end(compaction, { file, footer }, error);
      if (file === null) {
        end(null);
        return;
      }
      this.isSyncing = true;
      log.sync((error) => (error === null ? file.sync(end) : end(error)));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.overwritten(block);
    }
  }

  /** Where the disk takes no more, the block stays as it is, and is tried again. */
  private end(compaction: Compaction, made: Made, failure: DiskError | null): void {
    const { log } = this.host;
    const { block } = compaction;
    this.isSyncing = false;
    if (this.isClosed) {
      made.file?.close();
      return;
    }
    try {
      const isWanted = this.compaction === compaction && !block.isDamaged && block.live > 0;
      if (failure === null && isWanted) this.swap(compaction, made);
      else if (made.file !== null) log.discardRewrite(block, made.file);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      made.file?.close();
      block.cleanedAt = -1;
    }
    if (failure !== null) block.cleanedAt = -1;
    if (this.compaction === compaction) this.compaction = null;
  }

  private swap(compaction: Compaction, { file, footer }: Made): void {
    const { log, index, cache, isInMemory } = this.host;
    const { block, rows, records } = compaction;
    const { gaps, base } = block;
    this.host.beforeForgetting();
    log.rewrite(block, file, records, rows);
    block.bloom = footer.bloom;
    block.lists = footer.lists;
    block.gaps = gapsBetween(rows, block.reach);
    if (rows.count > block.live) {
      // some have gone since they were read
      for (let row = 0; row < rows.count; row++) {
        const sequence = rows.sequenceAt(row);
        if (gaps?.has(sequence - base) === true) index.remove(block, sequence);
      }
    }
    index.moved();
    if (!isInMemory) cache.add(block, rows);
  }
}
