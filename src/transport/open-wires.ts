/**
 * The wires that are open: who stops waits for them, so that no handle is left. Thousands of them may end in one turn of the event loop, such
 * as those of a proxy that has died; what that sets off is spread over many turns.
 *
 *     the peer's last byte -> `peerEnded`: the socket is closed -> `closed`: the session ends
 *
 * Bounded by the number of wires, each of which does either once.
 */
import { assert } from "../base/assert.ts";

/** Sockets that are closed, and sessions that end, in one turn: each takes up to 50 µs. */
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

  /** The peer of a wire says no more, so `close` closes it: at once, unless many have ended in this turn. */
  peerEnded(close: () => void): void {
    this.ends.push(close);
    this.workOff();
  }

  /** A wire has closed, and `finish` does what that means, in the same order. Until then it counts as open. */
  closed(finish: () => void): void {
    this.ends.push(() => {
      this.count--;
      assert(this.count >= 0, "a wire closes once");
      finish();
      if (this.count === 0) this.wake();
    });
    this.workOff();
  }

  /** Resolves when none is open. */
  async drained(): Promise<void> {
    if (this.count > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private workOff(): void {
    for (; this.left > 0 && this.next < this.ends.length; this.left--) this.ends[this.next++]!();
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

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting = [];
  }
}
