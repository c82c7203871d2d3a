/**
 * Time as the rooms see it: handed in, so that the simulation can run production code on a virtual clock.
 * The only places that read the machine's time are here. Timers of a clock never keep the process alive by themselves.
 */

export interface Clock {
  /** Milliseconds since the epoch at start, from then on monotonic: never jumps, however the wall clock is set. */
  nowMs(): number;
  /** Calls `fire` once, `delayMs` from now, unless disposed before. */
  setTimer(delayMs: number, fire: () => void): Disposable;
}

export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  setTimer(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** Longer than any wait; the timer is set again and again. */
const AWAKE_MS = 2 ** 30;

/** Keeps the process alive until it is disposed of, for what waits for timers alone. */
export function keepAwake(): Disposable {
  const timer = setInterval(() => undefined, AWAKE_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Resolves after the delay, or as soon as `signal` is aborted. */
export async function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.setTimer(delayMs, resolve);
  const onAbort = (): void => resolve();
  signal.addEventListener("abort", onAbort);
  await promise;
  timer[Symbol.dispose]();
  signal.removeEventListener("abort", onAbort);
}

/** A signal that is aborted after the delay, for what asks the outside world: nothing of it runs in the simulation. */
export function abortedAfter(delayMs: number): AbortSignal {
  return AbortSignal.timeout(delayMs);
}

interface PendingTimer {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** A clock for tests: stands still until advanced; fires timers in the order they are due, ties in the order they were set. */
export class VirtualClock implements Clock {
  private currentMs: number;
  private readonly timers = new Set<PendingTimer>();

  constructor(startMs = 0) {
    this.currentMs = startMs;
  }

  nowMs(): number {
    return this.currentMs;
  }

  setTimer(delayMs: number, fire: () => void): Disposable {
    const timer = { dueMs: this.currentMs + Math.max(0, delayMs), fire };
    this.timers.add(timer);
    return { [Symbol.dispose]: () => void this.timers.delete(timer) };
  }

  /** Number of timers that are set: a test asserts 0 at its end. */
  get timerCount(): number {
    return this.timers.size;
  }

  advance(byMs: number): void {
    const untilMs = this.currentMs + byMs;
    for (let next = this.earliest(untilMs); next !== undefined; next = this.earliest(untilMs)) {
      this.timers.delete(next);
      this.currentMs = Math.max(this.currentMs, next.dueMs);
      next.fire();
    }
    this.currentMs = untilMs;
  }

  private earliest(untilMs: number): PendingTimer | undefined {
    let earliest: PendingTimer | undefined;
    for (const timer of this.timers) {
      if (timer.dueMs <= untilMs && (earliest === undefined || timer.dueMs < earliest.dueMs))
        earliest = timer;
    }
    return earliest;
  }
}
