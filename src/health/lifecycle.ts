/** The life of a server: which state may follow which. Pure. */
export type LifeState = "starting" | "ready" | "lame duck" | "stopped";

const NEXT: Readonly<Record<LifeState, readonly LifeState[]>> = {
  starting: ["ready", "stopped"],
  ready: ["lame duck", "stopped"],
  "lame duck": ["stopped"],
  stopped: [],
};

export function mayFollow(from: LifeState, to: LifeState): boolean {
  return NEXT[from].includes(to);
}

/**
 * How long lame duck mode goes on: until it is done, or only for as long as another member stays that clients can move to.
 */
export type DrainsUntil = "done" | "alone";
