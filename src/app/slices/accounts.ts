/** Accounts and their mappings, as configured. Subjects in the configuration are text; inside the server they are byte strings. */
import type { Config } from "../../config/config.ts";
import type { SubjectRules } from "../../core/permissions.ts";
import { GLOBAL_ACCOUNT, SYSTEM_ACCOUNT } from "../../subject/account-names.ts";
import type { AccountsDefinition } from "../../core/definitions.ts";
import { toByteString } from "../../protocol/info.ts";
import { sameValues } from "../../base/same-values.ts";
import { systemRandom } from "../../base/random.ts";
import type { MappingConfig } from "../../config/values/mappings.ts";
import type { Accounts } from "../../core/accounts.ts";
import { Mappings } from "../../core/mappings.ts";
import { Mapping } from "../../subject/mapping.ts";
import { domainMappings } from "./domain-mappings.ts";

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
type SetMappings = (accounts: Accounts, cluster: string) => void;

/** Mappings that are as in `before` stay what they are; null: there are none yet. Throws MappingError. */
export function mappingsToSet(next: Config, before: Config | null): SetMappings {
  const old = before === null ? new Map<string, readonly MappingConfig[]>() : configuredIn(before);
  const now = configuredIn(next);
  const changed = new Map<string, readonly Mapping[]>();
  for (const [name, list] of now)
    if (!sameValues(list, old.get(name))) changed.set(name, list.map(mappingOf));
  for (const name of old.keys()) if (!now.has(name)) changed.set(name, []);
  return (accounts, cluster) => {
    for (const [name, list] of changed) {
      const account = accounts.get(name);
      if (account === undefined) continue;
      account.mappings?.[Symbol.dispose]();
      account.mappings = list.length === 0 ? null : new Mappings(list, cluster, systemRandom);
    }
  };
}

/** By account; those that have none are not there, but for the global one. */
function configuredIn(config: Config): Map<string, readonly MappingConfig[]> {
  const { accounts } = config;
  const system = systemAccountOf(accounts);
  const byAccount = new Map<string, readonly MappingConfig[]>();
  const own = [...accounts.list, { name: GLOBAL_ACCOUNT, mappings: accounts.mappings }];
  for (const { name, mappings } of own) {
    const all = name === system ? mappings : withDomains(mappings, domainMappings(config, name));
    if (all.length > 0 || name === GLOBAL_ACCOUNT) byAccount.set(name, all);
  }
  return byAccount;
}

function withDomains(
  own: readonly MappingConfig[],
  ofDomains: readonly MappingConfig[],
): readonly MappingConfig[] {
  const sources = new Set(own.map(({ source }) => source));
  return [...own, ...ofDomains.filter(({ source }) => !sources.has(source))];
}

export function mappingOf({ source, destinations }: MappingConfig): Mapping {
  return new Mapping(
    toByteString(source),
    destinations.map((each) => ({ ...each, subject: toByteString(each.subject) })),
  );
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
