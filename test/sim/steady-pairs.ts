/**
 * Nothing is lost between servers that stayed connected. A pair is steady from the time at which both ends are whole and know
 * each other's interest, until a fault is done to it. What one publishes meanwhile has to reach the other one's clients, whatever
 * happens to everybody else: joins, partitions, restarts, servers of the same name.
 *
 * Pairs with a nats-server are left out, which closes routes that carry messages.
 */
import type { SimMember } from "./member.ts";
import { pairBreach, slotLinks, viewOf } from "./views.ts";
import type { World } from "./world.ts";

/** A message that was published so long ago has arrived, or is lost. */
const ARRIVAL_MAX_MS = 1500;
/** How long after a fault a pair is looked at again. */
const REST_MS = 500;
const LOOK_EVERY_MS = 500;
/** With more of them nobody looks at each pair all the time. */
const MEMBERS_MAX = 40;

interface Expected {
  readonly from: SimMember;
  readonly to: SimMember;
  readonly account: string;
  readonly sequence: number;
  readonly atMs: number;
}

interface Pair {
  readonly a: SimMember;
  readonly b: SimMember;
  isSteady: boolean;
  disturbedMs: number;
  /** Messages that have not been found to have arrived. */
  expected: Expected[];
}

export class SteadyPairs {
  readonly breaches: string[] = [];
  /** Messages that were expected, and those that a fault let off. */
  readonly counts = { expected: 0, letOff: 0 };
  private readonly world: World;
  private readonly pairs = new Map<string, Pair>();
  private lookedMs = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** Looks which pairs have become steady, and whether what was published has arrived. */
  look(): void {
    const { timeline, network } = this.world;
    if (timeline.nowMs - this.lookedMs < LOOK_EVERY_MS) return;
    this.lookedMs = timeline.nowMs;
    const running = this.world.running();
    if (running.length > MEMBERS_MAX) return;
    const views = running.filter(({ identity }) => identity.shoal).map((one) => viewOf(one, timeline.nowMs));
    for (const a of views) {
      for (const b of views) {
        if (b.member.id <= a.member.id) continue;
        const pair = this.pairOf(a.member, b.member);
        const { ip } = a.member;
        if (pair.isSteady) this.settle(pair);
        else if (timeline.nowMs - pair.disturbedMs >= REST_MS && !network.isCut(ip, b.member.ip)) {
          const links = slotLinks(a, b.member).split(" ");
          const isWhole = !network.isStalled(ip, b.member.ip) && pairBreach(a, b) === undefined;
          pair.isSteady = isWhole && links.every((link) => network.isAlive(Number(link)));
        }
      }
    }
  }

  published(from: SimMember, account: string, sequence: number): void {
    const atMs = this.world.timeline.nowMs;
    for (const to of this.world.running()) {
      if (to === from || !this.world.subscribes(to, account)) continue;
      const pair = this.pairs.get(pairKey(from, to));
      if (pair?.isSteady !== true) continue;
      this.counts.expected++;
      pair.expected.push({ from, to, account, sequence, atMs });
    }
  }

  /** Something was done to a host, or to what connects two of them: what is under way may be lost. */
  disturbed(a: string, b: string | undefined): void {
    for (const pair of this.pairs.values()) {
      const ips = [pair.a.ip, pair.b.ip];
      if (!ips.includes(a) || (b !== undefined && !ips.includes(b))) continue;
      pair.disturbedMs = this.world.timeline.nowMs;
      if (!pair.isSteady) continue;
      pair.isSteady = false;
      this.settle(pair);
      this.counts.letOff += pair.expected.length;
      pair.expected = [];
    }
  }

  /** When all has had its time to arrive. */
  end(): void {
    for (const pair of this.pairs.values()) this.settle(pair);
  }

  private settle(pair: Pair): void {
    const { nowMs } = this.world.timeline;
    pair.expected = pair.expected.filter(({ from, to, account, sequence, atMs }) => {
      if (to.clients.received.get(`${from.id} ${account}`)?.includes(sequence)) return false;
      if (nowMs - atMs < ARRIVAL_MAX_MS) return true;
      const names = `${to.identity.name} misses message ${sequence} of ${from.identity.name} in ${account}`;
      this.breaches.push(`${names}, though the two stayed connected (published at ${atMs.toFixed(0)} ms)`);
      return false;
    });
  }

  private pairOf(a: SimMember, b: SimMember): Pair {
    const key = pairKey(a, b);
    let pair = this.pairs.get(key);
    if (pair === undefined) {
      pair = { a, b, isSteady: false, disturbedMs: this.world.timeline.nowMs, expected: [] };
      this.pairs.set(key, pair);
    }
    return pair;
  }
}

function pairKey(a: SimMember, b: SimMember): string {
  return a.id < b.id ? `${a.id} ${b.id}` : `${b.id} ${a.id}`;
}
