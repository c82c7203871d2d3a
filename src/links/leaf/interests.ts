/**
 * What the peer of one leaf connection is interested in, within the account of the connection. It is kept to be removed again, at the latest
 * when the connection ends. Bounded by LEAF_INTEREST_MAX, and by `max_subscriptions` if that is lower.
 */
import { assert } from "../../base/assert.ts";
import type { Chores } from "../../base/chores.ts";
import type { Account } from "../../core/account.ts";
import { interestKey } from "../../core/local-interest.ts";
import { RemoteInterest, type DeliveryFilter, type Neighbour } from "../../core/subscription.ts";

/** About 250 bytes each. A peer with more is cut, so that made-up interest cannot use up the memory. */
const LEAF_INTEREST_MAX = 1_000_000;

export class LeafInterests {
  private known = new Map<string, RemoteInterest>();
  private readonly neighbour: Neighbour;
  private readonly account: Account;
  private readonly filter: DeliveryFilter;
  private readonly chores: Chores;

  /** `filter` decides about each subject of messages for the peer. */
  constructor(neighbour: Neighbour, account: Account, filter: DeliveryFilter, chores: Chores) {
    this.neighbour = neighbour;
    this.account = account;
    this.filter = filter;
    this.chores = chores;
  }

  get size(): number {
    return this.known.size;
  }

  /** False when the bound is reached; `most`: another one, null: none. */
  set(subject: string, queue: string | null, weight: number, most: number | null): boolean {
    const key = interestKey(subject, queue);
    const present = this.known.get(key);
    if (present !== undefined) {
      this.account.reweigh(present, weight);
      return true;
    }
    if (this.known.size >= Math.min(most ?? LEAF_INTEREST_MAX, LEAF_INTEREST_MAX)) return false;
    const interest = new RemoteInterest(this.neighbour, subject, queue, weight, this.filter);
    this.chores.keepUp();
    this.known.set(key, interest);
    assert(this.known.size <= LEAF_INTEREST_MAX, "interest of a leaf connection stays within its bound");
    this.account.addRemote(interest);
    return true;
  }

  delete(subject: string, queue: string | null): void {
    const key = interestKey(subject, queue);
    const interest = this.known.get(key);
    if (interest === undefined) return;
    this.known.delete(key);
    this.account.removeRemote(interest);
  }

  /** The connection has ended (`isGone`), so no new plan contains it. Its interest is removed in slices. */
  clear(): void {
    const { known, account } = this;
    this.known = new Map();
    if (known.size === 0) return;
    account.interest.changedAltogether();
    this.chores.add({ steps: removeAll(account, known.values()), count: known.size });
  }

  [Symbol.iterator](): Iterator<RemoteInterest> {
    return this.known.values();
  }
}

function* removeAll(account: Account, interests: Iterable<RemoteInterest>): Generator<undefined, void> {
  for (const interest of interests) {
    account.removeRemote(interest);
    yield;
  }
}
