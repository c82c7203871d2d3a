/**
 * A copy of a stream that lacks damaged messages leaves the lead to the others, which have them: it neither answers for the stream nor
 * delivers from it. Where it is to lead again soon, nobody else is there, or the others lack something as well: then it leads as it is.
 */
import type { Stream } from "../stream/stream.ts";
import type { Group } from "./group.ts";

/** A copy that left the lead and gets it again within this keeps it. */
const KEPT_MS = 10_000;

export class DamagedCopy {
  private readonly stream: Stream;
  private leftMs = -Infinity;

  constructor(stream: Stream) {
    this.stream = stream;
  }

  /** Whether it hands the leadership of the group on, which it has. */
  leaves(group: Group): boolean {
    const { store, host } = this.stream;
    if (store.lost.count === 0 || group.peers.peers.length < 2) return false;
    const nowMs = host.clock.nowMs();
    if (nowMs - this.leftMs < KEPT_MS) return false;
    this.leftMs = nowMs;
    group.transfer("");
    return true;
  }
}
