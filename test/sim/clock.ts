/** The clock of one simulated server: the time of the timeline, and timers that end with the server. */
import type { Clock } from "../../src/base/clock.ts";
import type { Timeline } from "./timeline.ts";

export class MemberClock implements Clock {
  /** Timers that are set. */
  timerCount = 0;
  private readonly timeline: Timeline;
  private readonly run: (work: () => void) => void;

  constructor(timeline: Timeline, run: (work: () => void) => void) {
    this.timeline = timeline;
    this.run = run;
  }

  nowMs(): number {
    return this.timeline.nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Disposable {
    let isSet = true;
    const unset = (): void => {
      if (isSet) this.timerCount--;
      isSet = false;
    };
    this.timerCount++;
    this.timeline.after(Math.max(0, delayMs), () => {
      if (!isSet) return;
      unset();
      this.run(fire);
    });
    return { [Symbol.dispose]: unset };
  }
}
