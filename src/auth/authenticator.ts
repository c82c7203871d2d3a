/**
 * Who may connect, and as whom: nobody needs credentials, or a token, or one of the known users. Comparison takes the same
 * time for every input. An answer may take its time (`Verdict` or a promise of one, which is never rejected).
 *
 * Users of `authorization` and of accounts are in one table. `reconfigure` replaces it; who is connected is looked up again
 * with `currentGrant`.
 */
import { createHash, randomBytes, timingSafeEqual, type KeyObject, type X509Certificate } from "node:crypto";
import { assert } from "../base/assert.ts";
import { sameValues } from "../base/same-values.ts";
import type { ConnectionType } from "../base/connection-type.ts";
import { isSignedBy, nkeyToVerify } from "../keys/nkey.ts";
import { Callout, type CalloutRules, type CalloutWorld } from "./callout/callout.ts";
import { mappedUser } from "./certificate.ts";
import { GLOBAL_ACCOUNT } from "../subject/account-names.ts";
import { PasswordChecker, type Comparing } from "./password-checker.ts";
import { Permissions, type UserPermissions } from "../core/permissions.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

/** What a client presents at CONNECT; "" where it presents nothing. */
export interface Credentials {
  readonly user: string;
  readonly pass: string;
  readonly authToken: string;
  readonly nkey: string;
  readonly sig: string;
  /** Of concern to a callout alone, as is what the client says of itself. */
  readonly jwt?: string;
  readonly name?: string;
  readonly lang?: string;
  readonly version?: string;
  readonly protocol?: number;
}

/** Credentials, and what the server knows of their sender. */
export interface Attempt {
  readonly credentials: Credentials;
  /** What was given to be signed; "": nothing. */
  readonly nonce: string;
  readonly address: string;
  /** The client is still there. */
  isWanted(): boolean;
  readonly connectionType: ConnectionType;
  /** Of the trusted proxy that the client came through; "": of none. */
  readonly proxyKey: string;
  /** Of the client, verified; undefined: it has shown none. */
  readonly certificate?: X509Certificate | undefined;
  /** The number of the connection. */
  readonly cid?: number;
  /** Absent: in the open. */
  readonly tls?: { readonly version: string; readonly cipherSuite: string } | undefined;
  /** A service is asked, which has a time of its own to answer. */
  onDelegated?(): void;
}

export interface KnownUser {
  /** A name, or the public nkey. */
  readonly name: string;
  /** Plain or a bcrypt hash; null: has an nkey instead. */
  readonly password: string | null;
  readonly account: string;
  /** null: everything. */
  readonly permissions: UserPermissions | null;
  /** Empty: all. */
  readonly connectionTypes: readonly ConnectionType[];
  /** Has to come through a trusted proxy. */
  readonly needsProxy?: boolean;
}

export interface AuthenticationOptions {
  readonly token?: string | undefined;
  /** Holders of the token have to come through a trusted proxy. */
  readonly tokenNeedsProxy?: boolean;
  /** Public nkeys of trusted proxies. */
  readonly proxies?: readonly string[];
  readonly users: readonly KnownUser[];
  /** Credentials are needed even while there is no user. */
  readonly isClosed?: boolean;
  /** Whom a client without credentials is taken for; null: nobody. */
  readonly noAuthUser: string | null;
  /** Users are found by the client's certificate, and in no other way but by nkey. */
  readonly mapsCertificates?: boolean;
  /** Who decides about all others; null or absent: they are refused. */
  readonly callout?: CalloutRules | null;
}

/** As whom a client is admitted. */
export interface Grant {
  /** How logs and monitoring name the client; "" where there are no users. */
  readonly user: string;
  readonly account: string;
  /** Shared by all connections of the user; null: everything. */
  readonly permissions: Permissions | null;
  /** The connection ends after this time; null: it does not. */
  readonly expiresInMs: number | null;
  /** Of this connection, beside those of the server and the account; null or absent: no limit. */
  readonly maxSubscriptions?: number | null;
  readonly maxPayloadBytes?: number | null;
}

export type Verdict =
  | { readonly kind: "admitted"; readonly grant: Grant }
  /** `reason` is for the log. `lacksProxy`: nothing else was looked at. */
  | { readonly kind: "refused"; readonly reason: string; readonly lacksProxy?: boolean };

