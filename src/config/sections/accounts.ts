/** Accounts, the system account, and mappings of the global account. */
import type { ConfError } from "../formats/nats-conf/node.ts";
import { rowsOf, type Section } from "../option.ts";
import { accounts as accountList, type AccountConfig } from "../values/accounts.ts";
import { mappings, type MappingConfig } from "../values/mappings.ts";
import { isSigned, type OperatorConfig } from "../values/operator-values.ts";
import { bool, text } from "../values/value-type.ts";
import type { AuthorizationConfig } from "./authorization.ts";

export interface AccountsConfig {
  /** Mappings of the global account. */
  readonly mappings: readonly MappingConfig[];
  readonly list: readonly AccountConfig[];
  /** null: `$SYS`. */
  readonly system: string | null;
  readonly noSystem: boolean;
}

export interface SeenByAccounts {
  readonly accounts: AccountsConfig;
  readonly authorization: AuthorizationConfig;
  readonly operator: OperatorConfig;
}

const { option } = rowsOf<SeenByAccounts, "accounts">("accounts", "Accounts");

export const accounts: Section<SeenByAccounts, "accounts"> = {
  name: "accounts",
  rows: [
    option({
      key: "accounts",
      field: "list",
      type: accountList,
      default: [],
      reload: "live",
      description: "Accounts by name, each with its users, limits, exports and imports",
    }),
    option({
      key: "system_account",
      aliases: ["system"],
      field: "system",
      type: text,
      default: { derive: ({ operator: { operators } }) => systemAccountOf(operators) },
      defaultText: "$SYS, or what the operator names",
      reload: "restart",
      description: "The account in which servers say what happens and answer requests about themselves",
    }),
    option({
      key: "no_system_account",
      aliases: ["no_system", "no_sys_acc"],
      field: "noSystem",
      type: bool,
      default: false,
      reload: "restart",
      description: "Do without a system account",
    }),
    option({
      key: "mappings",
      aliases: ["maps"],
      field: "mappings",
      type: mappings,
      default: [],
      reload: "live",
      description:
        "Subjects that messages of clients of the global account go on with: see docs/subject-mapping.md",
    }),
  ],
  check({ authorization, operator, accounts: { list, system } }, sheet) {
    const { noAuthUser, usersDir, callout } = authorization;
    const users = list.flatMap((account) => account.users);
    const errors: ConfError[] = [];
    const refuse = (
      field: "accounts.list" | "accounts.system" | `authorization.${"callout" | "noAuthUser"}`,
      reason: string,
    ): void => void errors.push(sheet.errorAt([field], reason));
    // The directory of users may get the user while the server runs.
    const mayExist = usersDir !== null || !sheet.knows("accounts.list", "authorization.users");
    const exists = [...authorization.users, ...users].some(({ user }) => user === noAuthUser);
    if (noAuthUser !== null && !mayExist && !exists) {
      const reason = "no_auth_user must be one of authorization.users or of the users of an account";
      refuse("authorization.noAuthUser", reason);
    }
    if (users.length > 0 && authorization.user !== null)
      refuse("accounts.list", "Can not have a single user/pass and accounts");
    if (users.length > 0 && authorization.token !== null)
      refuse("accounts.list", "Can not have a token and accounts");
    const others = new Set(authorization.users.map(({ user }) => user));
    const twice = users.find(({ user }) => others.has(user));
    if (twice !== undefined) refuse("accounts.list", `Duplicate user "${twice.user}" detected`);
    if (!sheet.knows("accounts.list")) return errors;
    const names = new Set(list.map(({ name }) => name));
    const isMissing = (account: string): boolean => !names.has(account);
    const missing = callout?.allowedAccounts.find(isMissing);
    if (missing !== undefined) {
      const reason = `auth_callout allowed account "${missing}" not found in configured accounts`;
      refuse("authorization.callout", reason);
    }
    // Accounts of operators are found out about later.
    if (isSigned(operator) || !sheet.knows("operator.operators")) return errors;
    if (system !== null && !system.startsWith("$") && isMissing(system)) {
      const reason = `error resolving system account: account missing: "${system}" is not among accounts`;
      refuse("accounts.system", reason);
    }
    return errors;
  },
};

/** null: `$SYS`. */
function systemAccountOf(operators: OperatorConfig["operators"]): string | null {
  const [only, ...others] = operators;
  return others.length > 0 ? null : only?.systemAccount || null;
}
