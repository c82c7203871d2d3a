/**
 * Brings the members of a group to those that are wanted. Whoever leads the group drives it, one step at a time, each of which another
 * leader can go on from:
 *
 *     add each whose copy is complete ─▶ all wanted copies are complete ─▶ remove the others ─▶ finished
 *
 * A leader that is not wanted hands over at the end, and is removed by its successor.
 */
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { Group } from "./group.ts";

const STEP_MS = 250;

export interface ReshapingOptions {
  readonly clock: Clock;
  readonly self: PeerId;
  readonly group: Group;
  readonly wanted: readonly PeerId[];
  /** A peer has told that its copy has everything. */
  readonly isComplete: (peer: PeerId) => boolean;
  /** Nothing else needs the copy of this peer. */
  readonly mayRemove: (peer: PeerId) => boolean;
  /** Before each step of a leader. */
  readonly onStep: () => void;
  /** Called again until it is stopped. */
  readonly finished: () => void;
}

export class Reshaping {
  private readonly options: ReshapingOptions;
  private timer: Disposable;

  constructor(options: ReshapingOptions) {
    this.options = options;
    this.timer = this.later();
  }

  get wanted(): readonly PeerId[] {
    return this.options.wanted;
  }

  stop(): void {
    this.timer[Symbol.dispose]();
  }

  private later(): Disposable {
    return this.options.clock.setTimer(STEP_MS, () => {
      this.timer = this.later();
      if (this.options.group.leads) this.step();
    });
  }

  private step(): void {
    const { group, self, wanted, isComplete, mayRemove, onStep, finished } = this.options;
    onStep();
    const members = group.peers.peers;
    const missing = wanted.filter((peer) => !members.includes(peer));
    const next = missing.find((peer) => group.progressOf(peer).isNear && isComplete(peer));
    if (next !== undefined) return group.addPeer(next);
    const others = wanted.filter((peer) => peer !== self);
    const isReady = others.every((peer) => group.progressOf(peer).isNear && isComplete(peer));
    if (missing.length > 0 || !isReady) return;
    const leaving = members.filter((peer) => !wanted.includes(peer) && mayRemove(peer));
    const isThere = (peer: PeerId): boolean => peer === self || group.progressOf(peer).isNear;
    // those that are not there go first, and the rest has to have a majority that is
    const other = leaving
      .filter((peer) => peer !== self)
      .toSorted((a, b) => Number(isThere(a)) - Number(isThere(b)))
      .find((peer) =>
        hasMajority(
          members.filter((one) => one !== peer),
          isThere,
        ),
      );
    if (other !== undefined) return group.removePeer(other);
    if (leaving.length === 1 && leaving[0] === self) return group.transfer(others[0]!);
    if (leaving.length === 0 && members.length === wanted.length) finished();
  }
}

function hasMajority(members: readonly PeerId[], isThere: (peer: PeerId) => boolean): boolean {
  return members.filter((peer) => isThere(peer)).length > members.length / 2;
}