interface Known extends KnownUser {
  readonly configured: KnownUser;
  readonly grant: Grant;
  /** The same for who was asked for nothing, as the no_auth_user. */
  readonly unasked: Grant;
  /** null: has a password instead. */
  readonly key: KeyObject | null;
}

const EVERYBODY: Grant = { user: "", account: GLOBAL_ACCOUNT, permissions: null, expiresInMs: null };
const TOKEN_HOLDER: Grant = { ...EVERYBODY, user: "[REDACTED]" };
const LACKS_PROXY: Verdict = { kind: "refused", reason: "proxy connection required", lacksProxy: true };
/** As nats-server has it: 15 characters. */
const NONCE_BYTES = 11;

export class Authenticator implements Disposable {
  private options: AuthenticationOptions;
  /** By name. */
  private users: ReadonlyMap<string, Known> = new Map();
  /** By public nkey. */
  private nkeys: ReadonlyMap<string, Known> = new Map();
  /** A new one for each token. */
  private tokenHolder: Grant = { ...TOKEN_HOLDER };
  /** Users of this and earlier tables, as long as someone is admitted as them. */
  private readonly admittedAs = new WeakMap<Grant, KnownUser>();
  private readonly wereUnasked = new WeakSet<Grant>();
  private readonly passwords = new PasswordChecker();
  readonly proxies = new TrustedProxies();
  private callout: Callout | null = null;
  private readonly wereDelegated = new WeakSet<Grant>();
  private readonly world: CalloutWorld | null;

  /** `world`: what callouts need; null: there can be none. */
  constructor(options: AuthenticationOptions, world: CalloutWorld | null = null) {
    this.options = options;
    this.world = world;
    this.reconfigure(options);
  }

  /** From now on; who is connected is not touched. Users of whom nothing has changed keep their grants. */
  reconfigure(options: AuthenticationOptions): void {
    const known = options.users.map((user) => this.unchanged(user) ?? this.knownOf(user));
    this.users = new Map(known.filter(({ key }) => key === null).map((user) => [user.name, user]));
    this.nkeys = new Map(known.filter(({ key }) => key !== null).map((user) => [user.name, user]));
    this.proxies.reconfigure(options.proxies ?? []);
    if (options.token !== this.options.token) this.tokenHolder = { ...TOKEN_HOLDER };
    this.options = options;
    if (!sameValues(options.callout ?? null, this.callout?.rules ?? null)) {
      this.callout?.[Symbol.dispose]();
      this.callout = this.calloutOf(options);
    }
  }

  private calloutOf({ callout }: AuthenticationOptions): Callout | null {
    const { world } = this;
    if (callout === undefined || callout === null) return null;
    assert(world !== null, "callouts are possible");
    return new Callout(callout, world);
  }

  /**
   * What holds now for a connection that was admitted with `grant`; null: it would not be admitted any more, since the user is
   * gone, or has another password, or may not connect like this.
   */
  currentGrant(grant: Grant, connectionType: ConnectionType): Grant | null {
    if (!this.hasSecrets) return EVERYBODY;
    const { callout } = this;
    if (callout?.holds(grant) === true) return grant;
    if (this.options.token !== undefined)
      return callout !== null ? null : grant === this.tokenHolder ? grant : null;
    const then = this.admittedAs.get(grant);
    if (then === undefined) return null;
    const now = this.find(then);
    if (now === undefined || !allows(now, connectionType) || this.isDelegated(now)) return null;
    if (this.wereUnasked.has(grant)) return now.name === this.options.noAuthUser ? now.unasked : null;
    return now.password === then.password ? now.grant : null;
  }

  /** A connection that was admitted with `grant` and came through no proxy has to come through one now. */
  needsProxy(grant: Grant): boolean {
    if (this.options.token !== undefined)
      return grant === this.tokenHolder && this.options.tokenNeedsProxy === true;
    const then = this.admittedAs.get(grant);
    return then !== undefined && this.find(then)?.needsProxy === true;
  }

  /** The user of a connection that was admitted with `grant` is gone, or is in another account. */
  hasMoved(grant: Grant): boolean {
    const then = this.admittedAs.get(grant);
    if (then === undefined) return this.wereDelegated.has(grant);
    const now = this.find(then);
    return now === undefined || now.account !== then.account || this.isDelegated(now);
  }

