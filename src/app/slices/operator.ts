/** Operator mode, as configured. */
import type { OperatorRules } from "../../auth/methods/jwt.ts";
import type { Config } from "../../config/config.ts";
import { isSigned } from "../../config/values/operator-values.ts";
import { MemoryResolver, type Resolver } from "../../operator/resolver.ts";
import { trustIn, type OperatorTrust } from "../../operator/trust.ts";

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

/** With the preloaded accounts. */
export function operatorResolver({ operator: { preload } }: Config): Resolver {
  const resolver = new MemoryResolver();
  for (const { account, jwt } of preload) resolver.store(account, jwt);
  return resolver;
}
