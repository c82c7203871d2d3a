/** Operator mode, as configured. */
import type { OperatorRules } from "../../auth/methods/jwt.ts";
import { systemClock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Config } from "../../config/config.ts";
import { isSigned } from "../../config/values/operator-values.ts";
import { DirectoryResolver } from "../../operator/directory-resolver.ts";
import { MemoryResolver, type Resolver } from "../../operator/resolver.ts";
import { TokenFiles } from "../../operator/token-files.ts";
import { trustIn, type OperatorTrust } from "../../operator/trust.ts";
import { UrlResolver, type Web } from "../../operator/url-resolver.ts";

export function hasOperator({ operator }: Config): boolean {
  return isSigned(operator);
}

export function operatorTrust({ operator: { operators, trustedKeys } }: Config): OperatorTrust {
  return trustIn(operators, trustedKeys);
}

/** Users of the system account are never locked out. */
export function operatorRules({
  operator: { pinnedAccounts, defaultSentinel },
  accounts,
}: Config): OperatorRules {
  const system = accounts.system === null ? [] : [accounts.system];
  return {
    defaultSentinel,
    pinnedAccounts: pinnedAccounts.length === 0 ? [] : [...pinnedAccounts, ...system],
  };
}

/** Public nkeys of operators whose own key does not sign accounts. */
export function strictOperators({ operator: { operators } }: Config): ReadonlySet<string> {
  return new Set(operators.filter(({ isStrict }) => isStrict).map(({ subject }) => subject));
}

/** With the preloaded accounts. Throws the operating system's error where a directory cannot be read. */
export function operatorResolver(config: Config, web: Web, logger: Logger): Resolver {
  const resolver = resolverOf(config, web, logger);
  for (const { account, jwt } of config.operator.preload) resolver.store?.(account, jwt);
  return resolver;
}

function resolverOf(config: Config, web: Web, logger: Logger): Resolver {
  const { resolver } = config.operator;
  if (resolver === null || resolver.kind === "memory") return new MemoryResolver();
  if (resolver.kind === "url") return new UrlResolver(resolver.url, web, logger);
  const files = new TokenFiles({
    directory: resolver.directory,
    limit: resolver.limit,
    whenFull: resolver.kind === "full" ? "refuses" : "evicts",
    onDelete: resolver.removesDeleted ? "removes" : "renames",
  });
  return new DirectoryResolver({
    ...resolver,
    files,
    logger,
    trust: operatorTrust(config),
    clock: systemClock,
  });
}
