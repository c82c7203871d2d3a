/**
 * Packs sealed blocks of a stream that wants it, one after the other: read and packed in steps, written beside the block, synced in the
 * background, renamed. A kill leaves the block in one form or the other.
 *
 * Bounded: one block is under way at a time, and is in memory packed.
 */
import type { BlockLog } from "./block-log.ts";
import type { Block } from "./block.ts";
import { DiskError, type DiskFile } from "./disk.ts";
import { BlockPacking, isPacked } from "./packed-disk.ts";

/** "nothing": there is nothing to do now. "done": a block is. "more": a part of one. */
export type Cleaned = "nothing" | "done" | "more";

const NO_FOOTER = Buffer.alloc(0);

interface UnderWay {
  readonly block: Block;
  /** As it was when the packing began. */
  readonly file: DiskFile;
  readonly size: number;
  readonly packing: BlockPacking;
}

export class Packing {
  /** Whether blocks that are sealed are to be packed. */
  isWanted = false;
  private readonly log: BlockLog;
  private underWay: UnderWay | null = null;
  private isSyncing = false;
  private isClosed = false;

  constructor(log: BlockLog) {
    this.log = log;
  }

  /** Does a part. */
  work(): Cleaned {
    if (this.isSyncing) return "nothing";
    const { underWay } = this;
    if (underWay === null) return this.begin();
    if (!isAsItWas(underWay)) {
      this.underWay = null;
      return "more";
    }
    if (!underWay.packing.step()) return "more";
    const packed = underWay.packing.result();
    if (packed === null) {
      underWay.block.packing = "settled";
      this.underWay = null;
    } else this.write(underWay, packed);
    return "done";
  }

  /** Bytes of the block have changed: what was read before does not count. */
  overwritten(block: Block): void {
    if (this.underWay?.block === block) this.underWay = null;
  }

  /** Gives up the block that is under way; a start removes the rest of it. */
  close(): void {
    this.isClosed = true;
    this.underWay = null;
  }

  private begin(): Cleaned {
    if (!this.isWanted || this.log.sealBytes > 0) return "nothing";
    const { blocks } = this.log;
    for (const block of blocks) {
      const { file } = block;
      if (block === blocks.at(-1) || file === null || block.packing === "settled") continue;
      if (block.isDamaged || block.live === 0) continue;
      const { size } = file;
      if (isPacked(file) || !BlockPacking.canPack(size)) {
        block.packing = "settled";
        continue;
      }
      const packing = new BlockPacking((into, at) => file.read(into, at), size);
      this.underWay = { block, file, size, packing };
      return "more";
    }
    return "nothing";
  }

  private write(underWay: UnderWay, packed: Buffer): void {
    const { block } = underWay;
    try {
      const file = this.log.prepareRewrite(block, packed, NO_FOOTER);
      if (file === null) return;
      this.isSyncing = true;
      file.sync((error) => this.end(underWay, file, error));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.underWay = null; // it is tried again
    }
  }

  private end(underWay: UnderWay, file: DiskFile, failure: DiskError | null): void {
    const { block } = underWay;
    this.isSyncing = false;
    if (this.isClosed) {
      file.close();
      return;
    }
    try {
      const isWanted =
        this.underWay === underWay && isAsItWas(underWay) && this.log.blockAfter(block.number - 1) === block;
      if (failure === null && isWanted) this.log.packed(block, file);
      else this.log.discardRewrite(block, file);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      file.close();
    }
    if (this.underWay === underWay) this.underWay = null;
  }
}

function isAsItWas({ block, file, size }: UnderWay): boolean {
  return block.file === file && file.size === size && !block.isDamaged;
}
