/**
 * Decides who may connect, and as whom: an ordered chain of methods (no credentials needed, token, users), behind which a callout
 * may stand. An answer may take time (`Verdict` or a promise of one, which is never rejected).
 *
 * A grant says which method it came from. After `reconfigure`, `currentGrant` asks that method what remains of it.
 */
import { randomBytes } from "node:crypto";

import { assert } from "../base/assert.ts";
import { sameValues } from "../base/same-values.ts";
import * as errors from "../protocol/errors.ts";
import type { PeerError } from "../protocol/errors.ts";
import type { ConnectionType } from "../base/connection-type.ts";
import { describeAttempt, type Attempt } from "./attempt.ts";
import { Callout, type CalloutHost } from "./callout/callout.ts";
import type { CalloutRules } from "./callout/rules.ts";
import { LACKS_PROXY, refused, type Grant, type Verdict } from "./grant.ts";
import type { JwtMethod } from "./methods/jwt.ts";
import type { Method } from "./methods/method.ts";
import { EVERYBODY, openMethod } from "./methods/open.ts";
import { Secrets } from "./methods/secrets.ts";
import { TokenMethod, type TokenOptions } from "./methods/token.ts";
import { UsersMethod, type TableUser, type UsersOptions } from "./methods/users.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

export interface AuthenticationOptions extends TokenOptions, UsersOptions {
  /** Public nkeys of trusted proxies. */
  readonly proxies?: readonly string[];
  /** Credentials are needed even while there is no user. */
  readonly isClosed?: boolean;
  /** The service that decides about all other clients; null or absent: they are refused. */
  readonly callout?: CalloutRules | null;
  /** Users of the configuration decide even with an operator: those of the block for leaf nodes. */
  readonly isBesideOperator?: boolean;
}

/** Length of nonces as in nats-server: 15 characters. */
const NONCE_BYTES = 11;

export class Authenticator implements Disposable {
  readonly proxies = new TrustedProxies();
  private options: AuthenticationOptions;
  private readonly secrets = new Secrets((grant, { connectionType }) =>
    this.currentGrant(grant, connectionType),
  );
  private readonly token = new TokenMethod(this.secrets);
  private readonly users = new UsersMethod(this.secrets);
  /** In nats-server's order. */
  private readonly chain: readonly Method[] = [openMethod(() => this.hasSecrets), this.token, this.users];
  private callout: Callout | null = null;
  private readonly host: CalloutHost | null;
  private readonly signed: JwtMethod | null;

  /** `host`: what callouts need; null: there can be none. `jwt`: decides about all clients in place of the chain; null: no operator. */
  constructor(options: AuthenticationOptions, host: CalloutHost | null = null, jwt: JwtMethod | null = null) {
    this.options = options;
    this.host = host;
    this.signed = jwt;
    this.reconfigure(options);
  }

  /** Decides about all users; null: the configuration does. */
  private get jwt(): JwtMethod | null {
    return this.options.isBesideOperator === true ? null : this.signed;
  }

  /** Applies to clients that connect from now on. Users that have not changed keep their grants. */
  reconfigure(options: AuthenticationOptions): void {
    this.options = options;
    this.token.reconfigure(options);
    this.users.reconfigure(options);
    this.proxies.reconfigure(options.proxies ?? []);
    if (sameValues(options.callout ?? null, this.callout?.rules ?? null)) return;
    this.callout?.[Symbol.dispose]();
    this.callout = this.calloutOf(options);
  }

  /**
   * What remains of `grant` for a connection; null: the client would no longer be admitted, since the user is gone, has another
   * password, or may not connect with this type of connection.
   */
  currentGrant(grant: Grant, connectionType: ConnectionType): Grant | null {
    if (!this.hasSecrets) return EVERYBODY;
    const { callout } = this;
    switch (grant.origin.kind) {
      case "open":
        return null;
      case "token":
        return callout === null ? this.token.current(grant) : null;
      case "user": {
        const now = this.users.now(grant.origin.user);
        if (this.token.isConfigured || now === undefined || this.isDelegated(now)) return null;
        return this.users.current(grant, connectionType);
      }
      case "callout":
        return callout?.holds(grant) === true ? grant : null;
      case "jwt":
        return this.jwt === null ? null : this.jwt.current(grant);
    }
  }

  /** Whether a connection that was admitted with `grant` without a proxy must come through one now. */
  needsProxy(grant: Grant): boolean {
    if (grant.origin.kind === "jwt") return this.signed?.needsProxy(grant) === true;
    return (this.token.isConfigured ? this.token : this.users).needsProxy(grant);
  }

