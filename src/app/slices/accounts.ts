/** Accounts and their mappings, as configured. Subjects in the configuration are text; inside the server they are byte strings. */
import type { Config } from "../../config/config.ts";
import type { SubjectRules } from "../../config/values/permissions.ts";
import { SYSTEM_ACCOUNT, type Account } from "../../core/account.ts";
import type { AccountsDefinition } from "../../core/definitions.ts";
import { toByteString } from "../../protocol/info.ts";
import { systemRandom } from "../../base/random.ts";
import type { MappingConfig } from "../../config/values/mappings.ts";
import type { Accounts } from "../../core/accounts.ts";
import { Mappings } from "../../core/mappings.ts";
import { Mapping } from "../../subject/mapping.ts";

export function accountsDefinition({ accounts, cluster }: Config): AccountsDefinition {
  const systemAccount = systemAccountOf(accounts);
  // As a nats-server without JetStream decides which requests it passes on to others.
  const isGlobalAlone = accounts.list.every(({ name }) => name === systemAccount);
  return {
    accounts: accounts.list.map(({ name, limits, exports, imports, jetStream, trace }) => ({
      name,
      limits,
      usesJetStream: jetStream !== null,
      trace: trace === null ? null : { ...trace, destination: toByteString(trace.destination) },
      streamExports: exports.filter((one) => one.kind === "stream").map(inBytes),
      serviceExports: exports
        .filter((one) => one.kind === "service")
        .map((one) => ({
          ...inBytes(one),
          latency: one.latency === null ? null : inBytes(one.latency),
        })),
      streamImports: imports.filter((one) => one.kind === "stream").map(importInBytes),
      serviceImports: imports.filter((one) => one.kind === "service").map(importInBytes),
    })),
    systemAccount,
    globalUsesJetStream: isGlobalAlone && cluster.port !== null,
  };
}

export function systemAccountOf({ system, list, noSystem }: Config["accounts"]): string | null {
  if (system !== null) return system;
  return noSystem && !list.some(({ name }) => name === SYSTEM_ACCOUNT) ? null : SYSTEM_ACCOUNT;
}

/** Sessions have to be told by `onRulesChanged`, if there are any. `cluster` is the name of this server's, "" without one. */
export function setMappings(accounts: Accounts, config: Config["accounts"], cluster: string): void {
  const configured = new Map(config.list.map(({ name, mappings }) => [name, mappings]));
  for (const account of accounts) {
    const own = account === accounts.global ? config.mappings : configured.get(account.name);
    setOf(account, own ?? [], cluster);
  }
}

function setOf(account: Account, list: readonly MappingConfig[], cluster: string): void {
  account.mappings?.[Symbol.dispose]();
  const mappings = list.map(
    ({ source, destinations }) =>
      new Mapping(
        toByteString(source),
        destinations.map((each) => ({ ...each, subject: toByteString(each.subject) })),
      ),
  );
  account.mappings = mappings.length === 0 ? null : new Mappings(mappings, cluster, systemRandom);
}

export function rulesInBytes(rules: SubjectRules | null): SubjectRules | null {
  if (rules === null) return null;
  return { allow: rules.allow?.map(toByteString) ?? null, deny: rules.deny.map(toByteString) };
}

function inBytes<T extends { readonly subject: string }>(one: T): T {
  return { ...one, subject: toByteString(one.subject) };
}

function importInBytes<T extends { readonly subject: string; readonly to: string }>(one: T): T {
  return { ...inBytes(one), to: toByteString(one.to) };
}
