/**
 * Decides when a server publishes its statistics: often at first, then every BEAT_MAX_MS, and after changes of the members, but never
 * twice within PAUSE_MS. The intervals are nats-server's.
 */
import type { Clock } from "../base/clock.ts";

const BEAT_MIN_MS = 250;
const BEAT_MAX_MS = 10_000;
const PAUSE_MS = 1000;

export class StatusBeat implements Disposable {
  private readonly clock: Clock;
  private readonly beat: () => void;
  private intervalMs = BEAT_MIN_MS;
  private lastMs = -Infinity;
  private dueMs: number;
  private timer: Disposable;

  constructor(clock: Clock, beat: () => void) {
    this.clock = clock;
    this.beat = beat;
    this.dueMs = clock.nowMs() + BEAT_MIN_MS;
    this.timer = clock.setTimer(BEAT_MIN_MS, () => this.beatNow());
  }

  /** Brings the next publication forward to the earliest time that the pause allows. */
  hasten(): void {
    const nowMs = this.clock.nowMs();
    const dueMs = Math.max(nowMs + BEAT_MIN_MS, this.lastMs + Math.min(PAUSE_MS, this.intervalMs));
    if (dueMs < this.dueMs) this.after(dueMs - nowMs);
  }

  beatNow(): void {
    this.lastMs = this.clock.nowMs();
    this.intervalMs = Math.min(BEAT_MAX_MS, this.intervalMs * 2);
    this.after(this.intervalMs);
    this.beat();
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }

  private after(delayMs: number): void {
    this.timer[Symbol.dispose]();
    this.dueMs = this.clock.nowMs() + delayMs;
    this.timer = this.clock.setTimer(delayMs, () => this.beatNow());
  }
}
