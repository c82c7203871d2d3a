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
    this.stop();
    if (thresholdMs <= 0) return;
    this.timer = this.host.clock.setTimer(Math.min(TIMER_MAX_MS, thresholdMs), () => {
      this.timer = null;
      if (this.host.isUsed(thresholdMs)) this.begin(thresholdMs);
      else this.host.onInactive();
    });
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }
}
