/** Operator mode within this server: the accounts that operators have signed, and who decides about their users. */
import type { CalloutHost } from "../auth/callout/callout.ts";
import { JwtMethod, type OperatorRules } from "../auth/methods/jwt.ts";
import type { AccountInForce } from "../auth/operator/accounts.ts";
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import type { Accounts } from "../core/accounts.ts";
import { AccountBook } from "../operator/account-book.ts";
import { MappingsOfAccounts } from "../operator/mappings.ts";
import type { Resolver } from "../operator/resolver.ts";
import type { OperatorTrust } from "../operator/trust.ts";
import type { TlsTerms } from "../transport/tls.ts";
import { WebReader } from "../transport/web-text.ts";
import { mappingOf } from "./slices/accounts.ts";
import { domainMappings } from "./slices/domain-mappings.ts";
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
  /** For clients that connect from now on. */
  readonly rules: { current: OperatorRules };
  /** Connections to the web server that is asked for accounts. */
  readonly web: Disposable;
  readonly resolver: Resolver;
  readonly trust: OperatorTrust;
  /** Public nkeys of operators whose own key does not sign accounts. */
  readonly strictOperators: ReadonlySet<string>;
  /** Whether an account is there and in force, after it was looked up. The promise is never rejected. */
  has(this: void, name: string): boolean | Promise<boolean>;
  /** Resolves when no file of a directory is being written. */
  settled(this: void): Promise<void>;
}

interface OperatorHost {
  readonly accounts: Accounts;
  readonly logger: Logger;
  readonly callouts: CalloutHost;
  clusterName(this: void): string;
  /** TLS with the web server that is asked for accounts. */
  resolverTls(this: void): TlsTerms;
}

/** null: no operator is configured. */
export function openOperator(
  config: Config,
  { accounts, logger, callouts, clusterName, resolverTls }: OperatorHost,
): OperatorRooms | null {
  if (!hasOperator(config)) return null;
  const trust = operatorTrust(config);
  const web = new WebReader(resolverTls);
  const resolver = operatorResolver(config, web, logger);
  const book = new AccountBook({
    accounts,
    logger,
    mappings: new MappingsOfAccounts({
      accounts,
      random: systemRandom,
      cluster: clusterName,
      implied: (name) => domainMappings(config, name).map(mappingOf),
    }),
    clock: systemClock,
    trust,
    resolver,
  });
  const rules = { current: operatorRules(config) };
  const isInForce = (found: AccountInForce | null): boolean => found !== null && !found.isOver;
  const has = (name: string): boolean | Promise<boolean> => {
    const found = book.resolve(name);
    return found instanceof Promise ? found.then(isInForce) : isInForce(found);
  };
  const settled = async (): Promise<void> => resolver.settled?.();
  return {
    book,
    resolver,
    trust,
    has,
    settled,
    rules,
    web,
    strictOperators: strictOperators(config),
    jwt: new JwtMethod({ accounts: book, clock: systemClock, callouts, rules: () => rules.current }),
  };
}
