/**
 * A log of records in blocks. Records are appended to the last block, in memory first: `flush` writes all that was appended since
 * the last flush by one call. A record is found again by its block and offset.
 *
 *     000001.blk  000002.blk  000003.blk    on disk; or memory alone, where there is no disk
 *       sealed      sealed      being written, also in memory
 *
 * The log knows nothing of sequences but how many records of a block are still live (its owner says so). Blocks are bounded
 * by `blockBytes`, but a record that is longer has a block of its own.
 */
import { assert } from "../base/assert.ts";
import type { Disk, DiskError, DiskFile } from "./disk.ts";
import {
  readRecord,
  recordLength,
  writeMessage,
  writeRecord,
  type PlacedMessage,
  type RecordFields,
  type RecordView,
} from "./record.ts";

const BLOCK_START_BYTES = 16 * 1024;
/** Read at once from a sealed block. */
const WINDOW_BYTES = 64 * 1024;

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
  /** Sequences of messages in it; first 0: none. */
  firstSequence: number;
  lastSequence: number;
  /** Some of it is no sound record: it stays as it is. */
  isDamaged: boolean;
  /** `live` when it was last looked at for what could be left out. */
  cleanedAt: number;
}

export interface BlockLogOptions {
  /** null: in memory. */
  readonly disk: Disk | null;
  readonly folder: string;
  readonly blockBytes: number;
  /** Whether a block is on the disk when the next one begins, or is written alone and synced in the background. */
  readonly sealedBlocks: "synced" | "synced later";
}

export class BlockLog {
  readonly blocks: Block[] = [];
  /** Block and offset of the record that was appended last. */
  lastBlock = 0;
  lastOffset = 0;
  private readonly options: BlockLogOptions;
  private readonly window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  private windowBlock = 0;
  private windowFrom = 0;
  private windowLength = 0;
  private isFolderDirty = false;
  /** Of sealed blocks whose sync is under way, or has failed. */
  private readonly unsynced = new Set<DiskFile>();
  /** Of the memory that messages were written to last. */
  private writing: DataView = new DataView(new ArrayBuffer(0));

  constructor(options: BlockLogOptions) {
    this.options = options;
    options.disk?.makeFolder(options.folder);
  }

  /** Opens the blocks that are on disk, in order, and hands each with its content to `scan`, which returns where it ends. */
  recover(scan: (block: Block, content: Buffer, isLast: boolean) => number): void {
    const { disk, folder } = this.options;
    if (disk === null) return;
    const names = disk.names(folder);
    for (const name of names) if (name.endsWith(".new")) disk.remove(`${folder}/${name}`); // a rewrite that a kill interrupted
    const numbers = names.flatMap((name) => /^(\d{12})\.blk$/.exec(name)?.slice(1).map(Number) ?? []);
    for (const number of numbers) {
      const block = this.newBlock(number);
      const file = (block.file = disk.open(this.pathOf(block)));
      const content = Buffer.allocUnsafeSlow(file.size);
      const length = file.read(content, 0);
      block.end = block.flushed = length;
      const end = scan(block, content.subarray(0, length), number === numbers.at(-1));
      assert(end <= length, "a scan ends within its block");
      if (end < length) {
        file.truncate(end);
        block.end = block.flushed = end;
      }
    }
    this.lastBlock = numbers.at(-1) ?? 0;
    this.blocks.at(-1)?.file?.syncNow(); // a process that was killed may have left it unsynced
    this.isFolderDirty = true;
  }

  /** Bytes of the files. */
  get sizeBytes(): number {
    let sum = 0;
    for (const block of this.blocks) sum += block.end;
    return sum;
  }

  /** `lastBlock` and `lastOffset` say where it is. Throws `DiskError` when a full block cannot be written out. */
  append(fields: RecordFields): Block {
    const length = recordLength(fields.subject.length, fields.body.length);
    const block = this.blockFor(length);
    const at = block.end;
    const end = writeRecord(this.roomIn(block, length), at, fields);
    assert(end === at + length, "a record is as long as was made room for");
    block.end = end;
    this.lastBlock = block.number;
    this.lastOffset = at;
    return block;
  }

