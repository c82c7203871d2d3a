/**
 * A log of records in blocks. Records are appended to the last block, in memory first: `flush` writes all that was appended since
 * the last flush by one call. A record is found again by its block and offset.
 *
 *     000001.blk       000002.blk       000003.blk    on disk; or memory alone, where there is no disk
 *       sealed           sealed           being written, also in memory
 *       records footer   records footer   records
 *
 * The log knows nothing of sequences but how many records of a block are still live (its owner says so). Blocks are bounded
 * by `blockBytes`, but a record that is longer has a block of its own.
 */
import { assert } from "../base/assert.ts";
import type { Birth } from "./births.ts";
import { BlockRows } from "./block-rows.ts";
import { BlockSyncs } from "./block-syncs.ts";
import { emptyBlock, noFacts, placeOf, type Block } from "./block.ts";
import type { Disk, DiskError, DiskFile } from "./disk.ts";
import { Finishing, writeFooter } from "./finishing.ts";
import { decodeFooter, FooterBuilder, TORN, type Footer } from "./footer.ts";
import { readFooter, readRowsOf, seedIn } from "./footer-file.ts";
import { isPacked } from "./packed-disk.ts";
import { ReadWindow } from "./read-window.ts";
import { rowsInRecords } from "./scanned-rows.ts";
import {
  readRecord,
  recordLength,
  writeMessage,
  writeRecord,
  type PlacedMessage,
  type RecordFields,
  type RecordPlace,
  type RecordView,
} from "./record.ts";

const BLOCK_START_BYTES = 16 * 1024;

export interface BlockLogOptions {
  /** null: in memory. */
  readonly disk: Disk | null;
  readonly folder: string;
  readonly blockBytes: number;
  /** Whether nothing is written behind a block before it is on the disk. Either way it is synced in the background. */
  readonly sealedBlocks: "synced" | "synced later";
  /** Hash of a subject, a byte string. */
  readonly hashOf: (subject: string) => number;
  /** All of the block is written; its rows need not stay in memory. */
  readonly onSealed: (block: Block) => void;
  /** What the log belongs to, where that was just made. */
  readonly birth: Birth | null;
}

export class BlockLog {
  readonly blocks: Block[] = [];
  /** Block and offset of the record that was appended last. */
  lastBlock = 0;
  lastOffset = 0;
  isClosed = false;
  readonly syncs: BlockSyncs;
  private readonly options: BlockLogOptions;
  private readonly window = new ReadWindow();
  /** The memory that messages were written to last. */
  private writing: DataView = new DataView(new ArrayBuffer(0));
  /** Seed of the hashes in footers; null: not known yet. */
  seed: number | null = null;
  readonly finishing: Finishing;
  /** What each record keeps free at its end. */
  readonly sealBytes: number;
  private readonly place: RecordPlace;

  constructor(options: BlockLogOptions) {
    this.options = options;
    this.sealBytes = options.disk?.sealBytes ?? 0;
    this.finishing = new Finishing(() => this.seed, this.sealBytes);
    this.place = { sequence: 0, previous: 0, sealBytes: this.sealBytes };
    this.syncs = new BlockSyncs(options.disk, options.folder, options.birth);
    options.disk?.makeFolder(options.folder);
  }

