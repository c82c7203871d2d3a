/**
 * How many clients a server with far more than its share should send elsewhere, and where to. Pure: each server decides for itself
 * from what the others say of themselves; nobody is in charge.
 *
 *     clients of this server
 *            ^      begins here ------------ mean · (1 + tolerance)
 *            |      goes on, slowly, down to mean
 *            |      never begins below
 *
 * Why it ends: whoever sends has more than the mean and stops at it, whoever receives has less. A server that received begins
 * to send only beyond the tolerance. Bounds: `ratePerSecond`; nothing while members come and go.
 */

export interface RebalanceOptions {
  /** Over the mean, as a share of it: 0.2 is a fifth. */
  readonly tolerance: number;
  readonly ratePerSecond: number;
  /** How long the members have to be the same before anybody is sent: who restarts moves clients enough. */
  readonly calmMs: number;
  /** Until the others' figures show those that were sent. */
  readonly arrivalMs: number;
}

export interface Loads {
  readonly own: number;
  /** By server id; those that do not say how many they have are not there. */
  readonly others: ReadonlyMap<string, number>;
}

export interface Move {
  readonly count: number;
  /** Ids of the servers that have less than the mean. */
  readonly receivers: readonly string[];
}

/** With few clients a share of them is less than a difference that matters. */
const EXCESS_MIN = 5;
const NOBODY: Move = { count: 0, receivers: [] };

export class Rebalance {
  private readonly options: RebalanceOptions;
  private isSending = false;
  private members = "";
  private changedMs: number;
  private decidedMs: number;
  /** Sent, and perhaps not in the others' figures yet. */
  private onTheWay: { readonly atMs: number; readonly count: number }[] = [];

  constructor(options: RebalanceOptions, nowMs: number) {
    this.options = options;
    this.changedMs = this.decidedMs = nowMs;
  }

  /** To be asked again and again; what it returns counts as sent. */
  decide({ own, others }: Loads, nowMs: number): Move {
    const { tolerance, ratePerSecond, calmMs, arrivalMs } = this.options;
    const sinceMs = Math.min(arrivalMs, nowMs - this.decidedMs);
    this.decidedMs = nowMs;
    this.onTheWay = this.onTheWay.filter(({ atMs }) => nowMs - atMs < arrivalMs);
    this.noticeMembers(others, nowMs);
    if (others.size === 0 || nowMs - this.changedMs < calmMs) return this.rest();
    const known = own + sum(others.values()) + sum(this.onTheWay.map(({ count }) => count));
    const mean = known / (1 + others.size);
    const excess = own - mean;
    const isFar = excess > mean * tolerance && excess >= EXCESS_MIN;
    this.isSending = isFar || (this.isSending && excess >= 1);
    if (!this.isSending) return NOBODY;
    const count = Math.floor(Math.min(excess, (ratePerSecond * sinceMs) / 1000));
    const receivers = [...others].filter(([, load]) => load < mean).map(([id]) => id);
    if (count === 0 || receivers.length === 0) return NOBODY;
    this.onTheWay.push({ atMs: nowMs, count });
    return { count, receivers };
  }

  private rest(): Move {
    this.isSending = false;
    return NOBODY;
  }

  private noticeMembers(others: ReadonlyMap<string, number>, nowMs: number): void {
    const members = [...others.keys()].sort().join(" ");
    if (members === this.members) return;
    this.members = members;
    this.changedMs = nowMs;
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
