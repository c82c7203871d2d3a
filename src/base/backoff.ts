/** The delay before the next attempt after failures. Pure; bounded by `maxMs`. */
import { assert } from "./assert.ts";
import type { Random } from "./random.ts";

export interface BackoffOptions {
  /** First delay, before jitter. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Factor of the delay for each further failure; 1: constant delay. */
  readonly factor: number;
  /** Share of the delay that is random: 0.5 gives 50..100 % of it. */
  readonly jitter: number;
}

/** `failures`: failed attempts in a row, at least 1. */
export function backoffDelayMs(options: BackoffOptions, failures: number, random: Random): number {
  assert(options.jitter >= 0 && options.jitter <= 1, "jitter is a share of the delay");
  assert(failures >= 1, "a delay follows a failure");
  const grown = options.baseMs * options.factor ** Math.min(failures - 1, 64);
  const delayMs = Math.min(grown, options.maxMs);
  return delayMs * (1 - options.jitter * random.next());
}
