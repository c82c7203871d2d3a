/** One timer that is set to the earliest of several times, and set again only where that is earlier than before. */
import type { Clock } from "../../base/clock.ts";
import { TIMER_MAX_MS } from "../../base/duration.ts";

export class EarliestTimer {
  private readonly clock: Clock;
  private readonly fire: () => void;
  private timer: Disposable | null = null;
  private atMs = Infinity;

  constructor(clock: Clock, fire: () => void) {
    this.clock = clock;
    this.fire = fire;
  }

  /** Infinity: nothing is awaited. */
  set(atMs: number): void {
    if (atMs !== Infinity && this.timer !== null && atMs >= this.atMs) return; // it is set again when it fires
    if (atMs === this.atMs) return;
    this.stop();
    this.atMs = atMs;
    if (atMs === Infinity) return;
    const waitMs = Math.min(TIMER_MAX_MS, Math.max(1, Math.ceil(atMs - this.clock.nowMs())));
    this.timer = this.clock.setTimer(waitMs, () => {
      this.timer = null;
      this.atMs = Infinity;
      this.fire();
    });
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
    this.atMs = Infinity;
  }
}
