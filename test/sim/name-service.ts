/**
 * A DNS that lags, fails and lies, and the lookups that members make, at the pace of production. While there are faults an
 * answer may be missing, old, or lack some; at all times it shows what was true a while ago, and next to it addresses where
 * nobody is and the one of a server of another cluster.
 */
import { randomInt, type Random } from "../../src/base/random.ts";
import type { PeerAddress } from "../../src/cluster/mesh-types.ts";
import type { SimMember } from "./member.ts";
import type { Timeline } from "./timeline.ts";

const LAG_MS = 1500;
const OLD_MS = 5000;
const INTERVAL_MS = 5000;
const QUICK_MS = 1000;
/** How long after a change an honest DNS has told everybody. */
export const NAMES_SETTLE_MS = LAG_MS + INTERVAL_MS;

interface State {
  readonly atMs: number;
  readonly peers: readonly PeerAddress[];
}

export class NameService {
  /** From now on its answers lag and lie, but are there and lack nobody. */
  hasFaults = true;
  private readonly timeline: Timeline;
  private readonly random: Random;
  private readonly lies: readonly PeerAddress[];
  private readonly history: State[] = [{ atMs: 0, peers: [] }];

  constructor(timeline: Timeline, random: Random, lies: readonly PeerAddress[]) {
    this.timeline = timeline;
    this.random = random;
    this.lies = lies;
  }

  /** This is what there is to know from now on. */
  change(peers: readonly PeerAddress[]): void {
    this.history.push({ atMs: this.timeline.nowMs, peers });
  }

  /** Has the member look the name up, now and for as long as it lives. */
  follow(member: SimMember): void {
    if (!member.alive) return;
    const answer = this.answer();
    if (answer !== undefined) member.run(() => member.names.show("dns", answer));
    const { complete, size } = member.mesh.snapshot(this.timeline.nowMs);
    const delayMs = complete && size.connected > 1 ? INTERVAL_MS : QUICK_MS;
    this.timeline.after(delayMs * (1 - 0.25 * this.random.next()), () => this.follow(member));
  }

  private answer(): readonly PeerAddress[] | undefined {
    const mood = this.hasFaults ? this.random.next() : 1;
    if (mood < 0.2) return undefined;
    const isOld = mood < 0.3;
    const isPart = !isOld && mood < 0.4;
    const known = this.asOf(randomInt(this.random, isOld ? OLD_MS : LAG_MS));
    const shown = isPart ? known.filter(() => this.random.next() < 0.5) : known;
    const fresh = {
      host: `10.8.${randomInt(this.random, 256)}.${randomInt(this.random, 256)}`,
      port: 6222,
    };
    return [...shown, ...this.lies, ...(this.hasFaults ? [fresh] : [])];
  }

  private asOf(agoMs: number): readonly PeerAddress[] {
    const atMs = this.timeline.nowMs - agoMs;
    return this.history.findLast((state) => state.atMs <= atMs)?.peers ?? [];
  }
}
