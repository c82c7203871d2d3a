/**
 * Finds batches of messages of which a power loss left only a part. Each message of a batch says whether it is its first, one in between,
 * or its last. Nothing was confirmed of a batch that is not whole, unless a later record says that all of it was on the disk: then it is
 * damaged, and what is intact of it stays.
 */

/** Flags of a record; a message of no batch has none. */
export const BATCH_FIRST = 1;
export const BATCH_MIDDLE = 2;
export const BATCH_LAST = 4;

interface Group {
  readonly from: number;
  to: number;
  isTorn: boolean;
}

export class BatchRecovery {
  private open: Group | null = null;
  private torn: Group[] = [];

  /** A message was met. `gap`: whether others before it are missing. */
  message(sequence: number, flags: number, gap: "gap" | "no gap"): void {
    if (flags === 0 || flags === BATCH_FIRST) this.close("torn");
    if (flags === 0) return;
    this.open ??= { from: sequence, to: sequence, isTorn: flags !== BATCH_FIRST };
    this.open.to = sequence;
    if (gap === "gap" && flags !== BATCH_FIRST) this.open.isTorn = true;
    if (flags === BATCH_LAST) this.close("whole");
  }

  /** A batch that ends with this message was on the disk. */
  settled(sequence: number): void {
    this.torn = this.torn.filter(({ to }) => to !== sequence);
  }

  /** The first message of the batch that is not complete yet; 0: there is none. */
  get openFrom(): number {
    return this.open === null ? 0 : this.open.from;
  }

  /** A block was passed over whose batches are whole but for the last one, which goes on behind it. `from` 0: there is no such. */
  resume(from: number, to: number): void {
    this.open = from === 0 ? null : { from, to, isTorn: false };
  }

  /** How many batches are torn. */
  get tornCount(): number {
    return this.torn.length + (this.open?.isTorn === true ? 1 : 0);
  }

  /** The log ends. What belongs to batches that are not whole. */
  end(): readonly { readonly from: number; readonly to: number }[] {
    this.close("torn");
    return this.torn;
  }

  private close(how: "torn" | "whole"): void {
    const { open } = this;
    this.open = null;
    if (open !== null && (open.isTorn || how === "torn")) this.torn.push(open);
  }
}
