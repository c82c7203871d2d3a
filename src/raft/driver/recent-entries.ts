/**
 * Entries that were appended a moment ago, so that applying them needs no read. Bounded; what does not fit is read from the log, some at a
 * time, and is held in front of the others: a member that catches up would read the log again for each entry otherwise.
 */
import type { AppendEntry } from "../messages.ts";

const ENTRIES_MAX = 1024;
const BYTES_MAX = 1 << 20;

export interface Recent {
  readonly index: number;
  readonly append: AppendEntry;
  readonly bytes: number;
}

export class RecentEntries {
  /** By rising index; there may be gaps. */
  private entries: Recent[] = [];
  private bytes = 0;

  /** Indexes rise, but for those that were cut. */
  add(index: number, append: AppendEntry, bytes: number): void {
    const last = this.entries.at(-1);
    if (last !== undefined && last.index >= index) return;
    if (this.entries.length >= ENTRIES_MAX || this.bytes + bytes > BYTES_MAX) return;
    this.entries.push({ index, append, bytes });
    this.bytes += bytes;
  }

  /** What one read has brought, in order: it comes beside the bounds, since it has some itself. What is held already stays as it is. */
  addRead(read: readonly Recent[]): void {
    const firstIndex = this.entries[0]?.index ?? Infinity;
    const before = read.filter(({ index }) => index < firstIndex);
    for (const { bytes } of before) this.bytes += bytes;
    this.entries = [...before, ...this.entries];
  }

  /** Gives the entry away. Those before it are not asked for any more. */
  take(index: number): AppendEntry | undefined {
    for (let first = this.entries[0]; first !== undefined && first.index <= index; first = this.entries[0]) {
      this.entries.shift();
      this.bytes -= first.bytes;
      if (first.index === index) return first.append;
    }
    return undefined;
  }

  cutAfter(index: number): void {
    for (
      let last = this.entries.at(-1);
      last !== undefined && last.index > index;
      last = this.entries.at(-1)
    ) {
      this.entries.pop();
      this.bytes -= last.bytes;
    }
  }

  clear(): void {
    this.entries = [];
    this.bytes = 0;
  }
}
