/** Credentials of clients, and the authorization callout. Users of accounts are in accounts.ts. */
import type { ConfError } from "../formats/nats-conf/node.ts";
import { rowsOf, type Section } from "../option.ts";
import { callout, type CalloutConfig } from "../values/callout.ts";
import { userPermissions } from "../values/permissions.ts";
import { credential, proxies, users, type User } from "../values/users.ts";
import { bool, duration, path } from "../values/value-type.ts";
import type { ClientConfig } from "./client.ts";
import type { UserPermissions } from "../../core/permissions.ts";

export interface AuthorizationConfig {
  readonly user: string | null;
  /** Plain, or a bcrypt hash ("$2a$…"). */
  readonly password: string | null;
  readonly token: string | null;
  readonly users: readonly User[];
  /** A directory with a file for each user that holds the password. */
  readonly usersDir: string | null;
  /** Permissions of users that have none of their own. */
  readonly defaultPermissions: UserPermissions | null;
  readonly timeoutMs: number;
  /** Whether the single user and holders of the token must connect through a trusted proxy. */
  readonly needsProxy: boolean;
  /** Public nkeys of trusted proxies. */
  readonly proxies: readonly string[];
  /** The user that a client without credentials becomes. */
  readonly noAuthUser: string | null;
  /** null: the configuration alone decides. */
  readonly callout: CalloutConfig | null;
}

export interface SeenByAuthorization {
  readonly authorization: AuthorizationConfig;
  readonly client: ClientConfig;
}

const { option } = rowsOf<SeenByAuthorization, "authorization">("authorization", "Authorization");

export const authorization: Section<SeenByAuthorization, "authorization"> = {
  name: "authorization",
  rows: [
    option({
      key: "authorization.user",
      aliases: ["username"],
      field: "user",
      isSecret: true,
      type: credential,
      default: null,
      flags: ["user"],
      flagValue: "<user>",
      reload: "live",
      description: "User required for connections",
    }),
    option({
      key: "authorization.password",
      aliases: ["pass"],
      field: "password",
      isSecret: true,
      type: credential,
      default: null,
      flags: ["pass"],
      flagValue: "<password>",
      reload: "live",
      description: "Password required for connections, plain or as a bcrypt hash",
    }),
    option({
      key: "authorization.token",
      field: "token",
      isSecret: true,
      type: credential,
      default: null,
      flags: ["auth"],
      flagValue: "<token>",
      reload: "live",
      description: "Authorization token required for connections, plain or as a bcrypt hash",
    }),
    option({
      key: "authorization.users",
      field: "users",
      type: users,
      default: [],
      reload: "live",
      description: "Several users instead of one; passwords plain or as bcrypt hashes",
    }),
    option({
      key: "authorization.users_dir",
      field: "usersDir",
      type: path,
      default: null,
      reload: "live",
      description:
        "Directory with a file for each user that holds the password or its bcrypt hash (a mounted Secret); watched",
    }),
    option({
      key: "authorization.default_permissions",
      aliases: ["default_permission", "permissions"],
      field: "defaultPermissions",
      type: userPermissions,
      default: null,
      defaultText: "everything",
      reload: "live",
      description: "What users without permissions of their own may publish and subscribe",
    }),
    option({
      key: "authorization.timeout",
      field: "timeoutMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds", highMs: 60_000 }),
      default: { derive: ({ client: { tls } }) => (tls === null ? 2000 : tls.timeoutMs + 1000) },
      defaultText: "2s, or a second more than tls.timeout",
      reload: "live",
      description: "Time a client has to say who it is",
    }),
    option({
      key: "authorization.proxy_required",
      field: "needsProxy",
      type: bool,
      default: false,
      reload: "live",
      description:
        "The single user or the token count only through one of proxies.trusted; users have a key of their own",
    }),
    option({
      key: "proxies.trusted",
      field: "proxies",
      type: proxies,
      default: [],
      reload: "live",
      description:
        "Public nkeys of proxies, each as {key: …}; a proxy signs the nonce of INFO as proxy_sig in CONNECT",
    }),
    option({
      key: "authorization.auth_callout",
      aliases: ["auth_hook"],
      field: "callout",
      type: callout,
      default: null,
      reload: "live",
      description:
        "A service that decides who may connect, as {issuer, auth_users, account, xkey, allowed_accounts}: docs/authentication.md",
    }),
    option({
      key: "no_auth_user",
      field: "noAuthUser",
      type: credential,
      default: null,
      reload: "live",
      description: "One of the users; clients without credentials are taken for it",
    }),
  ],
  check({ authorization: { user, password, token, usersDir } }, sheet) {
    const errors: ConfError[] = [];
    const hasUser = user !== null || password !== null;
    if (hasUser && token !== null) {
      const reason = "a token excludes a user with password: keep one of them";
      errors.push(sheet.errorAt(["authorization.token"], reason));
    }
    // nats-server accepts this and admits everybody.
    if (user === null && password !== null)
      errors.push(sheet.errorAt(["authorization.password"], "a password needs a user"));
    const hasUsers = sheet.get("authorization.users") !== undefined || usersDir !== null;
    if (hasUsers && (hasUser || token !== null)) {
      const reason = "a list of users excludes a single user and a token: keep one of them";
      errors.push(sheet.errorAt(["authorization.users", "authorization.usersDir"], reason));
    }
    return errors;
  },
};
