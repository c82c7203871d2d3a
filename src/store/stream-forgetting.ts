/** What becomes of what a stream knows when its messages go. The log is told by others. */
import { assert } from "../base/assert.ts";
import type { Block } from "./block.ts";
import { StreamContents } from "./stream-contents.ts";

export abstract class StreamForgetting extends StreamContents {
  /** The block that is being read at a start: more messages follow those that went. */
  protected filled: Block | null = null;

  protected override forget(sequence: number): void {
    const { index } = this;
    if (!index.locate(sequence)) return;
    const { length, hasHeaders, number } = index;
    const block = index.block!;
    index.remove(block, sequence);
    block.live--;
    block.liveBytes -= length;
    if (block.live === 0) this.emptied(block);
    this.messages--;
    if (length > 0) this.bytes -= this.counted(length, hasHeaders);
    if (this.messages === 0) this.bytes = 0;
    if (number > 0) this.forgetSubject(number, sequence);
    assert(this.messages >= 0 && this.bytes >= 0 && block.live >= 0, "no message is forgotten twice");
    if (sequence === this.first) this.moveToNext();
  }

  private forgetSubject(number: number, sequence: number): void {
    const { subjects } = this;
    if (subjects.countOf(number) === 1) subjects.drop(number);
    else subjects.remove(number, sequence);
  }

  /** Nothing of a sealed block is asked for any more. */
  protected emptied(block: Block): void {
    if (block === this.log.blocks.at(-1) || block === this.filled) return;
    block.gaps = block.bloom = null;
    this.cache.remove(block);
    if (this.isInMemory) block.rows = null;
  }

  private moveToNext(): void {
    const from = this.first + 1;
    this.first = this.messages === 0 ? this.last + 1 : this.index.find(from, this.last, null);
    assert(this.first >= from, "the first sequence moves on");
  }

  protected moveFirst(first: number, last: number): void {
    this.last = Math.max(this.last, last);
    this.lost.removeBelow(first);
    if (first > this.last) this.forgetAll();
    else
      for (let at = this.index.find(this.first, first - 1, null); at !== 0;) {
        this.forget(at);
        at = this.index.find(at + 1, first - 1, null);
      }
    if (this.messages === 0) this.first = Math.max(first, this.last + 1);
  }

  private forgetAll(): void {
    this.messages = this.bytes = 0;
    this.subjects.clear();
    this.index.moved();
    this.index.floor = this.last + 1;
    for (const block of this.log.blocks) {
      block.live = block.liveBytes = 0;
      this.emptied(block);
    }
  }
}
