/** The rows of the schema for accounts. */

import { accounts } from "../values/accounts.ts";
import { mappings } from "../values/mappings.ts";
import { option, type Option } from "../option.ts";
import { bool, text } from "../values/value-type.ts";

export const accountOptions: readonly Option[] = [
  option({
    key: "accounts",
    field: "accounts.list",
    section: "Accounts",
    type: accounts,
    default: [],
    reload: "live",
    description: "Accounts by name, each with its users, limits, exports and imports",
  }),
  option({
    key: "system_account",
    aliases: ["system"],
    field: "accounts.system",
    section: "Accounts",
    type: text,
    default: null,
    defaultText: "$SYS",
    reload: "restart",
    description: "The account in which servers say what happens and answer requests about themselves",
  }),
  option({
    key: "no_system_account",
    aliases: ["no_system", "no_sys_acc"],
    field: "accounts.noSystem",
    section: "Accounts",
    type: bool,
    default: false,
    reload: "restart",
    description: "Do without a system account",
  }),
  option({
    key: "mappings",
    aliases: ["maps"],
    field: "accounts.mappings",
    section: "Accounts",
    type: mappings,
    default: [],
    reload: "live",
    description:
      "Subjects that messages of clients of the global account go on with: see docs/subject-mapping.md",
  }),
];
