/** The account that was named last on a route: most messages name the same one again. */
import type { Account } from "../../core/account.ts";
import type { Accounts } from "../../core/accounts.ts";
import { fromByteString } from "../../protocol/info.ts";

export class AccountMemo {
  /** As it stands on the wire; null: none was named yet. */
  name: string | null = null;
  /** null: it is not known here. */
  account: Account | null = null;
  private readonly accounts: Pick<Accounts, "get">;

  constructor(accounts: Pick<Accounts, "get">) {
    this.accounts = accounts;
  }

  of(name: string): Account | null {
    if (this.name === name) return this.account;
    this.name = name;
    this.account = this.accounts.get(fromByteString(name)) ?? null;
    return this.account;
  }
}
