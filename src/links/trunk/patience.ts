/**
 * How long publishers wait for one reader that takes less than they send. A reader has patience: waiting uses it up, what the
 * reader takes restores it, and so does time, slowly. A reader that keeps up a fair speed is thus waited for as long as it
 * takes; one that drips has had its time soon, in whatever pattern it drips, and then costs its publishers nothing.
 *
 * Invariant: over any span of time publishers wait for one reader at most PATIENCE_MAX_MS, and what its bytes and the span restore.
 */
import { assert } from "../../base/assert.ts";

export const PATIENCE_MAX_MS = 10_000;
/** The share of elapsed time that restores patience, since the reader may have been slow long ago. */
export const RESTORED_SHARE = 0.01;

export class Patience {
  private leftMs = PATIENCE_MAX_MS;
  /** Up to here time has restored it. */
  private restoredMs: number;
  /** Publishers wait until then, as far as is known. */
  private untilMs = 0;
  private readonly bytesPerMs: number;

  /** A reader that takes `bytesPerMs` never runs out of patience. */
  constructor(bytesPerMs: number, nowMs: number) {
    this.bytesPerMs = bytesPerMs;
    this.restoredMs = nowMs;
  }

  /** One more publisher wants to wait; returns for how long it may. Time in which others wait anyway costs nothing. */
  grant(askedMs: number, nowMs: number): number {
    this.restore((nowMs - this.restoredMs) * RESTORED_SHARE);
    this.restoredMs = nowMs;
    const sharedMs = Math.max(0, this.untilMs - nowMs);
    const grantedMs = Math.min(askedMs, sharedMs + this.leftMs);
    this.leftMs = Math.max(0, this.leftMs - Math.max(0, grantedMs - sharedMs));
    this.untilMs = Math.max(this.untilMs, nowMs + grantedMs);
    assert(this.leftMs <= PATIENCE_MAX_MS, "patience has grown beyond its bound");
    return grantedMs;
  }

  /** The reader has taken bytes. */
  onTaken(byteCount: number): void {
    this.restore(byteCount / this.bytesPerMs);
  }

  /** Publishers no longer wait, perhaps before the time. */
  onDrained(nowMs: number): void {
    this.restore(Math.max(0, this.untilMs - nowMs));
    this.untilMs = nowMs;
  }

  private restore(ms: number): void {
    this.leftMs = Math.min(PATIENCE_MAX_MS, this.leftMs + ms);
  }
}
