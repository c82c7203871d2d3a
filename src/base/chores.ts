/**
 * Work that can wait, in small steps: some are done in each round of the event loop, so that messages get their turn in between,
 * however much there is to do. What fits into the round is done at once; the rest follows in the order in which it came.
 *
 * Bound: what waits is held by whoever gives it here, such as the subscriptions of a connection that has ended. Whoever makes what
 * may have to be ended one day calls `keepUp`: then it cannot come in faster than it is done.
 */
import { assert } from "./assert.ts";

/** Steps of a few microseconds each. */
const STEPS_PER_ROUND = 1000;
/** And this share of what waits. */
const SHARE = 1 / 100;
/** Done for each thing that is made while something waits. */
const STEPS_TO_KEEP_UP = 2;

export interface Chore {
  /** Each `next` is a step. Where it yields a number, it was as much work as so many. */
  readonly steps: Iterator<number | undefined, void>;
  /** How many there are, about. */
  readonly count: number;
}

/** The same to be done with each of many things, such as the sessions of clients. */
export interface Errand<T> {
  readonly items: Iterable<T>;
  readonly count: number;
  /** In steps, about. */
  readonly cost: number;
  readonly act: (item: T) => void;
}

export class Chores {
  private readonly waiting: Chore[] = [];
  private waitingSteps = 0;
  /** Steps that this round still has room for. */
  private left = STEPS_PER_ROUND;
  private isScheduled = false;
  private isStepping = false;
  private readonly round = (): void => {
    this.isScheduled = false;
    this.left = STEPS_PER_ROUND + Math.ceil(this.waitingSteps * SHARE);
    this.work();
  };

  /** Nothing waits. */
  get isIdle(): boolean {
    return this.waiting.length === 0;
  }

  /** Acts on each item, which is as much work as `cost` steps. Resolves after the last. Items that come meanwhile may be acted on. */
  async each<T>({ items, count, cost, act }: Errand<T>): Promise<void> {
    await new Promise<void>((resolve) => {
      function* steps(): Generator<number, void> {
        for (const item of items) {
          act(item);
          yield cost;
        }
        resolve();
      }
      this.add({ steps: steps(), count: count * cost });
    });
  }

  /** Resolves when all is done that waits now. */
  async caughtUp(): Promise<void> {
    await this.each({ items: [null], count: 1, cost: 1, act: () => undefined });
  }

  /** Begins at once. */
  add(chore: Chore): void {
    this.waiting.push(chore);
    this.waitingSteps += chore.count;
    if (this.waiting.length === 1) this.work();
    else assert(this.isScheduled || this.isStepping, "chores wait, and nobody will do them");
  }

  /** A subscription or the like is made: if others still wait to be ended, two of them are ended first. */
  keepUp(): void {
    if (this.isStepping) return; // what a step sets off makes something, too
    for (let i = 0; i < STEPS_TO_KEEP_UP && this.waiting.length > 0; i++) this.step(this.waiting[0]!);
  }

  private step(chore: Chore): void {
    this.isStepping = true;
    const { done, value } = chore.steps.next();
    this.isStepping = false;
    this.left -= value ?? 1;
    if (done !== true) return;
    assert(this.waiting[0] === chore, "chores end in the order in which they came");
    this.waiting.shift();
    this.waitingSteps -= chore.count;
  }

  private work(): void {
    for (let chore = this.waiting[0]; chore !== undefined; chore = this.waiting[0]) {
      if (this.left <= 0) break;
      this.step(chore);
    }
    if (this.isScheduled || (this.left === STEPS_PER_ROUND && this.isIdle)) return;
    // Also when all is done: what was used of this round has to be given back.
    this.isScheduled = true;
    setImmediate(this.round);
  }
}
