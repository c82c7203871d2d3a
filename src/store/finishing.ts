/**
 * Blocks that were sealed last, and whose footers are still to be written: made some rows at a time, so that no turn does all of it. Where
 * it does not come to that, the block is scanned at the next start.
 *
 * Bounded: at most QUEUED_MAX blocks wait, with their records in memory; the first of them is finished at once before another comes.
 */
import { assert } from "../base/assert.ts";
import type { Block } from "./block.ts";
import { DiskError } from "./disk.ts";
import { FooterBuilder } from "./footer.ts";

const QUEUED_MAX = 2;
const ROWS_PER_STEP = 4000;

interface Finished {
  readonly block: Block;
  readonly builder: FooterBuilder;
  /** The memory that the block was written in; null: the block is in memory. */
  readonly memory: Buffer | null;
}

export class Finishing {
  private readonly open: Finished[] = [];
  /** Returns the seed of the hashes in footers; null: not known yet. */
  private readonly seed: () => number | null;
  /** Memory that is needed no longer, for the next block. */
  private spare: Buffer | null = null;

  private readonly sealBytes: number;

  constructor(seed: () => number | null, sealBytes: number) {
    this.seed = seed;
    this.sealBytes = sealBytes;
  }

  get isIdle(): boolean {
    return this.open.length === 0;
  }

  has(block: Block): boolean {
    return this.open.some((one) => one.block === block);
  }

  /** `memory`: what the block was written in; null: it stays in memory. */
  add(block: Block, memory: Buffer | null): void {
    assert(block.rows !== null, "the rows of a block are known when it is sealed");
    if (this.open.length === QUEUED_MAX) this.finish(this.open.shift()!);
    const content = memory?.subarray(0, block.end) ?? null;
    this.open.push({ block, builder: new FooterBuilder(content, block.rows, this.sealBytes), memory });
  }

  /** Does a part. */
  work(): void {
    const [first] = this.open;
    if (first === undefined || !first.builder.take(ROWS_PER_STEP)) return;
    this.open.shift();
    this.finish(first);
  }

  workAll(): void {
    for (let first = this.open.shift(); first !== undefined; first = this.open.shift()) this.finish(first);
  }

  /** The block is gone. */
  drop(block: Block): void {
    const at = this.open.findIndex((one) => one.block === block);
    if (at >= 0) this.open.splice(at, 1);
  }

  /** Memory for a block; null: there is none. */
  takeSpare(): Buffer | null {
    const { spare } = this;
    this.spare = null;
    return spare;
  }

  private finish({ block, builder, memory }: Finished): void {
    if (memory === null) {
      builder.take(Infinity);
      block.bloom = builder.bloom;
    } else {
      writeFooter(block, builder, this.seed());
      this.spare = memory;
    }
    if (block.live === 0) block.bloom = null; // nobody looks for anything in it
    block.facts.marks.length = 0;
  }
}

/**
 * Without a footer the block is scanned when it has to be: a disk without room for one is no reason to fail. Nothing depends on its being
 * synced either: a torn footer is known as one.
 */
export function writeFooter(block: Block, builder: FooterBuilder, seed: number | null): void {
  const { facts, file, end } = block;
  assert(file !== null && seed !== null, "a block with a footer has a file, and its hashes a seed");
  const { record, bloom, lists } = builder.encode(facts, { seed, end });
  block.bloom = bloom;
  try {
    file.write(record, end);
    block.footerLength = record.length;
    block.lists = lists;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    file.truncate(end);
  }
}
