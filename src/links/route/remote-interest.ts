/** The interest that one route's peer told of: kept by account, so that it can be taken back, and all of it at the end. */
import { assert, halfChanged } from "../../base/assert.ts";
import type { Chores } from "../../base/chores.ts";
import { WideMap } from "../../base/wide-map.ts";
import type { Account } from "../../core/account.ts";
import type { Accounts } from "../../core/accounts.ts";
import { interestKey } from "../../core/local-interest.ts";
import { RemoteInterest, type DeliveryFilter, type Neighbour } from "../../core/subscription.ts";
import { hasWildcard } from "../../subject/subject.ts";

/**
 * Bound of subjects that one route's peer may be interested in: about 250 bytes each. A peer that tells of more is cut, so
 * that one that makes them up cannot take all memory.
 */
const REMOTE_INTEREST_MAX = 4_000_000;

interface RemoteInterestsHost {
  readonly accounts: Accounts;
  /** Its chores end the interest of routes that are gone. */
  readonly turn: { readonly chores: Chores };
}

/** What a route's line names. Names of accounts are text. */
export interface InterestName {
  readonly account: string;
  readonly subject: string;
  /** null: plain. */
  readonly queue: string | null;
  /** The cluster of the leaf node whose interest it is; "": of none. */
  readonly leafCluster: string;
}

export interface ToldInterest extends InterestName {
  /** Members of the queue group; 1 where that makes no sense. */
  readonly weight: number;
}

/** Interest of servers and of each cluster of leaf nodes is kept apart, as it is told. */
function toldKey({ subject, queue, leafCluster }: InterestName): string {
  const key = interestKey(subject, queue);
  return leafCluster === "" ? key : `${key}\n${leafCluster}`;
}

interface Entry {
  readonly account: Account;
  readonly known: WideMap<RemoteInterest>;
  readonly key: string;
  readonly interest: RemoteInterest;
}

export class RemoteInterests {
  private readonly byAccount = new Map<Account, WideMap<RemoteInterest>>();
  private count = 0;
  private readonly neighbour: Neighbour;
  private readonly accounts: Accounts;
  private readonly filter: DeliveryFilter;
  private readonly chores: Chores;

  /** `filter` is asked of each message for a pattern. */
  constructor(neighbour: Neighbour, { accounts, turn }: RemoteInterestsHost, filter: DeliveryFilter) {
    this.neighbour = neighbour;
    this.accounts = accounts;
    this.filter = filter;
    this.chores = turn.chores;
  }

  get size(): number {
    return this.count;
  }

  /** False when the bound is reached. Interest in an account that is not configured here waits for its configuration. */
  set(told: ToldInterest): boolean {
    const { account: accountName, subject, queue, weight, leafCluster } = told;
    const account = this.accounts.heardOf(accountName);
    if (account === undefined) return true;
    const known = this.mapOf(account);
    const key = toldKey(told);
    const present = known.get(key);
    if (present !== undefined) {
      account.reweigh(present, weight);
      return true;
    }
    if (this.count >= REMOTE_INTEREST_MAX) return false;
    const filter = hasWildcard(subject) ? this.filter : null;
    const interest = new RemoteInterest(this.neighbour, subject, queue, weight, filter);
    interest.leafCluster = leafCluster;
    this.chores.keepUp();
    try {
      known.set(key, interest);
      this.count++;
      account.addRemote(interest);
    } catch (error) {
      throw halfChanged(error);
    }
    return true;
  }

  has(told: InterestName): boolean {
    const account = this.accounts.get(told.account);
    const known = account === undefined ? undefined : this.byAccount.get(account);
    return known?.has(toldKey(told)) === true;
  }

  delete(told: InterestName): void {
    const account = this.accounts.get(told.account);
    const known = account === undefined ? undefined : this.byAccount.get(account);
    const key = toldKey(told);
    const interest = known?.get(key);
    if (account === undefined || known === undefined || interest === undefined) return;
    try {
      known.delete(key);
      this.count--;
      assert(this.count >= 0, "interest is taken back once");
      account.removeRemote(interest);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  /** Members of a queue group behind this route. */
  membersOf(account: Account, subject: string, queue: string): number {
    return this.byAccount.get(account)?.get(interestKey(subject, queue))?.weight ?? 0;
  }

  /**
   * The filter admits other subjects than before. Forgets interest in those that `keeps` does not want, in as many rounds as it takes.
   */
  keepOnly(keeps: (subject: string) => boolean): void {
    for (const account of this.byAccount.keys()) account.interest.changedAltogether();
    void this.chores.each({
      items: this.entries(),
      count: this.count,
      cost: 1,
      act: ({ account, known, key, interest }) => {
        const isCurrent = this.byAccount.get(account) === known && known.get(key) === interest;
        if (!isCurrent || keeps(interest.subject)) return;
        try {
          known.delete(key);
          this.count--;
          account.removeRemote(interest);
        } catch (error) {
          throw halfChanged(error);
        }
      },
    });
  }

  private *entries(): Generator<Entry> {
    for (const [account, known] of this.byAccount)
      for (const [key, interest] of known) yield { account, known, key, interest };
  }

  /** The route is gone, and says so (`isGone`): nobody counts on its interest any more, which is ended in as many rounds as it takes. */
  clear(): void {
    for (const account of this.byAccount.keys()) account.interest.changedAltogether();
    this.chores.add({ steps: removeAll([...this.byAccount]), count: this.count });
    this.byAccount.clear();
    this.count = 0;
  }

  *[Symbol.iterator](): Generator<RemoteInterest> {
    for (const known of this.byAccount.values()) yield* known.values();
  }

  *withAccounts(): Generator<readonly [account: string, interest: RemoteInterest]> {
    for (const [account, known] of this.byAccount) {
      for (const interest of known.values()) yield [account.name, interest];
    }
  }

  private mapOf(account: Account): WideMap<RemoteInterest> {
    let known = this.byAccount.get(account);
    if (known === undefined) this.byAccount.set(account, (known = new WideMap<RemoteInterest>()));
    return known;
  }
}

function* removeAll(
  interests: readonly (readonly [Account, WideMap<RemoteInterest>])[],
): Generator<undefined, void> {
  for (const [account, known] of interests) {
    for (const interest of known.values()) {
      account.removeRemote(interest);
      yield;
    }
  }
}
