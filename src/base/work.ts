/**
 * How much work messages have been since the last round of the event loop that made room: what one read sets off may be little or
 * very much, such as comparing a subject with thousands of patterns. Who has brought more than fits stops reading and goes on
 * in a later round, in turn with the others that do, so that everybody else is served in between.
 *
 * Bounded by whoever waits: each connection once.
 */

/** Some milliseconds: a step is a node of the sublist that is looked at, or a receiver of a new plan. */
const STEPS_PER_ROUND = 50_000;
/** So many deliveries are a step. */
const DELIVERIES_PER_STEP = 4;

export class Work {
  private steps = 0;
  private waiting: (() => void)[] = [];
  private isScheduled = false;
  private readonly round = (): void => {
    this.isScheduled = false;
    this.steps = 0;
    const { waiting } = this;
    let done = 0;
    while (done < waiting.length && !this.isSpent) waiting[done++]!();
    waiting.splice(0, done);
    if (waiting.length > 0) this.schedule();
  };

  get isSpent(): boolean {
    return this.steps >= STEPS_PER_ROUND;
  }

  /** Nobody waits for room. */
  get isIdle(): boolean {
    return this.waiting.length === 0;
  }

  /** A plan was worked out. */
  planned(steps: number): void {
    this.steps += steps;
  }

  /** A message was given to so many. */
  delivered(count: number): void {
    this.steps += count / DELIVERIES_PER_STEP;
  }

  /** Calls back in a later round, when there is room. */
  whenThereIsRoom(goOn: () => void): void {
    this.waiting.push(goOn);
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(this.round);
  }
}
