/** Gives accounts their mappings as configured. Subjects in the configuration are text, inside the server they are bytes. */
import { systemRandom } from "../../base/random.ts";
import type { Config } from "../../config/config.ts";
import type { MappingConfig } from "../../config/values/mappings.ts";
import { toByteString } from "../../protocol/info.ts";
import type { Account } from "../../core/account.ts";
import type { Accounts } from "../../core/accounts.ts";
import { Mappings } from "../../core/mappings.ts";
import { Mapping } from "../../subject/mapping.ts";

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
