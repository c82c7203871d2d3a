/** The life of a server: the state that it is in, and which state may follow which. */
import { assert } from "../base/assert.ts";

export type LifeState = "starting" | "ready" | "lame duck" | "stopped";

const NEXT: Readonly<Record<LifeState, readonly LifeState[]>> = {
  starting: ["ready", "stopped"],
  ready: ["lame duck", "stopped"],
  "lame duck": ["stopped"],
  stopped: [],
};

/**
 * How long lame duck mode lasts: until it is done, or only for as long as another member stays that clients can move to.
 */
export type DrainsUntil = "done" | "alone";

export class Life {
  private now: LifeState = "starting";
  private readonly onChange: () => void;

  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  get state(): LifeState {
    return this.now;
  }

  mayBecome(state: LifeState): boolean {
    return NEXT[this.now].includes(state);
  }

  become(state: LifeState): void {
    assert(this.mayBecome(state), "a server lives its states in their order");
    this.now = state;
    this.onChange();
  }
}
