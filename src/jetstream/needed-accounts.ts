/**
 * Accounts whose tokens an operator has signed are known to a server once it needs them. A member of a cluster needs those that ask it for
 * something, and those of which it keeps something, whether or not a client of theirs is connected to it.
 *
 * Bounded: requests of REQUESTS_MAX wait for their account; an account that is not found is looked for again after RETRY_MS.
 */
import type { Clock } from "../base/clock.ts";

const REQUESTS_MAX = 10_000;
const RETRY_MS = 5000;

export interface NeededAccountsOptions {
  readonly clock: Clock;
  readonly isKnown: (account: string) => boolean;
  /** Resolves when the account is known here, or not to be found; null: it is not to be looked up. */
  readonly lookUp: (account: string) => Promise<unknown> | null;
}

export class NeededAccounts {
  private readonly options: NeededAccountsOptions;
  private readonly missing = new Set<string>();
  private waiting = 0;
  private timer: Disposable | null = null;
  private isStopped = false;

  constructor(options: NeededAccountsOptions) {
    this.options = options;
  }

  /** Calls at once, or when the account has been looked up. */
  whenKnown(account: string, act: () => void): void {
    const found = this.isAtHand(account) ? null : this.options.lookUp(account);
    if (found === null) return act();
    this.waiting++;
    const go = (): void => {
      this.waiting--;
      if (!this.isStopped) act();
    };
    found.then(go, go);
  }

  /** Something of this account is kept here: looks for it until it is known. */
  keep(account: string): void {
    if (this.options.isKnown(account) || this.isStopped) return;
    const found = this.options.lookUp(account);
    if (found === null) return;
    this.missing.add(account);
    found.catch(() => undefined);
    this.timer ??= this.options.clock.setTimer(RETRY_MS, () => this.lookAgain());
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.[Symbol.dispose]();
  }

  private isAtHand(account: string): boolean {
    return this.options.isKnown(account) || this.waiting >= REQUESTS_MAX;
  }

  private lookAgain(): void {
    this.timer = null;
    const missing = [...this.missing];
    this.missing.clear();
    for (const account of missing) this.keep(account);
  }
}
