/**
 * Work that can wait, in small steps: some are done in each round of the event loop, so that messages get their turn in between,
 * however much there is to do. What fits into the round is done at once; the rest follows in the order in which it came.
 *
 * Bound: what waits is held by whoever gives it here, such as the subscriptions of a connection that has ended. The more there is,
 * the more is done in a round, so that it does not come in faster than it is done.
 */
import { assert } from "./assert.ts";

/** Steps of a few microseconds each. */
const STEPS_PER_ROUND = 1000;
/** And this share of what waits. */
const SHARE = 1 / 100;

export interface Chore {
  /** Each `next` is a step. */
  readonly steps: Iterator<unknown, void>;
  /** How many there are, about. */
  readonly count: number;
}

export class Chores {
  private readonly waiting: Chore[] = [];
  private waitingSteps = 0;
  /** Steps that this round still has room for. */
  private left = STEPS_PER_ROUND;
  private isScheduled = false;
  private readonly round = (): void => {
    this.isScheduled = false;
    this.left = STEPS_PER_ROUND + Math.ceil(this.waitingSteps * SHARE);
    this.work();
  };

  /** Nothing waits. */
  get isIdle(): boolean {
    return this.waiting.length === 0;
  }

  /** Begins at once. */
  add(chore: Chore): void {
    this.waiting.push(chore);
    this.waitingSteps += chore.count;
    if (this.waiting.length === 1) this.work();
    else assert(this.isScheduled, "chores wait, and nobody will do them");
  }

  private work(): void {
    for (let chore = this.waiting[0]; chore !== undefined; chore = this.waiting[0]) {
      if (this.left <= 0) break;
      this.left--;
      if (chore.steps.next().done !== true) continue;
      this.waiting.shift();
      this.waitingSteps -= chore.count;
    }
    if (this.isScheduled || (this.left === STEPS_PER_ROUND && this.isIdle)) return;
    // Also when all is done: what was used of this round has to be given back.
    this.isScheduled = true;
    setImmediate(this.round);
  }
}