  /** What a client is told whose grant no longer holds; null: it is closed without a word, and comes back as another user. */
  errorFor(grant: Grant): PeerError | null {
    if (grant.origin.kind !== "jwt") return this.hasMoved(grant) ? null : errors.authorizationViolation;
    switch (this.signed?.endOf(grant) ?? null) {
      case "account over":
        return errors.accountExpired;
      case "revoked":
        return errors.userRevoked;
      case "signing key gone":
        return errors.signingKeyGone;
      case "refused":
      case null:
        return errors.authorizationViolation;
    }
  }

  /** Whether the user of a connection that was admitted with `grant` is gone, or is in another account now. */
  hasMoved({ origin }: Grant): boolean {
    if (origin.kind !== "user") return origin.kind === "callout";
    const now = this.users.now(origin.user);
    return now === undefined || now.account !== origin.user.account || this.isDelegated(now);
  }

  /** Whether clients must present something, sooner or later. */
  get hasSecrets(): boolean {
    return (
      this.jwt !== null ||
      this.token.isConfigured ||
      !this.users.isEmpty ||
      this.options.isClosed === true ||
      this.callout !== null
    );
  }

  /** A text for one client to sign; "" where nobody signs. */
  newNonce(): string {
    const isSigned = this.jwt !== null || this.users.hasNkeys || !this.proxies.isEmpty;
    return isSigned ? randomBytes(NONCE_BYTES).toString("base64url") : "";
  }

  /** Judges a client whose first operation is not CONNECT. As in nats-server, it never becomes a user with an nkey. */
  checkUnnamed(attempt: Attempt): Verdict | Promise<Verdict> {
    return this.users.hasNoAuthUser && this.jwt === null
      ? this.check(attempt)
      : refused("operation before CONNECT");
  }

  /** Judges a client by what is configured. With a callout, the service decides about the others and about delegated accounts. */
  check(attempt: Attempt): Verdict | Promise<Verdict> {
    const { callout, jwt } = this;
    if (jwt !== null) return jwt.decide(attempt);
    if (callout === null) return this.checkChain(attempt);
    const user = this.token.isConfigured ? undefined : this.users.find(attempt);
    const needsProxy = user === undefined ? this.options.tokenNeedsProxy : user.needsProxy;
    if (user !== undefined && callout.isExempt(user.name)) return this.checkChain(attempt);
    if (needsProxy === true && attempt.proxyKey === "") return LACKS_PROXY;
    if (user === undefined || this.isDelegated(user)) return this.delegate(callout, attempt, user);
    const settle = (verdict: Verdict): Verdict | Promise<Verdict> =>
      verdict.kind === "admitted" ? verdict : this.delegate(callout, attempt, user);
    const verdict = this.checkChain(attempt);
    return verdict instanceof Promise ? verdict.then(settle) : settle(verdict);
  }

  [Symbol.dispose](): void {
    this.secrets[Symbol.dispose]();
    this.signed?.[Symbol.dispose]();
    this.callout?.[Symbol.dispose]();
  }

  private checkChain(attempt: Attempt): Verdict | Promise<Verdict> {
    for (const method of this.chain) {
      const verdict = method.decide(attempt);
      if (verdict !== null) return verdict;
    }
    return refused(describeAttempt(attempt));
  }

  /** As in nats-server, the service sees the no_auth_user as if the client had presented its name and password. */
  private delegate(callout: Callout, attempt: Attempt, user: TableUser | undefined): Promise<Verdict> {
    const unasked = user !== undefined && this.users.isBlank(attempt.credentials) ? user : null;
    if (unasked === null) return callout.ask(attempt);
    const presented =
      unasked.key === null ? { user: unasked.name, pass: unasked.password ?? "" } : { nkey: unasked.name };
    return callout.ask({ ...attempt, credentials: { ...attempt.credentials, ...presented } });
  }

  /** Whether the service is asked about a user of this account, although it is configured. */
  private isDelegated({ name, account }: TableUser): boolean {
    const { callout } = this;
    return callout !== null && !callout.isExempt(name) && callout.delegates(account);
  }

  private calloutOf({ callout }: AuthenticationOptions): Callout | null {
    if (callout === undefined || callout === null) return null;
    assert(this.host !== null, "callouts are possible");
    return new Callout(callout, this.host);
  }
}
