/** Entries that were appended a moment ago, so that applying them needs no read. Bounded; what does not fit is read from the log. */
import type { AppendEntry } from "../messages.ts";

const ENTRIES_MAX = 1024;
const BYTES_MAX = 1 << 20;

interface Recent {
  readonly append: AppendEntry;
  readonly bytes: number;
}

export class RecentEntries {
  private readonly entries = new Map<number, Recent>();
  private bytes = 0;

  add(index: number, append: AppendEntry, bytes: number): void {
    if (this.entries.has(index) || this.entries.size >= ENTRIES_MAX || this.bytes + bytes > BYTES_MAX) return;
    this.entries.set(index, { append, bytes });
    this.bytes += bytes;
  }

  /** Gives the entry away. */
  take(index: number): AppendEntry | undefined {
    const recent = this.entries.get(index);
    if (recent === undefined) return undefined;
    this.entries.delete(index);
    this.bytes -= recent.bytes;
    return recent.append;
  }

  cutAfter(index: number): void {
    for (const each of [...this.entries.keys()]) if (each > index) this.take(each);
  }

  clear(): void {
    this.entries.clear();
    this.bytes = 0;
  }
}