  /** The service is asked about this user, whatever is known here. */
  private isDelegated({ name, account }: KnownUser): boolean {
    const { callout } = this;
    return callout !== null && !callout.isExempt(name) && callout.delegates(account);
  }

  private find({ name, password }: KnownUser): Known | undefined {
    return (password === null ? this.nkeys : this.users).get(name);
  }

  /** Clients have to present something, sooner or later. */
  get hasSecrets(): boolean {
    return (
      this.options.token !== undefined ||
      this.users.size + this.nkeys.size > 0 ||
      this.options.isClosed === true ||
      this.callout !== null
    );
  }

  /** For one client to sign; "" where nobody signs. */
  newNonce(): string {
    return this.nkeys.size > 0 || !this.proxies.isEmpty ? randomBytes(NONCE_BYTES).toString("base64url") : "";
  }

  /** Of a client that begins with something else than CONNECT; nkeys are for nobody then, as with nats-server. */
  checkUnnamed(attempt: Attempt): Verdict | Promise<Verdict> {
    const { noAuthUser } = this.options;
    const isUser = noAuthUser !== null && this.users.has(noAuthUser);
    return isUser ? this.check(attempt) : refused("operation before CONNECT");
  }

  /** Whoever is not known here, or is in an account that is delegated, is for the callout to decide about, where there is one. */
  check(attempt: Attempt): Verdict | Promise<Verdict> {
    const { callout } = this;
    if (callout === null) return this.checkKnown(attempt);
    const user = this.options.token === undefined ? this.userOf(attempt) : undefined;
    const needsProxy = user === undefined ? this.options.tokenNeedsProxy : user.needsProxy;
    if (user !== undefined && callout.isExempt(user.name)) return this.checkKnown(attempt);
    if (needsProxy === true && attempt.proxyKey === "") return LACKS_PROXY;
    if (user === undefined || this.isDelegated(user)) return this.delegate(callout, attempt, user);
    const settle = (verdict: Verdict): Verdict | Promise<Verdict> =>
      verdict.kind === "admitted" ? verdict : this.delegate(callout, attempt, user);
    const verdict = this.checkKnown(attempt);
    return verdict instanceof Promise ? verdict.then(settle) : settle(verdict);
  }

  /** The service hears of the no_auth_user as if the client had said so, as with nats-server. */
  private async delegate(callout: Callout, attempt: Attempt, user: Known | undefined): Promise<Verdict> {
    const unasked = user !== undefined && this.isBlank(attempt.credentials) ? user : null;
    const said =
      unasked === null
        ? {}
        : unasked.key === null
          ? { user: unasked.name, pass: unasked.password ?? "" }
          : { nkey: unasked.name };
    const verdict = await callout.ask({ ...attempt, credentials: { ...attempt.credentials, ...said } });
    if (verdict.kind === "admitted") this.wereDelegated.add(verdict.grant);
    return verdict;
  }

  /** By what is configured. nats-server's order: nkeys, then users, then the token. */
  private checkKnown(attempt: Attempt): Verdict | Promise<Verdict> {
    if (!this.hasSecrets) return admitted(EVERYBODY);
    const { token, tokenNeedsProxy } = this.options;
    const { credentials } = attempt;
    if (token !== undefined) {
      if (tokenNeedsProxy === true && attempt.proxyKey === "") return LACKS_PROXY;
      return this.decide(attempt, { expected: token, given: credentials.authToken, grant: this.tokenHolder });
    }
    const user = this.userOf(attempt);
    if (user === undefined || !allows(user, attempt.connectionType)) return refused(describe(attempt));
    if (user.needsProxy === true && attempt.proxyKey === "") return LACKS_PROXY;
    const { grant, key, password } = user;
    // A no_auth_user whose password is a hash is admitted to nobody, as by nats-server 2.15.
    if (this.isUnasked(user, credentials) && !isBcrypt(password ?? "")) return admitted(user.unasked);
    if (key !== null) {
      return isSignedBy(key, attempt.nonce, credentials.sig) ? admitted(grant) : refused(describe(attempt));
    }
    // Also of users found by certificate: those have no password as a rule.
    return this.decide(attempt, { expected: password ?? "", given: credentials.pass, grant });
  }