  /** The same for a message in memory. */
  appendMessage(message: PlacedMessage, sequence: number, previous: number): Block {
    const length = recordLength(message.subject.length, message.bodyLength);
    const block = this.blockFor(length);
    const at = block.end;
    const memory = this.roomIn(block, length);
    if (this.writing.buffer !== memory.buffer || this.writing.byteOffset !== memory.byteOffset)
      this.writing = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    block.end = writeMessage(memory, this.writing, at, message, sequence, previous);
    assert(block.end === at + length, "a record is as long as was made room for");
    this.lastBlock = block.number;
    this.lastOffset = at;
    return block;
  }

  /** Whether the next record of this length begins a new block. */
  needsBlock(length: number): boolean {
    const last = this.blocks.at(-1);
    if (last === undefined || last.memory === null) return true;
    return last.end > 0 && last.end + length > this.options.blockBytes;
  }

  /** Writes what was appended. Throws `DiskError`; the next flush then begins at the same place again. */
  flush(): void {
    const block = this.blocks.at(-1);
    if (block === undefined || block.flushed === block.end) return;
    this.flushBlock(block);
  }

  /** Calls back when all that is flushed is on the disk. In memory: at once. */
  sync(done: (error: DiskError | null) => void): void {
    const file = this.blocks.at(-1)?.file ?? null;
    if (file === null) {
      done(null);
      return;
    }
    this.syncNames();
    if (this.unsynced.size === 0) file.sync(done);
    else this.syncAll([...this.unsynced, file], done);
  }

  syncNow(): void {
    const file = this.blocks.at(-1)?.file ?? null;
    if (file === null) return;
    this.syncNames();
    for (const sealed of this.unsynced) sealed.syncNow();
    this.unsynced.clear();
    file.syncNow();
  }

  private syncAll(files: readonly DiskFile[], done: (error: DiskError | null) => void): void {
    let left = files.length;
    let failure: DiskError | null = null;
    for (const file of files)
      file.sync((error) => {
        if (error === null) this.unsynced.delete(file);
        else failure ??= error;
        if (--left === 0) done(failure);
      });
  }

  /** Reads the record into `view`, which holds until the next call. False: it is damaged. */
  read(view: RecordView, blockNumber: number, offset: number, length: number): boolean {
    const block = this.block(blockNumber);
    if (block.memory !== null) return readRecord(view, block.memory, offset, block.end);
    const { file } = block;
    assert(file !== null, "a block without memory has a file");
    if (length > WINDOW_BYTES) {
      const memory = Buffer.allocUnsafeSlow(length);
      return readRecord(view, memory, 0, file.read(memory, offset));
    }
    const isInWindow =
      this.windowBlock === blockNumber &&
      offset >= this.windowFrom &&
      offset + length <= this.windowFrom + this.windowLength;
    if (!isInWindow) {
      this.windowBlock = blockNumber;
      this.windowFrom = offset;
      this.windowLength = file.read(this.window, offset);
    }
    return readRecord(view, this.window, offset - this.windowFrom, this.windowLength);
  }

  block(number: number): Block {
    const block = this.blocks[this.indexOf(number)];
    assert(block?.number === number, "a record lies in a block that is there");
    return block;
  }

  /** Overwrites the record where it lies. It has the length of what was there. */
  overwrite(blockNumber: number, offset: number, fields: RecordFields): void {
    const block = this.block(blockNumber);
    const length = recordLength(fields.subject.length, fields.body.length);
    assert(offset + length <= block.end, "only what is there is overwritten");
    this.windowBlock = 0;
    if (block.memory !== null) writeRecord(block.memory, offset, fields);
    if (block.file === null || offset >= block.flushed) return;
    const record = Buffer.alloc(length);
    writeRecord(record, 0, fields);
    block.file.write(record, offset);
    block.file.syncNow();
  }

