/** Operator mode: whose signature makes accounts, and where their tokens come from. */
import { BadJwt } from "../../keys/jwt.ts";
import { fieldOf } from "../../keys/claim-fields.ts";
import type { OperatorClaims } from "../../keys/operator-claims.ts";
import { decodeToken } from "../../keys/token.ts";
import type { ConfError } from "../formats/nats-conf/node.ts";
import { rowsOf, type FieldOf, type Section } from "../option.ts";
import {
  nkeysOf,
  operators as operatorTokens,
  preload,
  resolver,
  type OperatorConfig,
  type ResolverConfig,
} from "../values/operator-values.ts";
import { clientTls } from "../values/tls.ts";
import { text } from "../values/value-type.ts";
import type { AccountsConfig } from "./accounts.ts";
import type { AuthorizationConfig } from "./authorization.ts";

export interface SeenByOperator {
  readonly operator: OperatorConfig;
  readonly accounts: AccountsConfig;
  readonly authorization: AuthorizationConfig;
}

const { option } = rowsOf<SeenByOperator, "operator">("operator", "Operator mode");

/** What this server announces: operators may demand a version. */
export const LEVEL = [2, 15, 3] as const;

export const operator: Section<SeenByOperator, "operator"> = {
  name: "operator",
  rows: [
    option({
      key: "operator",
      aliases: ["operators", "root", "roots", "root_operator", "root_operators"],
      field: "operators",
      type: operatorTokens,
      default: [],
      reload: "restart",
      description:
        "Token of the operator that signs accounts, or its file, or several: see docs/operator-mode.md",
    }),
    option({
      key: "trusted_keys",
      aliases: ["trusted"],
      field: "trustedKeys",
      type: nkeysOf("operator", "trust key required to be a valid public operator nkey"),
      default: [],
      reload: "restart",
      description: "Public nkeys of operators that sign accounts, in place of their tokens",
    }),
    option({
      key: "resolver",
      aliases: ["account_resolver", "accounts_resolver"],
      field: "resolver",
      type: resolver,
      default: {
        derive: ({ operator: { operators } }) => resolverOf(operators),
      },
      defaultText: "URL of the operator's account server",
      reload: "restart",
      description:
        "Where tokens of accounts come from: MEMORY is resolver_preload alone, URL(…), or {type: full, dir: …} and {type: cache, dir: …}",
    }),
    option({
      key: "resolver_tls",
      field: "resolverTls",
      type: clientTls,
      default: null,
      defaultText: "authorities of the system",
      reload: "live",
      description:
        "TLS with the web server that is asked for accounts: the block of keys described in docs/security.md",
    }),
    option({
      key: "resolver_preload",
      field: "preload",
      type: preload,
      default: [],
      reload: "live",
      description: "Tokens of accounts by their public nkeys",
    }),
    option({
      key: "resolver_pinned_accounts",
      field: "pinnedAccounts",
      type: nkeysOf("account", "pinned account key is not a valid public account nkey"),
      default: [],
      reload: "live",
      description: "Accounts whose users may connect to this server, besides those of the system account",
    }),
    option({
      key: "default_sentinel",
      field: "defaultSentinel",
      isSecret: true,
      type: text,
      default: null,
      reload: "live",
      description:
        "Bearer token of the user that clients without a token become, for an auth callout to decide about",
    }),
  ],
  check(config, sheet) {
    const errors: ConfError[] = [];
    const refuse = (field: FieldOf<SeenByOperator>, reason: string): void =>
      void errors.push(sheet.errorAt([field], reason));
    const { operators, trustedKeys } = config.operator;
    if (operators.length > 0) checkOperators(config, refuse);
    else if (config.operator.defaultSentinel !== null && sheet.knows("operator.operators"))
      refuse("operator.defaultSentinel", "default sentinel requires operators and accounts");
    if (operators.length > 0 && trustedKeys.length > 0)
      refuse("operator.trustedKeys", "conflicting options for 'TrustedKeys' and 'TrustedOperators'");
    return errors;
  },
};

type Refuse = (field: FieldOf<SeenByOperator>, reason: string) => void;

function checkOperators({ operator: own, accounts, authorization }: SeenByOperator, refuse: Refuse): void {
  if (own.defaultSentinel !== null) {
    const problem = sentinelProblem(own.defaultSentinel);
    if (problem !== null) refuse("operator.defaultSentinel", problem);
  }
  if (own.resolver?.kind === "url" && own.preload.length > 0)
    refuse(
      "operator.preload",
      "resolver preloads only available for writeable resolver types MEM/DIR/CACHE_DIR",
    );
  const isDirectory = own.resolver?.kind === "full" || own.resolver?.kind === "cache";
  if (isDirectory && accounts.system === null)
    refuse(
      "operator.resolver",
      "using nats based account resolver - the system account needs to be specified in configuration or the operator jwt",
    );
  if (own.resolver === null)
    refuse("operator.operators", "operators require an account resolver to be configured");
  if (accounts.list.length > 0)
    refuse("accounts.list", "operators do not allow Accounts to be configured directly");
  if (authorization.users.length > 0 || authorization.usersDir !== null)
    refuse("authorization.users", "operators do not allow users to be configured directly");
  if (authorization.callout !== null)
    refuse(
      "authorization.callout",
      "operators do not allow authorization callouts to be configured directly",
    );
  if (authorization.noAuthUser !== null)
    refuse("authorization.noAuthUser", "no_auth_user not compatible with Trusted Operator");
  const named = own.operators.map(({ systemAccount }) => systemAccount).filter((account) => account !== "");
  if (accounts.system !== null && named.length > 0 && !named.includes(accounts.system))
    refuse("accounts.system", "system_account in config and operator JWT must be identical");
  for (const one of own.operators) {
    const problem = versionProblem(one);
    if (problem !== null) refuse("operator.operators", problem);
  }
}

/** A user of a scoped signing key may turn out to be a bearer later. */
function sentinelProblem(jwt: string): string | null {
  try {
    const { nats, issuerAccount } = decodeToken(jwt, "user");
    const isBearer = fieldOf(nats, "bearer_token") === true;
    return isBearer || issuerAccount !== "" ? null : "default sentinel must be a bearer token";
  } catch (error) {
    if (!(error instanceof BadJwt)) throw error;
    return "default sentinel JWT not valid";
  }
}

function versionProblem({ subject, assertServerVersion: wanted }: OperatorClaims): string | null {
  if (wanted === "") return null;
  const parts = wanted.split(".").map((part) => (/^\+?\d+$/.test(part) ? Number(part) : -1));
  if (parts.length !== LEVEL.length || parts.includes(-1))
    return `operator ${subject} expects a server version of the form <major>.<minor>.<update>`;
  for (const [index, own] of LEVEL.entries()) {
    if (own > parts[index]!) return null;
    if (own < parts[index]!)
      return `operator ${subject} expects server version ${wanted}, and this one is of level ${LEVEL.join(".")}`;
  }
  return null;
}

/** `nsc` appends the same to the URL when it pushes. null: the operator names no account server that is asked by HTTP. */
function resolverOf(operators: readonly OperatorClaims[]): ResolverConfig | null {
  const [only, ...others] = operators;
  if (only === undefined || others.length > 0 || !/^https?:\/\//i.test(only.accountServerUrl)) return null;
  return { kind: "url", url: `${only.accountServerUrl}/accounts/` };
}
