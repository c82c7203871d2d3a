/** What the layer wants in the log, gathered for one append entry: entries of one round share an index, as with nats-server. */
import type { Entry } from "../messages.ts";

/** Of one append entry. */
const BATCH_ENTRIES = 4096;
const BATCH_BYTES = 256 * 1024;
/** Waiting, or in the log and not applied. */
const OPEN_ENTRIES_MAX = 100_000;
const OPEN_BYTES_MAX = 64 << 20;

export class Proposals {
  private waiting: Entry[] = [];
  private waitingBytes = 0;
  private openEntries = 0;
  private openBytes = 0;

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** There is enough for an append entry. */
  get isFull(): boolean {
    return this.waiting.length >= BATCH_ENTRIES || this.waitingBytes >= BATCH_BYTES;
  }

  /** False: so many are open that this one has to wait. */
  add(entry: Entry): boolean {
    if (this.openEntries >= OPEN_ENTRIES_MAX || this.openBytes >= OPEN_BYTES_MAX) return false;
    this.waiting.push(entry);
    this.openEntries++;
    this.openBytes += entry.data.length;
    this.waitingBytes += entry.data.length;
    return true;
  }

  /** The next batch; none: nothing waits. */
  take(): readonly Entry[] {
    let bytes = 0;
    let count = 0;
    for (const { data } of this.waiting) {
      if (count > 0 && (count >= BATCH_ENTRIES || bytes + data.length > BATCH_BYTES)) break;
      bytes += data.length;
      count++;
    }
    this.waitingBytes -= bytes;
    return this.waiting.splice(0, count);
  }

  /** Entries of the own leadership have been applied. */
  applied(entries: readonly Entry[]): void {
    for (const { data } of entries) {
      this.openEntries--;
      this.openBytes -= data.length;
    }
    // those that the node itself has appended were not counted
    this.openEntries = Math.max(this.openEntries, this.waiting.length);
    this.openBytes = Math.max(this.openBytes, 0);
  }

  /** The leadership has ended: nobody knows what becomes of them. */
  clear(): void {
    this.waiting = [];
    this.waitingBytes = 0;
    this.openEntries = 0;
    this.openBytes = 0;
  }
}
