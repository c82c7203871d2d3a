/** Operator mode within this server: the accounts that operators have signed, and who decides about their users. */
import { JwtMethod } from "../auth/methods/jwt.ts";
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import type { Accounts } from "../core/accounts.ts";
import { AccountBook } from "../operator/account-book.ts";
import { MappingsOfAccounts } from "../operator/mappings.ts";
import { hasOperator, operatorResolver, operatorRules, operatorTrust } from "./slices/operator.ts";

export interface OperatorRooms {
  readonly book: AccountBook;
  readonly jwt: JwtMethod;
}

interface OperatorHost {
  readonly accounts: Accounts;
  readonly logger: Logger;
  clusterName(this: void): string;
}

/** null: no operator is configured. */
export function openOperator(
  config: Config,
  { accounts, logger, clusterName }: OperatorHost,
): OperatorRooms | null {
  if (!hasOperator(config)) return null;
  const book = new AccountBook({
    accounts,
    logger,
    mappings: new MappingsOfAccounts(accounts, systemRandom, clusterName),
    clock: systemClock,
    trust: operatorTrust(config),
    resolver: operatorResolver(config),
  });
  const rules = operatorRules(config);
  return { book, jwt: new JwtMethod({ accounts: book, clock: systemClock, rules: () => rules }) };
}
