/**
 * Rows of sealed blocks that are in memory, of all streams of a server: those that were used last stay, up to a bound. A block whose rows
 * had to go reads them from its footer again.
 */
import type { BlockRows } from "./block-rows.ts";

interface Holder {
  rows: BlockRows | null;
}

const BYTES_MAX = 4 * 1024 * 1024;

export class RowCache {
  private readonly bytesMax: number;
  private bytes = 0;
  /** In the order of their use. */
  private readonly holders = new Map<Holder, number>();
  private newest: Holder | null = null;

  constructor(bytesMax = BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  add(holder: Holder, rows: BlockRows): void {
    this.remove(holder);
    holder.rows = rows;
    const bytes = rows.words.byteLength;
    this.holders.set(holder, bytes);
    this.newest = holder;
    this.bytes += bytes;
    for (const oldest of this.holders.keys()) {
      if (this.bytes <= this.bytesMax || oldest === holder) return;
      this.remove(oldest);
    }
  }

  used(holder: Holder): void {
    if (this.newest === holder) return;
    const bytes = this.holders.get(holder);
    if (bytes === undefined) return; // it is being written
    this.holders.delete(holder);
    this.holders.set(holder, bytes);
    this.newest = holder;
  }

  remove(holder: Holder): void {
    const bytes = this.holders.get(holder);
    if (bytes === undefined) return;
    this.holders.delete(holder);
    this.bytes -= bytes;
    holder.rows = null;
    if (this.newest === holder) this.newest = null;
  }
}
