/**
 * Runs deferred work in small steps, a limited number and for a limited time per round of the event loop, so that messages are served in between. Work that fits
 * into the current round is done at once; the rest follows in order.
 *
 * Bounded by the callers' own data, such as the subscriptions of a closed connection. Code that creates such data calls `keepUp`, so
 * that work cannot arrive faster than it is done.
 */
import { assert, halfChanged } from "./assert.ts";

/** Steps of a few microseconds each. */
const STEPS_PER_ROUND = 1000;
/** In addition, this share of the waiting steps. */
const SHARE = 1 / 100;
/** Time of a round, however long the steps take on this machine. */
const ROUND_MS = 4;
/** Steps between two looks at the clock. */
const STEPS_PER_LOOK = 32;
/** Steps per `keepUp` while work waits. */
const STEPS_TO_KEEP_UP = 2;

/** Calls `work` once, in the next round of the event loop. */
export type NextRound = (work: () => void) => void;

export interface Chore {
  /** Each `next` is one step, or as many as the number that it yields. */
  readonly steps: Iterator<number | undefined, void>;
  /** Estimated number of steps. */
  readonly count: number;
}

/** The same action on each of many items, such as the sessions of clients. */
export interface Errand<T> {
  readonly items: Iterable<T>;
  readonly count: number;
  /** Estimated steps per item. */
  readonly cost: number;
  readonly act: (item: T) => void;
}

export class Chores {
  private readonly waiting: Chore[] = [];
  private waitingSteps = 0;
  /** Steps left in this round. */
  private left = STEPS_PER_ROUND;
  private isScheduled = false;
  private isStepping = false;
  private readonly nextRound: NextRound;
  private readonly nowMs: () => number;
  private readonly round = (): void => {
    this.isScheduled = false;
    this.left = STEPS_PER_ROUND + Math.ceil(this.waitingSteps * SHARE);
    this.work();
  };

  /** `nowMs`: its default does not limit the time. */
  constructor(nextRound: NextRound = setImmediate, nowMs: () => number = () => 0) {
    this.nextRound = nextRound;
    this.nowMs = nowMs;
  }

  /** Whether no work waits. */
  get isIdle(): boolean {
    return this.waiting.length === 0;
  }

  /** Acts on each item, at `cost` steps each, and resolves after the last. Items that are added meanwhile may be included. */
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

  /** Resolves when all work that waits now is done. */
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

  /** Called when a subscription or the like is created: while others wait to be removed, two of them are removed first. */
  keepUp(): void {
    if (this.isStepping) return; // what a step sets off makes something, too
    for (let i = 0; i < STEPS_TO_KEEP_UP && this.waiting.length > 0; i++) this.step(this.waiting[0]!);
  }

  private step(chore: Chore): void {
    this.isStepping = true;
    const { done, value } = this.nextOf(chore);
    this.isStepping = false;
    this.left -= value ?? 1;
    if (done !== true) return;
    assert(this.waiting[0] === chore, "chores end in the order in which they came");
    this.waiting.shift();
    this.waitingSteps -= chore.count;
  }

  /** Chores act on what connections share: a step that fails leaves it half changed, whoever has set the chore off. */
  private nextOf({ steps }: Chore): IteratorResult<number | undefined, void> {
    try {
      return steps.next();
    } catch (error) {
      throw halfChanged(error);
    }
  }

  private work(): void {
    const endMs = this.nowMs() + ROUND_MS;
    let steps = 0;
    for (let chore = this.waiting[0]; chore !== undefined; chore = this.waiting[0]) {
      if (this.left <= 0) break;
      this.step(chore);
      if (++steps % STEPS_PER_LOOK === 0 && this.nowMs() >= endMs) this.left = 0;
    }
    if (this.isScheduled || (this.left === STEPS_PER_ROUND && this.isIdle)) return;
    // Also when all work is done: the budget of the round must be renewed.
    this.isScheduled = true;
    this.nextRound(this.round);
  }
}
