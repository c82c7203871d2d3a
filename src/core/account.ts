/**
 * Accounts: interest is per account, nothing crosses from one to another. Without configuration there are two: `$G` for
 * clients, and `$SYS` for what servers say among themselves.
 */
import { Interest } from "./interest.ts";

export const GLOBAL_ACCOUNT = "$G";
export const SYSTEM_ACCOUNT = "$SYS";

export class Account {
  readonly name: string;
  readonly interest: Interest;
  /** Client connections at present. */
  connections = 0;

  constructor(name: string) {
    this.name = name;
    this.interest = new Interest(name);
  }
}

/**
 * Bound of accounts that are known only because another server told of its interest in them. Beyond it their interest
 * is not kept, so that a peer that makes up names costs no memory.
 */
const FOREIGN_ACCOUNTS_MAX = 100_000;

export class Accounts {
  readonly global: Account;
  readonly system: Account;
  private readonly byName = new Map<string, Account>();

  constructor() {
    this.global = this.open(GLOBAL_ACCOUNT);
    this.system = this.open(SYSTEM_ACCOUNT);
  }

  get(name: string): Account | undefined {
    return this.byName.get(name);
  }

  /** The account of that name, made where it is new; undefined beyond the bound. */
  getOrOpen(name: string): Account | undefined {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    return this.byName.size < FOREIGN_ACCOUNTS_MAX ? this.open(name) : undefined;
  }

  [Symbol.iterator](): Iterator<Account> {
    return this.byName.values();
  }

  private open(name: string): Account {
    const account = new Account(name);
    this.byName.set(name, account);
    return account;
  }
}
