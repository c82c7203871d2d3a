/** The one table of users: those of `authorization`, of its directory, and of accounts, in the words of the authenticator. */
import { randomBytes } from "node:crypto";
import type { AuthenticationOptions } from "../../auth/authenticator.ts";
import type { KnownUser } from "../../auth/known-user.ts";
import { CALLOUT_SUBJECT } from "../../auth/callout/response.ts";
import { denying } from "../../auth/user-claims.ts";
import type { Config } from "../../config/config.ts";
import type { User } from "../../config/values/users.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";
import type { ClientUsersOptions } from "../../ports/client/client-users.ts";
import { rulesInBytes, systemAccountOf } from "./accounts.ts";
import { leafAuthentication } from "./leafnodes.ts";
import { overWebSocket } from "./websocket.ts";
import type { UserPermissions } from "../../core/permissions.ts";

export function clientUsersOptions(config: Config): ClientUsersOptions {
  return {
    usersDir: config.authorization.usersDir,
    authentication: (passwords) => authenticationOptions(config, passwords),
    overWebSocket: (usual) =>
      overWebSocket(config, usual, (user, password) => [knownUser({ user, password }, GLOBAL_ACCOUNT, null)]),
    forLeafNodes: (usual) => leafAuthentication(config, usual),
    problems: (users) => calloutProblems(users, config),
  };
}

/** `passwords` by user, from the directory of users: for users of the configuration, and for others. */
function authenticationOptions(
  config: Config,
  passwords: ReadonlyMap<string, string>,
): AuthenticationOptions {
  const { token, user, password, noAuthUser, defaultPermissions, proxies, callout } = config.authorization;
  // As with nats-server, this one is not for users in a list.
  const { needsProxy } = config.authorization;
  const single = user === null ? [] : [{ user, password: password ?? "", needsProxy }];
  const configured = [
    ...single.map((each) => knownUser(each, GLOBAL_ACCOUNT, null)),
    ...config.authorization.users.map((each) => knownUser(each, GLOBAL_ACCOUNT, defaultPermissions)),
    ...config.accounts.list.flatMap(({ name, users: own }) => own.map((each) => knownUser(each, name, null))),
  ];
  const names = new Set(configured.map(({ name }) => name));
  const others = [...passwords].filter(([name]) => !names.has(name));
  const users = [
    ...configured.map((each) => withPassword(each, passwords)),
    ...others.map(([name, filed]) =>
      knownUser({ user: name, password: filed }, GLOBAL_ACCOUNT, defaultPermissions),
    ),
  ];
  const mapsCertificates = config.client.tls?.map ?? false;
  if (callout === null && noAuthUser === null && hasOnlySystemUsers(config)) {
    const all = [...users, ANYBODY];
    return { token: undefined, users: all, noAuthUser: ANYBODY.name, mapsCertificates, proxies };
  }
  const isClosed = config.authorization.usersDir !== null;
  return {
    token: token ?? undefined,
    tokenNeedsProxy: needsProxy,
    users: callout === null ? users : users.map((each) => withoutRequests(each, callout.account)),
    isClosed,
    callout,
    noAuthUser,
    mapsCertificates,
    proxies,
  };
}

/** What will not work, though it is no error, as with nats-server: what is missing may still come. */
function calloutProblems({ users, callout }: AuthenticationOptions, { accounts }: Config): string[] {
  if (callout === undefined || callout === null) return [];
  const names = new Set(users.map(({ name }) => name));
  const known = [GLOBAL_ACCOUNT, systemAccountOf(accounts), ...accounts.list.map(({ name }) => name)];
  return [
    ...(known.includes(callout.account)
      ? []
      : [`Authorization callout account ${JSON.stringify(callout.account)} not valid`]),
    ...callout.authUsers
      .filter((name) => !names.has(name))
      .map((name) => `Authorization callout user ${JSON.stringify(name)} not valid`),
  ];
}

function knownUser(user: User, account: string, defaults: UserPermissions | null): KnownUser {
  const permissions = user.permissions ?? defaults;
  return {
    name: user.user,
    password: user.password,
    account,
    permissions: permissions === null ? null : inBytes(permissions),
    connectionTypes: user.connectionTypes ?? [],
    needsProxy: user.needsProxy ?? false,
  };
}

/** Only the server itself asks the service. */
function withoutRequests(user: KnownUser, calloutAccount: string): KnownUser {
  if (user.account !== calloutAccount) return user;
  const { publish = null, subscribe = null, responses = null } = user.permissions ?? {};
  return { ...user, permissions: { publish: denying(publish, [CALLOUT_SUBJECT]), subscribe, responses } };
}

function withPassword(user: KnownUser, passwords: ReadonlyMap<string, string>): KnownUser {
  const password = user.password === null ? undefined : passwords.get(user.name);
  return password === undefined ? user : { ...user, password };
}

/** Nobody can present this one: it is for clients without credentials. */
const ANYBODY = knownUser({ user: `nats-${newSecret()}`, password: newSecret() }, GLOBAL_ACCOUNT, null);

/** Subjects are byte strings inside the server. */
function inBytes({ publish, subscribe, responses }: UserPermissions): UserPermissions {
  return { publish: rulesInBytes(publish), subscribe: rulesInBytes(subscribe), responses };
}

/** Users of the system account alone do not close the global account, as with nats-server. */
function hasOnlySystemUsers({ accounts, authorization }: Config): boolean {
  const { user, token, users, usersDir } = authorization;
  const isOpen = user === null && token === null && users.length === 0 && usersDir === null;
  const [only, ...others] = accounts.list;
  return isOpen && only !== undefined && others.length === 0 && only.name === systemAccountOf(accounts);
}

function newSecret(): string {
  return randomBytes(12).toString("base64url");
}