  /**
   * Opens the blocks that are on disk, in order. What has a footer is handed to `restore`, and to `scan` with its content where that returns
   * false, or where it has none; `scan` returns where its records end.
   */
  recover(
    scan: (block: Block, content: Buffer, isLast: boolean) => number,
    restore: (block: Block, footer: Footer) => boolean,
    /** What the seed of the hashes is: null: nothing on the disk tells. Called before the others. */
    onSeed: (seed: number | null) => number,
  ): void {
    const { disk, folder } = this.options;
    if (disk === null) {
      this.seed = onSeed(null);
      return;
    }
    const names = disk.names(folder);
    for (const name of names) if (name.endsWith(".new")) disk.remove(`${folder}/${name}`); // a rewrite that a kill interrupted
    const numbers = names.flatMap((name) => /^(\d{12})\.blk$/.exec(name)?.slice(1).map(Number) ?? []);
    for (const number of numbers) {
      const block = this.newBlock(number);
      block.file = disk.open(this.pathOf(block));
      block.reach = Infinity; // until it is known, searches end before it
      this.seed ??= seedIn(block.file);
    }
    this.seed = onSeed(this.seed);
    const lastWritten = this.blocks.findLastIndex(({ file }) => file!.size > 0); // those behind it were held
    for (const [i, block] of [...this.blocks].entries()) {
      block.reach = this.blocks[i - 1]?.reach ?? 0;
      const footer = readFooter(block.file!);
      if (footer === null || !this.restore(block, footer, restore)) this.scan(block, scan, i >= lastWritten);
    }
    this.lastBlock = numbers.at(-1) ?? 0;
    for (const { file } of this.blocks.slice(Math.max(0, lastWritten))) file!.syncNow(); // a process that was killed may not have
    this.syncs.namesChanged();
  }

  private restore(block: Block, record: Buffer, restore: (block: Block, footer: Footer) => boolean): boolean {
    const footer = decodeFooter(record, block.file!.size - record.length, this.seed);
    if (footer === null) return false;
    block.end = block.flushed = block.file!.size - record.length;
    block.footerLength = record.length;
    block.lists = footer.lists;
    block.facts = footer.facts;
    return restore(block, footer);
  }

  private scan(
    block: Block,
    scan: (block: Block, content: Buffer, isLast: boolean) => number,
    isLast: boolean,
  ): void {
    const file = block.file!;
    const content = Buffer.allocUnsafeSlow(file.size - block.footerLength);
    const length = file.read(content, 0);
    block.end = block.flushed = length;
    block.facts = noFacts();
    block.rows = new BlockRows();
    const end = scan(block, content.subarray(0, length), isLast);
    assert(end <= length, "a scan ends within its block");
    block.end = block.flushed = end;
    if (end < length) file.truncate(end);
    block.rows.trim();
    if (block.footerLength === 0 && !block.isDamaged && block.facts.openBatch !== TORN && end > 0) {
      writeFooter(block, new FooterBuilder(content.subarray(0, end), block.rows, this.sealBytes), this.seed);
      file.sync(() => undefined);
    }
    this.sealed(block);
  }

  /** All of the block has been written. */
  sealed(block: Block): void {
    this.options.onSealed(block);
  }

  /** Bytes of the files. */
  get sizeBytes(): number {
    let sum = 0;
    for (const block of this.blocks) sum += block.end;
    return sum;
  }

  /** `lastBlock` and `lastOffset` say where it is. Throws `DiskError` when a full block cannot be written out. */
  append(fields: RecordFields): Block {
    const length = this.lengthOf(fields.subject.length, fields.body.length);
    const block = this.blockFor(length);
    const at = block.end;
    const end = writeRecord(this.roomIn(block, length), at, fields, this.sealBytes);
    assert(end === at + length, "a record is as long as was made room for");
    block.end = end;
    this.lastBlock = block.number;
    this.lastOffset = at;
    return block;
  }

  /** The same for a message in memory. */
  appendMessage(message: PlacedMessage, sequence: number, previous: number): Block {
    const length = this.lengthOf(message.subject.length, message.bodyLength);
    const block = this.blockFor(length);
    const at = block.end;
    const memory = this.roomIn(block, length);
    if (this.writing.buffer !== memory.buffer || this.writing.byteOffset !== memory.byteOffset)
      this.writing = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.place.sequence = sequence;
    this.place.previous = previous;
    block.end = writeMessage(memory, this.writing, at, message, this.place);
    assert(block.end === at + length, "a record is as long as was made room for");
    this.lastBlock = block.number;
    this.lastOffset = at;
    return block;
  }

  lengthOf(subjectLength: number, bodyLength: number): number {
    return recordLength(subjectLength, bodyLength, this.sealBytes);
  }

  /** Whether the next record of this length begins a new block. */
  needsBlock(length: number): boolean {
    const last = this.blocks.at(-1);
    if (last === undefined || last.memory === null) return true;
    return last.end > 0 && last.end + length > this.options.blockBytes;
  }

