/**
 * Admits configured users: by nkey and signature, by password, by certificate, or as the no_auth_user. Users of `authorization` and
 * of accounts are in one table; users that a reload does not change keep their grants.
 *
 * Invariant: a user is in one of the two tables, by whether it has an nkey.
 */
import type { KeyObject } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { sameValues } from "../../base/same-values.ts";
import type { ConnectionType } from "../../base/connection-type.ts";
import { Permissions } from "../../core/permissions.ts";
import { isSignedBy, nkeyToVerify } from "../../keys/nkey.ts";
import { describeAttempt, type Attempt, type Credentials } from "../attempt.ts";
import type { KnownUser } from "../known-user.ts";
import { admitted, LACKS_PROXY, refused, type Grant, type Verdict } from "../grant.ts";
import { mappedUser } from "./certificate.ts";
import type { Method } from "./method.ts";
import { isBcrypt, type Secrets } from "./secrets.ts";

export interface UsersOptions {
  readonly users: readonly KnownUser[];
  /** The user that a client without credentials becomes; null: none. */
  readonly noAuthUser: string | null;
  /** Users are found by the client's certificate or by nkey, and in no other way. */
  readonly mapsCertificates?: boolean;
}

/** A user of the table, with the grants that it may get. */
export interface TableUser extends KnownUser {
  readonly configured: KnownUser;
  readonly grant: Grant;
  /** The grant of the no_auth_user, which has presented nothing. */
  readonly unasked: Grant;
  /** null: has a password instead. */
  readonly key: KeyObject | null;
}

export class UsersMethod implements Method {
  private options: UsersOptions = { users: [], noAuthUser: null };
  private byName: ReadonlyMap<string, TableUser> = new Map();
  private byNkey: ReadonlyMap<string, TableUser> = new Map();
  private readonly secrets: Secrets;

  constructor(secrets: Secrets) {
    this.secrets = secrets;
  }

  get isEmpty(): boolean {
    return this.byName.size + this.byNkey.size === 0;
  }

  get hasNkeys(): boolean {
    return this.byNkey.size > 0;
  }

  /** Whether a client may become a user without presenting a name and password. */
  get hasNoAuthUser(): boolean {
    const { noAuthUser } = this.options;
    return noAuthUser !== null && this.byName.has(noAuthUser);
  }

  reconfigure(options: UsersOptions): void {
    const table = options.users.map((user) => this.unchanged(user) ?? tableUser(user));
    this.byName = new Map(table.filter(({ key }) => key === null).map((user) => [user.name, user]));
    this.byNkey = new Map(table.filter(({ key }) => key !== null).map((user) => [user.name, user]));
    this.options = options;
    assert(
      [...this.byName.values()].every(({ password }) => password !== null),
      "users by name have passwords",
    );
    assert(
      [...this.byNkey.values()].every(({ password }) => password === null),
      "users by nkey have no password",
    );
  }

  /** The user that the client claims to be or is taken for. */
  find({ credentials, certificate }: Attempt): TableUser | undefined {
    const { byName, byNkey } = this;
    const unasked = this.isBlank(credentials) ? (this.options.noAuthUser ?? "") : null;
    if (byNkey.size > 0) {
      const user = byNkey.get(unasked ?? credentials.nkey);
      if (user !== undefined || credentials.nkey !== "") return user;
    }
    if (this.options.mapsCertificates !== true) return byName.get(unasked ?? credentials.user);
    return (
      certificate &&
      mappedUser(
        certificate,
        (name) => byName.get(name),
        () => byName.keys(),
      )
    );
  }

  decide(attempt: Attempt): Verdict | Promise<Verdict> | null {
    const { credentials } = attempt;
    const user = this.find(attempt);
    if (user === undefined || !allows(user, attempt.connectionType)) return null;
    if (user.needsProxy === true && attempt.proxyKey === "") return LACKS_PROXY;
    const { grant, key, password } = user;
    // As in nats-server 2.15, nobody becomes a no_auth_user whose password is a hash.
    if (this.isUnasked(user, credentials) && !isBcrypt(password ?? "")) return admitted(user.unasked);
    if (key !== null) {
      const isGood = isSignedBy(key, attempt.nonce, credentials.sig);
      return isGood ? admitted(grant) : refused(describeAttempt(attempt));
    }
    // A user found by certificate is checked as well; it usually has an empty password.
    return this.secrets.decide(attempt, { expected: password ?? "", given: credentials.pass, grant });
  }

  current({ origin }: Grant, connectionType: ConnectionType): Grant | null {
    assert(origin.kind === "user", "the users decide about their own grants");
    const now = this.now(origin.user);
    if (now === undefined || !allows(now, connectionType)) return null;
    if (origin.how === "no_auth_user") return now.name === this.options.noAuthUser ? now.unasked : null;
    return now.password === origin.user.password ? now.grant : null;
  }

  needsProxy({ origin }: Grant): boolean {
    return origin.kind === "user" && this.now(origin.user)?.needsProxy === true;
  }

  /** What this user is now; undefined: the table no longer has it. */
  now({ name, password }: KnownUser): TableUser | undefined {
    return (password === null ? this.byNkey : this.byName).get(name);
  }

  isBlank({ user, pass, authToken, nkey }: Credentials): boolean {
    return user === "" && pass === "" && authToken === "" && (nkey === "" || this.byNkey.size === 0);
  }

  /** The no_auth_user need not present anything. */
  private isUnasked({ name, key }: TableUser, credentials: Credentials): boolean {
    const { noAuthUser, mapsCertificates } = this.options;
    if (name !== noAuthUser) return false;
    return key !== null || (mapsCertificates !== true && this.isBlank(credentials));
  }

  private unchanged(user: KnownUser): TableUser | null {
    const known = this.now(user);
    return known !== undefined && sameValues(known.configured, user) ? known : null;
  }
}

function tableUser(user: KnownUser): TableUser {
  const permissions = user.permissions === null ? null : new Permissions(user.permissions);
  const common = { user: user.name, account: user.account, permissions, expiresInMs: null };
  return {
    ...user,
    configured: user,
    grant: { ...common, origin: { kind: "user", user, how: "asked" } },
    unasked: { ...common, origin: { kind: "user", user, how: "no_auth_user" } },
    key: user.password === null ? nkeyToVerify(user.name) : null,
  };
}

function allows({ connectionTypes }: KnownUser, type: ConnectionType): boolean {
  return connectionTypes.length === 0 || connectionTypes.includes(type);
}
