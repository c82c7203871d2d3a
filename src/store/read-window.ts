/** The bytes of sealed blocks that were read last: a reader of consecutive messages asks the disk once for many. */
import { assert } from "../base/assert.ts";
import type { Block } from "./block.ts";
import { readRecord, type RecordView } from "./record.ts";

/** Read at once from a sealed block. */
const WINDOW_BYTES = 64 * 1024;
/** Records that lie no farther apart are read one after the other. */
const NEAR_BYTES = 4 * 1024;

export class ReadWindow {
  private readonly memory = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  /** Number of the block that it is of; 0: of none. */
  private block = 0;
  private from = 0;
  private length = 0;
  /** Where the record ends that was read last. */
  private readTo = 0;

  /** What lies in the files has changed. */
  forget(): void {
    this.block = 0;
  }

  /** Reads the record into `view`, which holds until the next call. False: it is damaged. */
  read(view: RecordView, { number, file, end }: Block, offset: number, length: number): boolean {
    assert(file !== null, "a block without memory has a file");
    if (length > WINDOW_BYTES) {
      const memory = Buffer.allocUnsafeSlow(length);
      return readRecord(view, memory, 0, file.read(memory, offset));
    }
    const isOfBlock = this.block === number;
    if (!isOfBlock || offset < this.from || offset + length > this.from + this.length) {
      const isNext = isOfBlock && offset >= this.from && offset - this.readTo < NEAR_BYTES;
      this.block = number;
      this.from = offset;
      // reads in random order get only what they ask for
      const wanted = isNext ? Math.min(WINDOW_BYTES, end - offset) : length;
      this.length = file.read(this.memory.subarray(0, wanted), offset);
    }
    this.readTo = offset + length;
    return readRecord(view, this.memory, offset - this.from, this.length);
  }
}