  /** Writes what was appended, unless it is held. Throws `DiskError`; the next flush then begins at the same place again. */
  flush(): void {
    const block = this.blocks.at(-1);
    if (block === undefined || block.flushed === block.end || this.syncs.isHolding) return;
    this.flushBlock(block);
  }

  /** Calls back when all that is flushed is on the disk. In memory: at once. */
  sync(done: (error: DiskError | null) => void): void {
    const file = this.blocks.at(-1)?.file ?? null;
    if (file === null) done(null);
    else this.syncs.sync(file, done);
  }

  /** Calls back when what the log belongs to is durable. */
  whenBorn(done: (error: DiskError | null) => void): void {
    this.syncs.whenBorn(done);
  }

  syncNow(): void {
    const file = this.blocks.at(-1)?.file ?? null;
    if (file !== null) this.syncs.syncNow(file);
  }

  /** Reads the record into `view`, which holds until the next call. False: it is damaged. */
  read(view: RecordView, block: Block, offset: number, length: number): boolean {
    if (block.memory !== null) return readRecord(view, block.memory, offset, block.end);
    return this.window.read(view, block, offset, length);
  }

  /** Rows of a sealed block: from its footer, or where that cannot be read, from its records. */
  readRows(block: Block): BlockRows {
    const rows = readRowsOf(block);
    return rows ?? rowsInRecords(this.contentOf(block), (subject) => this.options.hashOf(subject));
  }

  /** Overwrites the record where it lies. It has the length of what was there. */
  overwrite(block: Block, offset: number, fields: RecordFields): void {
    const length = this.lengthOf(fields.subject.length, fields.body.length);
    assert(offset + length <= block.end, "only what is there is overwritten");
    this.window.forget();
    if (block.memory !== null) writeRecord(block.memory, offset, fields, this.sealBytes);
    if (block.file === null || offset >= block.flushed) return;
    const record = Buffer.alloc(length);
    writeRecord(record, 0, fields, this.sealBytes);
    block.file.write(record, offset);
    block.file.syncNow();
  }

  /** Removes the block and its file. */
  drop(block: Block): void {
    const index = placeOf(this.blocks, block.number);
    assert(this.blocks[index] === block, "a block is dropped once");
    this.blocks.splice(index, 1);
    this.window.forget();
    this.finishing.drop(block);
    if (block.file !== null) this.syncs.close(block.file);
    block.file = null;
    this.options.disk?.remove(this.pathOf(block));
    this.syncs.namesChanged();
  }

  /** The first block behind this number; null: there is none. */
  blockAfter(number: number): Block | null {
    return this.blocks[placeOf(this.blocks, number + 1)] ?? null;
  }

  /** Writes what a sealed block shall hold beside it. In memory: does nothing. Throws `DiskError`. */
  prepareRewrite(block: Block, content: Buffer, footer: Buffer): DiskFile | null {
    const { disk } = this.options;
    if (disk === null) return null;
    this.syncs.syncNames(); // what it no longer says of blocks that were dropped holds only once they are gone for good
    const file = disk.open(`${this.pathOf(block)}.new`);
    try {
      file.truncate(0);
      file.write(content, 0);
      file.write(footer, content.length);
      return file;
    } catch (error) {
      this.discardRewrite(block, file);
      throw error;
    }
  }

  /** A sealed block has these records from here on. `file`: with them, synced; null: in memory. Durable when this returns. */
  rewrite(block: Block, file: DiskFile | null, content: Buffer, rows: BlockRows): void {
    assert(block !== this.blocks.at(-1), "the block that is being written is not rewritten");
    const { disk } = this.options;
    this.window.forget();
    if (disk === null) block.memory = Buffer.from(content);
    else {
      assert(file !== null, "what replaces a block on the disk is on the disk");
      disk.rename(`${this.pathOf(block)}.new`, this.pathOf(block));
      if (block.file !== null) this.syncs.close(block.file);
      block.file = file;
      block.footerLength = file.size - content.length;
      block.packing = "open";
    }
    block.end = block.flushed = content.length;
    block.rows = rows;
    block.base = rows.count === 0 ? 0 : rows.base;
  }

