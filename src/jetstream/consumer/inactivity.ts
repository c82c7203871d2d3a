/** Removes a consumer that nobody has used for its inactive threshold. */
import type { Clock } from "../../base/clock.ts";
import { TIMER_MAX_MS } from "../../base/duration.ts";

export interface InactivityHost {
  readonly clock: Clock;
  /** Whether somebody uses it, or has within so many milliseconds. */
  isUsed(withinMs: number): boolean;
  onInactive(): void;
}

export class Inactivity {
  private readonly host: InactivityHost;
  private timer: Disposable | null = null;

  constructor(host: InactivityHost) {
    this.host = host;
  }

  /** The time runs from now. 0: it is never removed. */
  begin(thresholdMs: number): void {
    this.wait(thresholdMs, thresholdMs);
  }

  /** Longer than a timer can wait, it waits several times. */
  private wait(thresholdMs: number, leftMs: number): void {
    this.stop();
    if (thresholdMs <= 0) return;
    const waitMs = Math.min(TIMER_MAX_MS, leftMs);
    this.timer = this.host.clock.setTimer(waitMs, () => {
      this.timer = null;
      if (leftMs > waitMs) this.wait(thresholdMs, leftMs - waitMs);
      else if (this.host.isUsed(thresholdMs)) this.begin(thresholdMs);
      else this.host.onInactive();
    });
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }
}
