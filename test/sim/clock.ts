/** Clocks of simulated servers: the time of the timeline, and timers on it. */
import type { Clock } from "../../src/base/clock.ts";
import type { Timeline } from "./timeline.ts";

/** Of one server: its timers end with it. */
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

const START_MS = 1_800_000_000_000;

/** The clock that all servers of a cluster share, at a fixed date. */
export function clockOf(timeline: Timeline): Clock {
  return {
    nowMs: () => START_MS + timeline.nowMs,
    setTimer(delayMs, fire) {
      let isSet = true;
      timeline.after(Math.max(0, delayMs), () => isSet && fire());
      return { [Symbol.dispose]: () => void (isSet = false) };
    },
  };
}