  /** Removes the block and its file. */
  drop(block: Block): void {
    const index = this.indexOf(block.number);
    assert(this.blocks[index] === block, "a block is dropped once");
    this.blocks.splice(index, 1);
    this.windowBlock = 0;
    this.closeFile(block);
    this.options.disk?.remove(this.pathOf(block));
    this.isFolderDirty = true;
  }

  /** A sealed block has this content from here on. Durable when this returns. */
  rewrite(block: Block, content: Buffer): void {
    assert(block !== this.blocks.at(-1), "the block that is being written is not rewritten");
    const { disk } = this.options;
    this.windowBlock = 0;
    if (disk === null) block.memory = Buffer.from(content);
    else {
      this.syncNames(); // what it no longer says of blocks that were dropped holds only once they are gone for good
      disk.replace(this.pathOf(block), content);
      this.closeFile(block);
      block.file = disk.open(this.pathOf(block));
    }
    block.end = block.flushed = content.length;
  }

  private closeFile({ file }: Block): void {
    if (file === null) return;
    this.unsynced.delete(file);
    file.close();
  }

  /** The whole content of a block. */
  contentOf(block: Block): Buffer {
    if (block.memory !== null) return block.memory.subarray(0, block.end);
    const content = Buffer.allocUnsafeSlow(block.end);
    return content.subarray(0, block.file?.read(content, 0) ?? 0);
  }

  close(): void {
    for (const { file } of this.blocks) file?.close();
  }

  /** Begins a new block, whatever the last one holds. */
  beginBlock(): void {
    const last = this.blocks.at(-1);
    const spare = last === undefined || last.memory === null ? null : this.seal(last);
    const block = this.newBlock(this.lastBlock + 1);
    block.memory = spare ?? Buffer.allocUnsafeSlow(BLOCK_START_BYTES);
    const { disk } = this.options;
    if (disk !== null) block.file = disk.open(this.pathOf(block));
    this.lastBlock = block.number;
    this.isFolderDirty = true;
  }

  private blockFor(length: number): Block {
    if (this.needsBlock(length)) this.beginBlock();
    return this.blocks.at(-1)!;
  }

  /** Returns the memory that the block was written in, for the next one; null: it is too large to be kept. */
  private seal(block: Block): Buffer | null {
    const { memory, file } = block;
    assert(memory !== null, "a block is sealed once");
    if (file === null) block.memory = Buffer.from(memory.subarray(0, block.end));
    else {
      this.flushBlock(block);
      if (this.options.sealedBlocks === "synced later") this.syncSealed(file);
      else file.syncNow(); // a later sync covers the next block alone
      block.memory = null;
    }
    return memory.length <= this.options.blockBytes ? memory : null;
  }

  /** In the background. Where that fails, the next sync tries again, and says so. */
  private syncSealed(file: DiskFile): void {
    this.unsynced.add(file);
    file.sync((error) => {
      if (error === null) this.unsynced.delete(file);
    });
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

  /** Names of new blocks are durable before what is in them counts as synced. */
  private syncNames(): void {
    if (!this.isFolderDirty) return;
    this.options.disk?.syncFolder(this.options.folder);
    this.isFolderDirty = false;
  }

  private newBlock(number: number): Block {
    const block: Block = {
      number,
      file: null,
      memory: null,
      end: 0,
      flushed: 0,
      live: 0,
      liveBytes: 0,
      firstSequence: 0,
      lastSequence: 0,
      isDamaged: false,
      cleanedAt: -1,
    };
    this.blocks.push(block);
    return block;
  }

  private pathOf({ number }: Block): string {
    return `${this.options.folder}/${String(number).padStart(12, "0")}.blk`;
  }

  /** Of the first block with this number or a higher one. */
  private indexOf(number: number): number {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.blocks[middle]!.number < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
