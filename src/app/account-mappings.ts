/** Gives accounts their mappings as configured. Subjects in the configuration are text, inside the server they are bytes. */
import { systemRandom } from "../base/random.ts";
import type { Config, MappingConfig } from "../config/config.ts";
import type { Account, Accounts } from "../core/account.ts";
import { Mappings } from "../core/mappings.ts";
import { Mapping } from "../subject/mapping.ts";

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
        toBytes(source),
        destinations.map((each) => ({ ...each, subject: toBytes(each.subject) })),
      ),
  );
  account.mappings = mappings.length === 0 ? null : new Mappings(mappings, cluster, systemRandom);
}

function toBytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
