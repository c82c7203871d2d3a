/**
 * A server that leaves its cluster for good, as a pod does that its StatefulSet no longer wants. It asks the leader of the meta group again
 * and again, which moves its streams with their consumers to others, some at a time, and when it keeps nothing more removes it from the
 * group of all servers. It serves what it keeps until then. Each step is taken once a majority of those that stay is there.
 *
 *     {"peer"}                                   ─▶ $SHOAL.META.LEAVE         to whoever leads
 *     {"streams", "stuck", "isMember"}           ─▶ $SHOAL.META.LEAVING.<peer>
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { PEER_ID_BYTES } from "../raft/wire.ts";
import type { PeerId } from "../raft/messages.ts";
import { moveAway, type PlacementRoom } from "./api/cluster-moves.ts";
import type { Group, GroupTransport } from "./group/group.ts";
import type { MetaGroup } from "./meta/meta-group.ts";

const ASK = "$SHOAL.META.LEAVE";
const ANSWER = "$SHOAL.META.LEAVING";
const ASK_MS = 250;
/** Streams of one server that are on their way to others at the same time. */
const MOVES_MAX = 16;
/** A server that asks no longer is not leaving any more. */
const ASKING_MS = 5000;
/** Where nothing else is left, a stream that nobody can take is not waited for any longer: a server may be about to come. */
const STUCK_MS = 10_000;

export interface LeavingOptions {
  readonly self: PeerId;
  readonly transport: GroupTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meta: MetaGroup;
  readonly around: () => PlacementRoom;
}

/** "left": it belongs to the cluster no longer. "stuck": no other server can take what it keeps. "late": the time was over. */
export type LeaveResult = "left" | "stuck" | "late";

interface Standing {
  readonly streams: number;
  readonly stuck: number;
  readonly isMember: boolean;
}

export class Leaving {
  private readonly options: LeavingOptions;
  private readonly ears: Disposable[] = [];
  /** When each server has asked that leaves. Bounded by the servers, of which the silent ones are forgotten. */
  private readonly asked = new Map<PeerId, number>();
  /** As the leader told last; null: it has not. */
  private standing: Standing | null = null;

  constructor(options: LeavingOptions) {
    this.options = options;
    const { transport, self, meta } = options;
    this.ears.push(
      transport.listen(ASK, (_subject, _reply, payload) => {
        const peer = Buffer.from(payload).toString("latin1");
        if (peer.length === PEER_ID_BYTES && meta.leads) meta.whenSettled(() => this.help(peer));
      }),
      transport.listen(`${ANSWER}.${self}`, (_subject, _reply, payload) => {
        this.standing = readStanding(payload) ?? this.standing;
      }),
    );
  }

  stop(): void {
    for (const ear of this.ears) ear[Symbol.dispose]();
  }

  /** Resolves when this server has left, or when it cannot. */
  async leave(withinMs: number): Promise<LeaveResult> {
    const { clock, self, transport, logger } = this.options;
    const untilMs = clock.nowMs() + withinMs;
    let movedMs = clock.nowMs();
    let shown = -1;
    for (;;) {
      transport.send(ASK, "", Buffer.from(self, "latin1"));
      await new Promise<void>((resolve) => clock.setTimer(ASK_MS, resolve));
      const nowMs = clock.nowMs();
      const { streams, stuck, isMember } = this.standing ?? { streams: -1, stuck: 0, isMember: true };
      if (!isMember) return "left";
      if (streams !== shown) {
        if (streams > 0) logger.info("Moving streams to other servers", { event: "leaving", streams });
        shown = streams;
        movedMs = nowMs;
      }
      if (stuck > 0 && stuck === streams && nowMs - movedMs >= STUCK_MS) return "stuck";
      if (nowMs >= untilMs) return "late";
    }
  }

  /** All that leave. */
  private leavingWith(peer: PeerId): ReadonlySet<PeerId> {
    const nowMs = this.options.clock.nowMs();
    this.asked.set(peer, nowMs);
    for (const [one, atMs] of this.asked) if (nowMs - atMs > ASKING_MS) this.asked.delete(one);
    return new Set(this.asked.keys());
  }

  /** One step of the leader. */
  private help(peer: PeerId): void {
    const { meta, self, around, transport } = this.options;
    const { group } = meta;
    if (group === null) return;
    const leaving = this.leavingWith(peer);
    const isMember = group.peers.peers.includes(peer);
    const left = isMember ? moveAway({ ...around(), leaving }, peer, MOVES_MAX) : { streams: 0, stuck: 0 };
    if (isMember && left.streams === 0) {
      if (peer === self) group.transfer("");
      else if (hasMajorityWithout(group, peer, self)) meta.removePeer(peer);
    }
    const standing: Standing = { ...left, isMember: isMember || group.hasUncommitted };
    transport.send(`${ANSWER}.${peer}`, "", Buffer.from(JSON.stringify(standing), "latin1"));
  }
}

/** Those that stay are a majority of themselves that is there. */
function hasMajorityWithout(group: Group, peer: PeerId, self: PeerId): boolean {
  const staying = group.peers.peers.filter((one) => one !== peer);
  const there = staying.filter((one) => one === self || group.progressOf(one).isNear);
  return there.length > staying.length / 2;
}

function readStanding(payload: Uint8Array): Standing | null {
  try {
    const json = JSON.parse(Buffer.from(payload).toString("latin1")) as Partial<Standing>;
    const { streams, stuck, isMember } = json;
    if (typeof streams !== "number" || typeof stuck !== "number" || typeof isMember !== "boolean")
      return null;
    return { streams, stuck, isMember };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