  [Symbol.dispose](): void {
    this.passwords[Symbol.dispose]();
    this.callout?.[Symbol.dispose]();
  }

  /** Whom the client says it is, or is taken for. */
  private userOf({ credentials, certificate }: Attempt): Known | undefined {
    const { mapsCertificates } = this.options;
    const { users, nkeys } = this;
    const unasked = this.isBlank(credentials) ? (this.options.noAuthUser ?? "") : null;
    if (nkeys.size > 0) {
      const user = nkeys.get(unasked ?? credentials.nkey);
      if (user !== undefined || credentials.nkey !== "") return user;
    }
    if (mapsCertificates !== true) return users.get(unasked ?? credentials.user);
    return (
      certificate &&
      mappedUser(
        certificate,
        (name) => users.get(name),
        () => users.keys(),
      )
    );
  }

  /** Nothing is asked of the no_auth_user. */
  private isUnasked({ name, key }: Known, credentials: Credentials): boolean {
    const { noAuthUser, mapsCertificates } = this.options;
    if (name !== noAuthUser) return false;
    return key !== null || (mapsCertificates !== true && this.isBlank(credentials));
  }

  private isBlank({ user, pass, authToken, nkey }: Credentials): boolean {
    return user === "" && pass === "" && authToken === "" && (nkey === "" || this.nkeys.size === 0);
  }

  private decide(attempt: Attempt, secret: Secret): Verdict | Promise<Verdict> {
    const { expected, given, grant } = secret;
    const refusal = refused(describe(attempt));
    if (!isBcrypt(expected)) return equalSecrets(given, expected) ? admitted(grant) : refusal;
    const lane = `${attempt.address} ${grant.user}`;
    const isWanted = (): boolean => attempt.isWanted();
    const result = this.passwords.check({ password: given, hash: expected, lane, isWanted });
    const judge = (comparing: Comparing): Verdict => {
      // Users may have changed meanwhile.
      const now = comparing === "equal" ? this.currentGrant(grant, attempt.connectionType) : null;
      if (now !== null) return admitted(now);
      return comparing !== "too many waiting"
        ? refusal
        : refused(`too many passwords to check: ${refusal.reason}`);
    };
    return result instanceof Promise ? result.then(judge) : judge(result);
  }

  private unchanged(user: KnownUser): Known | null {
    const known = this.find(user);
    return known !== undefined && sameValues(known.configured, user) ? known : null;
  }

  private knownOf(user: KnownUser): Known {
    const permissions = user.permissions === null ? null : new Permissions(user.permissions);
    const grant = { user: user.name, account: user.account, permissions, expiresInMs: null };
    const unasked = { ...grant };
    this.admittedAs.set(grant, user);
    this.admittedAs.set(unasked, user);
    this.wereUnasked.add(unasked);
    return {
      ...user,
      configured: user,
      grant,
      unasked,
      key: user.password === null ? nkeyToVerify(user.name) : null,
    };
  }
}

interface Secret {
  /** Plain or a bcrypt hash. */
  readonly expected: string;
  readonly given: string;
  readonly grant: Grant;
}

/** As nats-server tells a hash from a password. */
function isBcrypt(secret: string): boolean {
  return /^\$2[abxy]\$\d{2}\$/.test(secret);
}

function allows({ connectionTypes }: KnownUser, type: ConnectionType): boolean {
  return connectionTypes.length === 0 || connectionTypes.includes(type);
}

function admitted(grant: Grant): Verdict {
  return { kind: "admitted", grant };
}

function refused(reason: string): Verdict & { kind: "refused" } {
  return { kind: "refused", reason };
}

/** Without secrets. */
function describe({ credentials: { user, nkey, authToken }, certificate }: Attempt): string {
  if (nkey !== "") return `Nkey ${JSON.stringify(nkey)}`;
  if (user !== "") return `User ${JSON.stringify(user)}`;
  if (authToken !== "") return 'Token "[REDACTED]"';
  return certificate === undefined ? "no credentials" : `Certificate ${certificate.subject}`;
}

/** Through a digest, since lengths differ. */
export function equalSecrets(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}
