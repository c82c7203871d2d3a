/** Operator mode within this server: the accounts that operators have signed, and who decides about their users. */
import type { CalloutHost } from "../auth/callout/callout.ts";
import { JwtMethod } from "../auth/methods/jwt.ts";
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import type { Accounts } from "../core/accounts.ts";
import { AccountBook } from "../operator/account-book.ts";
import { MappingsOfAccounts } from "../operator/mappings.ts";
import type { Resolver } from "../operator/resolver.ts";
import type { OperatorTrust } from "../operator/trust.ts";
import {
  hasOperator,
  operatorResolver,
  operatorRules,
  operatorTrust,
  strictOperators,
} from "./slices/operator.ts";

export interface OperatorRooms {
  readonly book: AccountBook;
  readonly jwt: JwtMethod;
  readonly resolver: Resolver;
  readonly trust: OperatorTrust;
  /** Public nkeys of operators whose own key does not sign accounts. */
  readonly strictOperators: ReadonlySet<string>;
  /** Resolves when no file of a directory is being written. */
  settled(this: void): Promise<void>;
}

interface OperatorHost {
  readonly accounts: Accounts;
  readonly logger: Logger;
  readonly callouts: CalloutHost;
  clusterName(this: void): string;
}

/** null: no operator is configured. */
export function openOperator(
  config: Config,
  { accounts, logger, callouts, clusterName }: OperatorHost,
): OperatorRooms | null {
  if (!hasOperator(config)) return null;
  const trust = operatorTrust(config);
  const resolver = operatorResolver(config, logger);
  const book = new AccountBook({
    accounts,
    logger,
    mappings: new MappingsOfAccounts(accounts, systemRandom, clusterName),
    clock: systemClock,
    trust,
    resolver,
  });
  const rules = operatorRules(config);
  const settled = async (): Promise<void> => resolver.settled?.();
  return {
    book,
    resolver,
    trust,
    settled,
    strictOperators: strictOperators(config),
    jwt: new JwtMethod({ accounts: book, clock: systemClock, callouts, rules: () => rules }),
  };
}
