/**
 * Requests that this server cannot answer yet, and that nobody else may answer: what they are about is not known here yet, or nobody leads
 * it. Each is judged again when something has changed, and after a moment, until another server is known to answer it. That one may have
 * left it to a former leader when it came: so it is passed on to it, where it only reads.
 *
 * Bounded: HELD_MAX requests, for HELD_MS each: who asked has given up by then, and an old purge must not come true.
 */
import type { Clock } from "../../base/clock.ts";
import type { ClusterRequest } from "./cluster-request.ts";

const HELD_MAX = 10_000;
const HELD_MS = 5000;
const LOOK_MS = 50;

/** Why a request is held. "leaderless": it is refused at the end; "unknown": the leader of the meta group answers. */
export type HeldFor = "leaderless" | "unknown";

export interface HeldRequestsHost {
  readonly clock: Clock;
  /** Judges it again, and may hold it again. */
  readonly judge: (request: ClusterRequest) => void;
  /** Nobody has come to lead what it is about. */
  readonly refuse: (request: ClusterRequest) => void;
  /** Another server is to answer it. */
  readonly passOn: (request: ClusterRequest) => void;
}

interface Held {
  readonly untilMs: number;
  readonly reason: HeldFor;
}

export class HeldRequests {
  private readonly host: HeldRequestsHost;
  private held = new Map<ClusterRequest, Held>();
  /** Where those were to be answered that have been held not long ago, and until when that is known. */
  private readonly known = new Map<string, number>();
  private timer: Disposable | null = null;
  /** The limit of the request that is being judged again; 0: no request is. */
  private untilMs = 0;

  constructor(host: HeldRequestsHost) {
    this.host = host;
  }

  get count(): number {
    return this.held.size;
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
    this.held.clear();
  }

  hold(request: ClusterRequest, reason: HeldFor): void {
    if (this.held.size >= HELD_MAX) return;
    const { clock } = this.host;
    const untilMs = this.untilMs || clock.nowMs() + HELD_MS;
    this.held.set(request, { untilMs, reason });
    if (this.known.size < HELD_MAX) this.known.set(request.reply, untilMs);
    this.timer ??= clock.setTimer(LOOK_MS, () => {
      this.timer = null;
      this.look();
    });
  }

  /** It is not for this server, by what is known now. */
  isForAnother(request: ClusterRequest): void {
    if (this.untilMs > 0) this.host.passOn(request);
  }

  /** A request that another server has passed on was held here as well. */
  has({ reply }: ClusterRequest): boolean {
    const nowMs = this.host.clock.nowMs();
    for (const [one, untilMs] of this.known) {
      if (nowMs < untilMs) break;
      this.known.delete(one);
    }
    return this.known.has(reply);
  }

  /** The leader of the meta group has refused the request that wanted its answer there. */
  drop(reply: string): void {
    for (const request of this.held.keys()) if (request.reply === reply) this.held.delete(request);
  }

  /** Something may have changed. */
  look(): void {
    const { held, host } = this;
    if (held.size === 0) return;
    const nowMs = host.clock.nowMs();
    this.held = new Map();
    for (const [request, { untilMs, reason }] of held) {
      if (nowMs < untilMs) {
        this.untilMs = untilMs;
        host.judge(request);
        this.untilMs = 0;
      } else if (reason === "leaderless") host.refuse(request);
    }
  }
}
