/** How long to wait before the next try of something that failed. Pure; the bound is `maxMs`. */

import type { Random } from "./random.ts";

export interface BackoffOptions {
  /** First delay, before jitter. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** What each further failure multiplies the delay by; 1: plain delay. */
  readonly factor: number;
  /** Share of the delay that is random: 0.5 gives 50..100 % of it. */
  readonly jitter: number;
}

/** `failures` is how many tries in a row have failed, 1 or more. */
export function backoffDelayMs(options: BackoffOptions, failures: number, random: Random): number {
  const grown = options.baseMs * options.factor ** Math.min(failures - 1, 64);
  const delayMs = Math.min(grown, options.maxMs);
  return delayMs * (1 - options.jitter * random.next());
}
