/**
 * When a server tells the others how it is: often at first, then every BEAT_MAX_MS, and when the members have changed, but never
 * twice in PAUSE_MS. The figures are nats-server's.
 */
import type { Clock } from "../base/clock.ts";

const BEAT_MIN_MS = 250;
const BEAT_MAX_MS = 10_000;
const PAUSE_MS = 1000;

export class Heartbeat implements Disposable {
  private readonly clock: Clock;
  private readonly beat: () => void;
  private intervalMs = BEAT_MIN_MS;
  private lastMs = -Infinity;
  private timer: Disposable;

  constructor(clock: Clock, beat: () => void) {
    this.clock = clock;
    this.beat = beat;
    this.timer = clock.setTimer(BEAT_MIN_MS, () => this.beatNow());
  }

  /** Soon: as soon as the last time is long enough ago. */
  hasten(): void {
    const pauseMs = Math.min(PAUSE_MS, this.intervalMs);
    const waitMs = Math.max(BEAT_MIN_MS, this.lastMs + pauseMs - this.clock.nowMs());
    this.after(waitMs);
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
    this.timer = this.clock.setTimer(delayMs, () => this.beatNow());
  }
}
