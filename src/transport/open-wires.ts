/**
 * The wires that are open: who stops waits for them, so that no handle is left. Thousands of them may end in one turn of the event loop, such
 * as those of a proxy that has died; what that sets off is spread over many turns.
 *
 * Bounded by the number of wires, each of which ends once.
 */
import { assert } from "../base/assert.ts";

/** Ends of wires in one turn: each ends a session, which takes up to 50 µs. */
export const ENDS_PER_TURN = 64;

export class OpenWires {
  private count = 0;
  private waiting: (() => void)[] = [];
  /** Ends that are left for later turns begin at `next`. */
  private ends: (() => void)[] = [];
  private next = 0;
  private left = ENDS_PER_TURN;
  private isScheduled = false;
  private readonly nextTurn: (work: () => void) => void;

  constructor(nextTurn: (work: () => void) => void = setImmediate) {
    this.nextTurn = nextTurn;
  }

  opened(): void {
    this.count++;
  }

  /** A wire has closed, and `finish` does what that means: at once, unless many have closed in this turn. Until then it counts as open. */
  closed(finish: () => void): void {
    this.ends.push(finish);
    this.workOff();
  }

  /** Resolves when none is open. */
  async drained(): Promise<void> {
    if (this.count > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private workOff(): void {
    for (; this.left > 0 && this.next < this.ends.length; this.left--) this.finish(this.ends[this.next++]!);
    if (this.next === this.ends.length) {
      this.ends = [];
      this.next = 0;
    }
    if (this.isScheduled || this.left === ENDS_PER_TURN) return;
    this.isScheduled = true;
    this.nextTurn(() => {
      this.isScheduled = false;
      this.left = ENDS_PER_TURN;
      this.workOff();
    });
  }

  private finish(end: () => void): void {
    this.count--;
    assert(this.count >= 0, "a wire closes once");
    end();
    if (this.count > 0) return;
    for (const resolve of this.waiting) resolve();
    this.waiting = [];
  }
}
