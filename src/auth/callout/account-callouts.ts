/**
 * The callouts of accounts that operators have signed: one for each account whose claims ask for it, by the rules that its claims have now.
 * Bounded by those accounts.
 */
import { sameValues } from "../../base/same-values.ts";
import type { Attempt } from "../attempt.ts";
import type { Verdict } from "../grant.ts";
import type { AccountClaims } from "../operator/account-claims.ts";
import { Callout, type CalloutHost, type AnswerJudge } from "./callout.ts";
import type { CalloutRules } from "./rules.ts";

export class AccountCallouts implements Disposable {
  private readonly host: CalloutHost;
  private readonly judge: AnswerJudge;
  private readonly callouts = new Map<string, Callout>();

  constructor(host: CalloutHost, judge: AnswerJudge) {
    this.host = host;
    this.judge = judge;
  }

  /** Whoever waits for an answer by other rules is refused. The promise is never rejected. */
  ask(rules: CalloutRules, attempt: Attempt): Promise<Verdict> {
    const known = this.callouts.get(rules.account);
    if (known !== undefined && sameValues(known.rules, rules)) return known.ask(attempt);
    known?.[Symbol.dispose]();
    const callout = new Callout(rules, this.host, this.judge);
    this.callouts.set(rules.account, callout);
    return callout.ask(attempt);
  }

  /** The claims of the account ask for none any more. */
  forget(account: string): void {
    this.callouts.get(account)?.[Symbol.dispose]();
    this.callouts.delete(account);
  }

  [Symbol.dispose](): void {
    for (const account of this.callouts.keys()) this.forget(account);
  }
}

/** null: the account's users are admitted by their tokens. */
export function calloutRulesOf({ subject, authorization }: AccountClaims): CalloutRules | null {
  const { authUsers, allowedAccounts, xkey } = authorization;
  if (authUsers.length === 0) return null;
  return { issuer: subject, account: subject, authUsers, allowedAccounts, xkey: xkey === "" ? null : xkey };
}
