/**
 * Accounts: interest is per account, nothing crosses from one to another but through an import (imports.ts). Without
 * configuration there are two: `$G` for clients, and `$SYS` for what servers say among themselves.
 *
 * Whoever receives messages in an account joins and leaves by `subscribe` and `unsubscribe`, so that neighbours hear of it.
 */
import { Interest } from "./interest.ts";
import { LocalInterest, type InterestChange } from "./local-interest.ts";
import type { Mappings } from "./mappings.ts";
import type { Subscription } from "./subscription.ts";

export const GLOBAL_ACCOUNT = "$G";
export const SYSTEM_ACCOUNT = "$SYS";

/** Accounts that other servers told of and that are not configured here. */
const FOREIGN_MAX = 10_000;

/** null: no limit. */
export interface AccountLimits {
  readonly maxConnections: number | null;
  /** Per connection. */
  readonly maxSubscriptions: number | null;
  readonly maxPayloadBytes: number | null;
}

export interface AccountDefinition {
  readonly name: string;
  readonly limits: AccountLimits;
}

export interface AccountsDefinition {
  readonly accounts: readonly AccountDefinition[];
  /** Made where it is not among the accounts; null: there is none. */
  readonly systemAccount: string | null;
}

const NO_LIMITS: AccountLimits = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };
const DEFAULTS: AccountsDefinition = { accounts: [], systemAccount: SYSTEM_ACCOUNT };

type Tell = (account: Account, change: InterestChange) => void;

export class Account {
  readonly name: string;
  readonly interest: Interest;
  /** What neighbours are told of the interest here. */
  readonly localInterest = new LocalInterest();
  /** Client connections at present. */
  connections = 0;
  limits = NO_LIMITS;
  /** null: messages go on with the subjects that clients gave them. */
  mappings: Mappings | null = null;
  /** False: only other servers have it. */
  isConfigured = false;
  private readonly withdrawn = new Set<Subscription>();
  private readonly tell: Tell;

  constructor(name: string, tell: Tell) {
    this.name = name;
    this.interest = new Interest(name);
    this.tell = tell;
  }

  get isFull(): boolean {
    const { maxConnections } = this.limits;
    return maxConnections !== null && this.connections >= maxConnections;
  }

  subscribe(subscription: Subscription): void {
    this.interest.add(subscription);
    this.changed(this.localInterest.add(subscription));
  }

  unsubscribe(subscription: Subscription): void {
    if (!this.interest.remove(subscription) || this.withdrawn.delete(subscription)) return;
    this.changed(this.localInterest.remove(subscription));
  }

  /** Neighbours no longer count on it; what arrives all the same is delivered, until it is unsubscribed. */
  withdraw(subscription: Subscription): void {
    if (this.withdrawn.has(subscription)) return;
    this.withdrawn.add(subscription);
    this.changed(this.localInterest.remove(subscription));
  }

  private changed(change: InterestChange | null): void {
    if (change !== null) this.tell(this, change);
  }
}

export class Accounts implements Disposable {
  readonly global: Account;
  /** Told of what neighbours have to know of the interest here. */
  onInterest: Tell | null = null;
  private readonly byName = new Map<string, Account>();
  private systemAccount: Account | null = null;
  private foreignCount = 0;

  constructor(definition: AccountsDefinition = DEFAULTS) {
    this.global = this.open(GLOBAL_ACCOUNT);
    this.reconfigure(definition);
  }

  /** null: the configuration wants none. */
  get system(): Account | null {
    return this.systemAccount;
  }

  get(name: string): Account | undefined {
    return this.byName.get(name);
  }

  /**
   * An account that another server tells of: it may be configured here later, and what was told counts then. Undefined when
   * there are too many that nobody here knows.
   */
  heardOf(name: string): Account | undefined {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    if (this.foreignCount >= FOREIGN_MAX) return undefined;
    this.foreignCount++;
    return this.open(name);
  }

  [Symbol.iterator](): Iterator<Account> {
    return this.byName.values();
  }

  /** Accounts that are no longer defined stay, as foreign ones: who is connected to them has to be sent away by the caller. */
  reconfigure({ accounts, systemAccount }: AccountsDefinition): void {
    for (const account of this) account.isConfigured = account === this.global;
    for (const { name, limits } of accounts) this.configure(name).limits = limits;
    this.systemAccount = systemAccount === null ? null : this.configure(systemAccount);
  }

  /** Gives back what they hold of the slab: the server has stopped. */
  [Symbol.dispose](): void {
    for (const account of this) {
      account.interest[Symbol.dispose]();
      account.mappings?.[Symbol.dispose]();
    }
  }

  private configure(name: string): Account {
    const account = this.byName.get(name) ?? this.open(name);
    account.isConfigured = true;
    return account;
  }

  private open(name: string): Account {
    const account = new Account(name, (from, change) => this.onInterest?.(from, change));
    this.byName.set(name, account);
    return account;
  }
}
