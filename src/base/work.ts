/**
 * Measures the work that messages cause per round of the event loop: one read may cause little or very much, such as comparing a subject
 * with thousands of patterns. A connection that exceeds the budget stops reading and continues in a later round, in turn with others
 * like it, so that all other connections are served in between.
 *
 * Bounded: each connection waits once.
 */
import { assert } from "./assert.ts";

import type { NextRound } from "./chores.ts";

/** Some milliseconds. The unit is a delivery; a visited node of the sublist or a receiver of a new plan costs four of them. */
const DELIVERIES_PER_ROUND = 200_000;
const DELIVERIES_PER_STEP = 4;
/** Headers that are read line by line, or written again: a megabyte is a round's work. */
const HEADER_BYTES_PER_DELIVERY = 4;
/** A subscription that comes or goes: 2500 of them are a round's work. */
const DELIVERIES_PER_INTEREST = 80;
/** Where interest changes, a round takes no longer than this, however fast the machine is. */
const ROUND_MS = 5;
/** Changes between two looks at the clock. */
const CHANGES_PER_LOOK = 64;

export class Work {
  /** Whole numbers only: it is counted for each message. */
  private done = 0;
  private plans = 0;
  private changes = 0;
  private roundMs = 0;
  private waiting: (() => void)[] = [];
  private isScheduled = false;
  private readonly nextRound: NextRound;
  private readonly nowMs: () => number;
  private readonly round = (): void => {
    this.isScheduled = false;
    this.done = 0;
    this.roundMs = this.nowMs();
    const { waiting } = this;
    let served = 0;
    while (served < waiting.length && !this.isSpent) waiting[served++]!();
    waiting.splice(0, served);
    if (waiting.length > 0) this.schedule();
  };

  /** `nowMs`: its default does not limit the time. */
  constructor(nextRound: NextRound = setImmediate, nowMs: () => number = () => 0) {
    this.nextRound = nextRound;
    this.nowMs = nowMs;
    this.roundMs = nowMs();
  }

  get isSpent(): boolean {
    return this.done >= DELIVERIES_PER_ROUND;
  }

  /** Whether no connection waits. */
  get isIdle(): boolean {
    return this.waiting.length === 0;
  }

  /** The number of a plan that is built; they begin with 1. */
  nextPlan(): number {
    return ++this.plans;
  }

  /** A plan was built. */
  planned(steps: number): void {
    assert(steps >= 0, "work is never taken back");
    this.done += steps * DELIVERIES_PER_STEP;
  }

  /** A message was delivered to this many receivers. */
  delivered(count: number): void {
    this.done += count;
  }

  /** A subscription, or interest of another server, has begun or ended. */
  interestChanged(): void {
    this.done += DELIVERIES_PER_INTEREST;
    if (++this.changes % CHANGES_PER_LOOK !== 0) return;
    if (this.nowMs() >= this.roundMs + ROUND_MS) this.done = Math.max(this.done, DELIVERIES_PER_ROUND);
  }

  /** The headers of a message were looked through, or copied with changes. */
  headersRead(length: number): void {
    this.done += Math.floor(length / HEADER_BYTES_PER_DELIVERY);
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
