/** What decides about users needs to know of accounts that an operator has signed. Another room looks them up and keeps them. */
import type { AccountClaims } from "./account-claims.ts";

export interface AccountInForce {
  readonly claims: AccountClaims;
  /** The account signs users by signing keys alone. */
  readonly isStrict: boolean;
  /** Its time is over, or it has been deleted. */
  readonly isOver: boolean;
  /** All its imports are in force. */
  readonly isComplete: boolean;
  /** When its claims were last looked up or replaced. */
  readonly updatedMs: number;
}

export interface SignedAccounts {
  /** The account as it is in force here; null: nobody has needed it yet, or it does not exist. */
  current(name: string): AccountInForce | null;
  /** The same after it was looked up, which may take time. The promise is never rejected. */
  resolve(name: string): AccountInForce | null | Promise<AccountInForce | null>;
  /** Leaf nodes that are connected to this server in the account. */
  leafNodesOf(name: string): number;
}
