/**
 * Asks clients to move where this server has far more than its share: looks at intervals, tells the others how many clients there
 * are, and does what `cluster/rebalance.ts` decides. A client is asked as in lame duck mode, by an INFO with the URLs of servers
 * that have fewer, and closed a moment later, since official clients move only then.
 *
 * Never asked: who connected a short time ago (it may have been asked elsewhere), and who does not understand INFO.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import { Rebalance } from "../cluster/rebalance.ts";
import type { ClientSession } from "../links/client/session.ts";
import type { ClientPort } from "../ports/client/client-port.ts";
import type { ClusterPort } from "../ports/cluster/cluster-port.ts";
import { REBALANCED } from "../protocol/close-cause.ts";

export interface RebalancerOptions {
  /** Over the mean, as a share of it. */
  readonly tolerance: number;
  readonly ratePerSecond: number;
  readonly intervalMs: number;
  /** For how long a client has to be connected, and all servers to be there. */
  readonly calmMs: number;
  readonly clients: ClientPort;
  readonly cluster: ClusterPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** So that servers do not look in step. */
const JITTER = 0.2;
/** From being asked to being closed. */
const NOTICE_MS = 1000;
const PATIENCE_MS = 2000;

export class Rebalancer implements Disposable {
  private readonly options: RebalancerOptions;
  private readonly rebalance: Rebalance;
  /** Timers of the next check and of clients that were asked. */
  private readonly timers = new Set<Disposable>();
  private readonly asked = new Set<ClientSession>();
  private told = -1;

  constructor(options: RebalancerOptions) {
    const { tolerance, ratePerSecond, calmMs, intervalMs, clock } = options;
    this.options = options;
    // Clients that were sent appear in the others' figures after the next look and the time that clients take to move.
    const arrivalMs = 2 * intervalMs + NOTICE_MS;
    this.rebalance = new Rebalance({ tolerance, ratePerSecond, calmMs, arrivalMs }, clock.nowMs());
    this.lookLater();
  }

  /** Clients that have been asked to leave do not count. */
  get clientCount(): number {
    return this.options.clients.sessions.size - this.asked.size;
  }

  [Symbol.dispose](): void {
    for (const timer of this.timers) timer[Symbol.dispose]();
    this.timers.clear();
  }

  private lookLater(): void {
    const { intervalMs, random } = this.options;
    this.after(intervalMs * (1 + JITTER * (random.next() - 0.5)), () => {
      this.look();
      this.lookLater();
    });
  }

  private look(): void {
    const { clients, cluster, clock, logger } = this.options;
    for (const session of this.asked) if (!session.isOpen) this.asked.delete(session);
    const own = this.clientCount;
    if (own !== this.told) cluster.tellClientCount();
    this.told = own;
    const others = cluster.members.clients;
    const { count, receivers } = this.rebalance.decide({ own, others }, clock.nowMs());
    const urls = cluster.members.urlsOf(receivers);
    if (count === 0 || urls.inside.length === 0) return;
    const leaving = this.choose(clients.sessions.values(), count);
    if (leaving.length === 0) return;
    logger.info("Asking clients to move to servers with fewer", {
      event: "rebalance",
      asked: leaving.length,
      connections: own,
      others: [...others.values()],
    });
    for (const session of leaving) {
      this.asked.add(session);
      session.introduction.sendInfo(urls);
    }
    this.after(NOTICE_MS / 2, () => leaving.forEach((session) => void session.withdrawFromQueues()));
    this.after(NOTICE_MS, () => leaving.forEach((session) => session.leave(REBALANCED, PATIENCE_MS)));
  }

  private choose(sessions: Iterable<ClientSession>, count: number): ClientSession[] {
    const { clock, calmMs } = this.options;
    const sinceMs = clock.nowMs() - calmMs;
    const chosen: ClientSession[] = [];
    for (const session of sessions) {
      // In the order in which they connected.
      if (chosen.length === count || session.startedMs > sinceMs) break;
      if (session.introduction.takesInfo && !this.asked.has(session)) chosen.push(session);
    }
    return chosen;
  }

  private after(delayMs: number, act: () => void): void {
    const timer = this.options.clock.setTimer(delayMs, () => {
      this.timers.delete(timer);
      act();
    });
    this.timers.add(timer);
  }
}
