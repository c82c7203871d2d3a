/**
 * Pods that are gone for good without having left: their StatefulSet no longer wants them, and nobody has seen them for a while. The server
 * that leads all others removes them, one at a time, so that others get their copies and they count in no majority any more.
 */
import { hashName } from "../base/base62.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { fateOf, type StatefulPod, type StatefulSetFields } from "../discovery/stateful-set.ts";
import type { PeerId } from "../raft/messages.ts";

const LOOK_MS = 60_000;
/** For so long a pod has to be missing. */
const GONE_MS = 600_000;
/** Pods of one StatefulSet that are known by their names. */
const ORDINALS_MAX = 1024;

export interface GonePodsOptions {
  readonly pod: StatefulPod;
  /** Its own name, which ends with that of the pod. */
  readonly serverName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The members of the group of all servers that are not there; null: this server does not lead it. */
  readonly missing: () => readonly PeerId[] | null;
  readonly remove: (peer: PeerId) => void;
  /** null: it is deleted. */
  readonly read: (pod: StatefulPod) => Promise<StatefulSetFields | null>;
}

export class GonePods implements Disposable {
  private readonly options: GonePodsOptions;
  /** Since when each has been missing. */
  private readonly since = new Map<PeerId, number>();
  private timer: Disposable;

  constructor(options: GonePodsOptions) {
    this.options = options;
    this.timer = this.later();
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }

  private later(): Disposable {
    return this.options.clock.setTimer(LOOK_MS, () => {
      this.timer = this.later();
      void this.look();
    });
  }

  private async look(): Promise<void> {
    const { clock, pod, missing, read, remove, logger } = this.options;
    const nowMs = clock.nowMs();
    const peers = missing() ?? [];
    for (const peer of [...this.since.keys()]) if (!peers.includes(peer)) this.since.delete(peer);
    for (const peer of peers) if (!this.since.has(peer)) this.since.set(peer, nowMs);
    const gone = peers.filter((peer) => nowMs - this.since.get(peer)! >= GONE_MS);
    if (gone.length === 0) return;
    try {
      const fields = await read(pod);
      const found = this.ordinalsOf(gone).find(({ ordinal }) => fateOf(fields, ordinal) === "scaled away");
      if (found === undefined || missing()?.includes(found.peer) !== true) return;
      const { statefulSet } = pod;
      logger.warn("A pod is gone for good, and is removed from the cluster", {
        statefulSet,
        ordinal: found.ordinal,
      });
      remove(found.peer);
    } catch (error) {
      logger.warn(
        "Kubernetes does not tell whether a pod that is missing is to come back: it stays a member",
        {
          statefulSet: pod.statefulSet,
          error: error instanceof Error ? error.message.slice(0, 200) : String(error),
        },
      );
    }
  }

  /** Those of the StatefulSet. */
  private ordinalsOf(peers: readonly PeerId[]): { readonly peer: PeerId; readonly ordinal: number }[] {
    const { pod, serverName } = this.options;
    const own = `${pod.statefulSet}-${pod.ordinal}`;
    if (!serverName.endsWith(own)) return [];
    const before = serverName.slice(0, -own.length);
    return Array.from({ length: ORDINALS_MAX }, (_, ordinal) => ({
      ordinal,
      peer: hashName(`${before}${pod.statefulSet}-${ordinal}`),
    })).filter(({ peer }) => peers.includes(peer));
  }
}
