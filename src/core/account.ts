/**
 * Accounts: interest is per account, nothing crosses from one to another. Without configuration there are two: `$G` for
 * clients, and `$SYS` for what servers say among themselves.
 */
import { Interest } from "./interest.ts";
import { LocalInterest } from "./local-interest.ts";

export const GLOBAL_ACCOUNT = "$G";
export const SYSTEM_ACCOUNT = "$SYS";

export class Account {
  readonly name: string;
  readonly interest: Interest;
  /** What neighbours are told of the interest here. */
  readonly localInterest = new LocalInterest();
  /** Client connections at present. */
  connections = 0;

  constructor(name: string) {
    this.name = name;
    this.interest = new Interest(name);
  }
}

export class Accounts implements Disposable {
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

  [Symbol.iterator](): Iterator<Account> {
    return this.byName.values();
  }

  /** Gives back what they hold of the slab: the server has stopped. */
  [Symbol.dispose](): void {
    for (const account of this) account.interest[Symbol.dispose]();
  }

  private open(name: string): Account {
    const account = new Account(name);
    this.byName.set(name, account);
    return account;
  }
}
