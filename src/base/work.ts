/**
 * Measures the work that messages cause per round of the event loop: one read may cause little or very much, such as comparing a subject
 * with thousands of patterns. A connection that exceeds the budget stops reading and continues in a later round, in turn with others
 * like it, so that all other connections are served in between.
 *
 * Bounded: each connection waits once.
 */
import { assert } from "./assert.ts";

import type { NextRound } from "./chores.ts";

/** Some milliseconds. A step is a visited node of the sublist or a receiver of a new plan. */
const STEPS_PER_ROUND = 50_000;
/** Deliveries per step. */
const DELIVERIES_PER_STEP = 4;

export class Work {
  private steps = 0;
  private waiting: (() => void)[] = [];
  private isScheduled = false;
  private readonly nextRound: NextRound;
  private readonly round = (): void => {
    this.isScheduled = false;
    this.steps = 0;
    const { waiting } = this;
    let done = 0;
    while (done < waiting.length && !this.isSpent) waiting[done++]!();
    waiting.splice(0, done);
    if (waiting.length > 0) this.schedule();
  };

  constructor(nextRound: NextRound = setImmediate) {
    this.nextRound = nextRound;
  }

  get isSpent(): boolean {
    return this.steps >= STEPS_PER_ROUND;
  }

  /** Whether no connection waits. */
  get isIdle(): boolean {
    return this.waiting.length === 0;
  }

  /** A plan was built. */
  planned(steps: number): void {
    assert(steps >= 0, "work is never taken back");
    this.steps += steps;
  }

  /** A message was delivered to this many receivers. */
  delivered(count: number): void {
    this.steps += count / DELIVERIES_PER_STEP;
  }

  /** Calls back in a later round, once the budget allows it. */
  whenThereIsRoom(goOn: () => void): void {
    this.waiting.push(goOn);
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.nextRound(this.round);
  }
}
