/**
 * Has the log say that a batch was whole, once the disk has all of it: damage that comes later is not taken for a torn write. The same
 * for messages of a mirror, now and then.
 */
import type { StreamStore } from "../../store/stream-store.ts";
import type { SyncPolicy } from "./commit.ts";

/** Between marks of a mirror. */
const MIRROR_MS = 1000;

export class BatchMarks {
  private readonly store: StreamStore;
  private readonly policy: SyncPolicy;
  /** Last sequence of a batch that the disk may not have yet; 0: there is none. */
  private open = 0;
  /** When a mark for a mirror was asked for last. */
  private mirroredMs = -Infinity;

  constructor(store: StreamStore, policy: SyncPolicy) {
    this.store = store;
    this.policy = policy;
  }

  stored(last: number): void {
    this.open = last;
  }

  mirrored(sequence: number, nowMs: number): void {
    if (nowMs < this.mirroredMs + MIRROR_MS) return;
    this.mirroredMs = nowMs;
    this.stored(sequence);
  }

  /** With a lazy policy nothing is known of the disk. */
  committed(sequence: number): void {
    if (this.open === 0 || sequence < this.open) return;
    if (this.policy === "sync") this.store.settleBatch(this.open);
    this.open = 0;
  }
}
