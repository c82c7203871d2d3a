/**
 * Spreads leaderships over the servers of a cluster, gently: one move in some seconds, only to a follower that has everything, and none
 * while anything is unhealthy anywhere. Every server tells how many groups it leads; the one that leads most hands one on to a member of
 * its group that leads at least two fewer.
 *
 *     {"peer", "leads", "isHealthy"} ─▶ $SHOAL.BALANCE
 *
 * Bounded by the members of the meta group: what others tell is not kept.
 */
import { parseJson } from "../base/json.ts";
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../raft/messages.ts";
import type { Group, GroupTransport } from "./group/group.ts";

const SUBJECT = "$SHOAL.BALANCE";
const TELL_MS = 5000;
/** What a server has told counts for so long. */
const FRESH_MS = 12_000;
/** All has been healthy for so long before anything moves. */
const CALM_MS = 60_000;
/** Others have told of the last move by then. */
const MOVE_MS = 2 * TELL_MS;
/** A server may lead so many more than another one. */
const SPREAD_MAX = 1;

export interface BalancerHost {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly transport: GroupTransport;
  /** Groups of streams and consumers that this server belongs to. */
  readonly groups: () => Iterable<Group>;
  /** Members of the meta group. */
  readonly members: () => readonly PeerId[];
  /** This server keeps everything that it should keep well. */
  readonly isHealthy: () => boolean;
}

interface Told {
  readonly leads: number;
  readonly isHealthy: boolean;
  readonly atMs: number;
}

export class Balancer {
  /** Since the start. */
  moves = 0;
  private readonly host: BalancerHost;
  private readonly ear: Disposable;
  private readonly told = new Map<PeerId, Told>();
  private timer: Disposable | null = null;
  private calmSinceMs: number;
  private movedMs = -Infinity;

  constructor(host: BalancerHost) {
    this.host = host;
    this.calmSinceMs = host.clock.nowMs();
    this.ear = host.transport.listen(SUBJECT, (_subject, _reply, payload) => this.hear(payload));
  }

  start(): void {
    this.timer = this.host.clock.setTimer(TELL_MS, () => {
      this.look();
      this.start();
    });
  }

  stop(): void {
    this.ear[Symbol.dispose]();
    this.timer?.[Symbol.dispose]();
  }

  private hear(payload: Uint8Array): void {
    const json = parseJson(Buffer.from(payload).toString("latin1"));
    if (typeof json !== "object" || json === null) return;
    const { peer, leads, isHealthy } = json as Record<string, unknown>;
    if (typeof peer !== "string" || !Number.isSafeInteger(leads) || typeof isHealthy !== "boolean") return;
    if (peer === this.host.self || !this.host.members().includes(peer)) return;
    this.told.set(peer, { leads: leads as number, isHealthy, atMs: this.host.clock.nowMs() });
  }

  private look(): void {
    const { self, clock, transport, groups, members, isHealthy } = this.host;
    const led = [...groups()].filter((group) => group.leads && group.peers.peers.length > 1);
    const isWell = isHealthy();
    const own = { peer: self, leads: led.length, isHealthy: isWell };
    transport.send(SUBJECT, "", Buffer.from(JSON.stringify(own), "latin1"));
    const nowMs = clock.nowMs();
    for (const peer of this.told.keys()) if (!members().includes(peer)) this.told.delete(peer);
    const isCalm = isWell && members().every((peer) => peer === self || this.isWell(peer, nowMs));
    if (!isCalm) this.calmSinceMs = nowMs;
    const isDue = nowMs - this.calmSinceMs >= CALM_MS && nowMs - this.movedMs >= MOVE_MS;
    if (isDue && this.leadsMost(led.length)) this.move(led);
  }

  private isWell(peer: PeerId, nowMs: number): boolean {
    const told = this.told.get(peer);
    return told?.isHealthy === true && nowMs - told.atMs < FRESH_MS;
  }

  /** One server moves at a time; of those that lead as many, the first by id. */
  private leadsMost(count: number): boolean {
    const { self } = this.host;
    for (const [peer, { leads }] of this.told)
      if (leads > count || (leads === count && peer < self)) return false;
    return true;
  }

  private move(led: readonly Group[]): void {
    let best: { readonly group: Group; readonly to: PeerId; readonly leads: number } | null = null;
    for (const group of led)
      for (const { peer, isCurrent } of group.progress()) {
        const leads = this.told.get(peer)?.leads ?? Infinity;
        if (isCurrent && led.length - leads > SPREAD_MAX && leads < (best?.leads ?? Infinity))
          best = { group, to: peer, leads };
      }
    if (best === null) return;
    this.moves++;
    this.movedMs = this.host.clock.nowMs();
    best.group.transfer(best.to);
  }
}