  /** A sealed block lies packed from here on. `file`: as it is to lie there, synced. Durable when this returns. */
  packed(block: Block, file: DiskFile): void {
    const { disk } = this.options;
    assert(disk !== null && block !== this.blocks.at(-1), "a block that is packed is sealed and on the disk");
    this.window.forget();
    disk.rename(`${this.pathOf(block)}.new`, this.pathOf(block));
    file.close();
    const packed = disk.open(this.pathOf(block));
    assert(isPacked(packed), "what has just been packed is known to be");
    if (block.file !== null) this.syncs.close(block.file);
    block.file = packed;
    block.packing = "settled";
  }

  /** Removes a prepared rewrite that is no longer wanted. */
  discardRewrite(block: Block, file: DiskFile): void {
    file.close();
    this.options.disk?.remove(`${this.pathOf(block)}.new`);
  }

  /** The whole content of a block. */
  contentOf(block: Block): Buffer {
    if (block.memory !== null) return block.memory.subarray(0, block.end);
    const content = Buffer.allocUnsafeSlow(block.end);
    return content.subarray(0, block.file?.read(content, 0) ?? 0);
  }

  close(): void {
    this.isClosed = true;
    if (!this.syncs.isHolding) this.finishing.workAll();
    for (const { file } of this.blocks) file?.close();
  }

  /** Begins a new block, whatever the last one holds. */
  beginBlock(): void {
    const last = this.blocks.at(-1);
    const spare = last === undefined || last.memory === null ? null : this.seal(last);
    if (last !== undefined && this.options.sealedBlocks === "synced") this.syncs.syncNames(); // those of blocks that were found
    const block = this.newBlock(this.lastBlock + 1);
    block.memory = spare ?? Buffer.allocUnsafeSlow(BLOCK_START_BYTES);
    block.rows = new BlockRows();
    block.file = this.options.disk?.open(this.pathOf(block)) ?? null;
    this.lastBlock = block.number;
    this.syncs.namesChanged();
  }

  private blockFor(length: number): Block {
    if (this.needsBlock(length)) this.beginBlock();
    return this.blocks.at(-1)!;
  }

  /** Returns memory for the next block; null: there is none. */
  private seal(block: Block): Buffer | null {
    const { memory, file } = block;
    assert(memory !== null && block.rows !== null, "a block is sealed once");
    block.rows.trim();
    if (file === null) block.memory = Buffer.from(memory.subarray(0, block.end));
    else {
      this.syncs.release(); // one block at a time is waited for
      this.flushBlock(block);
      if (this.options.sealedBlocks === "synced later") this.syncs.syncLater(file);
      else this.syncs.holdBehind(file); // what is behind damage would say that this block had been on the disk
      block.memory = null;
    }
    this.finishing.add(block, file === null ? null : memory);
    this.sealed(block);
    const spare = file === null ? memory : this.finishing.takeSpare();
    return spare !== null && spare.length <= this.options.blockBytes ? spare : null;
  }

  private flushBlock(block: Block): void {
    const { memory, file, flushed, end } = block;
    if (file !== null && memory !== null) file.write(memory.subarray(flushed, end), flushed);
    block.flushed = end;
  }

  private roomIn(block: Block, length: number): Buffer {
    const memory = block.memory!;
    if (block.end + length <= memory.length) return memory;
    const grown = Buffer.allocUnsafeSlow(
      Math.max(block.end + length, Math.min(2 * memory.length, this.options.blockBytes)),
    );
    memory.copy(grown, 0, 0, block.end);
    block.memory = grown;
    return grown;
  }

  private newBlock(number: number): Block {
    const block = emptyBlock(number, this.blocks.at(-1)?.reach ?? 0);
    this.blocks.push(block);
    return block;
  }

  pathOf({ number }: Block): string {
    return `${this.options.folder}/${String(number).padStart(12, "0")}.blk`;
  }
}
