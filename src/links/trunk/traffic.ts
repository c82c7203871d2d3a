/** What connections carried, by account: those that are open, and what those that are gone left behind. */
import type { CloseCause } from "../../protocol/close-cause.ts";

export interface Traffic {
  inMessages: number;
  inBytes: number;
  outMessages: number;
  outBytes: number;
}

/** What slow consumers lost. */
export interface Loss {
  slowConsumers: number;
  droppedMessages: number;
  droppedBytes: number;
}

interface Carrier extends Readonly<Traffic> {
  /** null while it is open. */
  readonly closeCause: CloseCause | null;
  readonly droppedMessages: number;
  readonly droppedBytes: number;
}

type Left = Traffic & Loss;

/** Bound: an entry for each account that ever had a connection. */
export class TrafficLedger<C extends Carrier> {
  private readonly left = new Map<string, Left>();
  private readonly open: ReadonlyMap<number, C>;
  private readonly accountOf: (carrier: C) => string;

  constructor(open: ReadonlyMap<number, C>, accountOf: (carrier: C) => string) {
    this.open = open;
    this.accountOf = accountOf;
  }

  /** A connection is no longer among the open ones. */
  closed(carrier: C): void {
    const account = this.accountOf(carrier);
    let left = this.left.get(account);
    if (left === undefined) this.left.set(account, (left = { ...nothing(), ...noLoss() }));
    add(left, carrier);
    addLoss(left, carrier);
  }

  /** The counts of every account that ever had a connection, in one pass. */
  byAccount(): Map<string, Left> {
    const sums = new Map<string, Left>(Array.from(this.left, ([account, left]) => [account, { ...left }]));
    for (const carrier of this.open.values()) {
      const account = this.accountOf(carrier);
      let sum = sums.get(account);
      if (sum === undefined) sums.set(account, (sum = { ...nothing(), ...noLoss() }));
      add(sum, carrier);
    }
    return sums;
  }

  total(): Traffic {
    const sum = nothing();
    for (const left of this.left.values()) add(sum, left);
    for (const carrier of this.open.values()) add(sum, carrier);
    return sum;
  }

  ofAccount(account: string): Traffic {
    const sum = nothing();
    const left = this.left.get(account);
    if (left !== undefined) add(sum, left);
    for (const carrier of this.open.values()) if (this.accountOf(carrier) === account) add(sum, carrier);
    return sum;
  }

  slowConsumersOf(account: string): number {
    return this.left.get(account)?.slowConsumers ?? 0;
  }
}

export function nothing(): Traffic {
  return { inMessages: 0, inBytes: 0, outMessages: 0, outBytes: 0 };
}

export function noLoss(): Loss {
  return { slowConsumers: 0, droppedMessages: 0, droppedBytes: 0 };
}

/** Adds the loss of a closed connection. */
export function addLoss(sum: Loss, carrier: Carrier): void {
  if (carrier.closeCause?.kind === "slow") sum.slowConsumers++;
  sum.droppedMessages += carrier.droppedMessages;
  sum.droppedBytes += carrier.droppedBytes;
}

export function add(sum: Traffic, part: Readonly<Traffic>): void {
  sum.inMessages += part.inMessages;
  sum.inBytes += part.inBytes;
  sum.outMessages += part.outMessages;
  sum.outBytes += part.outBytes;
}
