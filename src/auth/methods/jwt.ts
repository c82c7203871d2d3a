/**
 * Admits users of accounts that an operator has signed: the client presents the user's token, and signs the nonce unless the token is a
 * bearer token. While an operator is configured, no other method decides. What is refused is said in the log alone.
 */
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { CONNECTION_TYPES, type ConnectionType } from "../../base/connection-type.ts";
import { sameValues } from "../../base/same-values.ts";
import type { Permissions, UserPermissions } from "../../core/permissions.ts";
import { BadJwt } from "../../keys/jwt.ts";
import { isSignedBy, KnownKeys, NEW_KEYS } from "../../keys/nkey.ts";
import type { Attempt } from "../attempt.ts";
import { addressRange } from "../address-range.ts";
import { AccountCallouts, calloutRulesOf } from "../callout/account-callouts.ts";
import type { CalloutHost } from "../callout/callout.ts";
import { shownUser } from "../callout/request.ts";
import {
  answeredUser,
  CALLOUT_SUBJECT,
  CALLOUT_SUBJECTS,
  Refused,
  refusalFor,
  type Question,
} from "../callout/response.ts";
import { admitted, LACKS_PROXY, refused, type Grant, type Verdict } from "../grant.ts";
import type { AccountInForce, SignedAccounts } from "../operator/accounts.ts";
import {
  checkUserToken,
  isRevoked,
  readUserToken,
  scopeOf,
  userIn,
  type SignedUser,
  type UserToken,
} from "../operator/user-jwt.ts";
import { permissionsOf } from "../operator/user-terms.ts";
import { denying } from "../user-claims.ts";
import { SharedPermissions } from "../shared-permissions.ts";
import { connectableMs } from "../user-times.ts";
import type { Method } from "./method.ts";

export interface OperatorRules {
  /** Token for clients that present none; null: they are refused. */
  readonly defaultSentinel: string | null;
  /** Accounts whose users may connect; empty: all. */
  readonly pinnedAccounts: readonly string[];
}

export interface JwtMethodHost {
  readonly accounts: SignedAccounts;
  readonly clock: Clock;
  readonly callouts: CalloutHost;
  rules(): OperatorRules;
}

interface Admission {
  readonly user: SignedUser;
  readonly account: AccountInForce;
  /** See hoursOf. */
  readonly hoursMs: number | null;
}

/** Why a client that was admitted is not any more. */
export type GrantEnd = "account over" | "revoked" | "refused" | "signing key gone";

export class JwtMethod implements Method, Disposable {
  /** Clients of accounts that are not among the pinned ones. */
  pinnedAccountFailures = 0;
  private readonly host: JwtMethodHost;
  private readonly permissions = new SharedPermissions();
  /** Remembers those of the accounts that sign users. */
  private readonly keys = new KnownKeys();
  private readonly callouts: AccountCallouts;

  constructor(host: JwtMethodHost) {
    this.host = host;
    this.callouts = new AccountCallouts(host.callouts, (payload, question) =>
      this.answered(payload, question),
    );
  }

  /** Whoever waits for an answer of a service is refused. */
  [Symbol.dispose](): void {
    this.callouts[Symbol.dispose]();
  }

  decide(attempt: Attempt): Verdict | Promise<Verdict> {
    try {
      const user = this.presented(attempt);
      checkUserToken(user, this.nowMs);
      if (user.terms.needsProxy && attempt.proxyKey === "") return LACKS_PROXY;
      if (!this.isPinned(user.account)) {
        this.pinnedAccountFailures++;
        return refused(`Account ${user.account} not listed as operator pinned account`);
      }
      const account = this.host.accounts.resolve(user.account);
      if (!(account instanceof Promise)) return this.judge(attempt, user, account);
      return account.then((found) => this.caught(() => this.judge(attempt, user, found)));
    } catch (error) {
      return refusal(error);
    }
  }

  current(grant: Grant): Grant | null {
    const user = userOf(grant);
    if (this.endOf(grant) !== null) return null;
    const account = this.host.accounts.current(user.account);
    assert(account !== null, "a grant that holds is of an account in force");
    const rules = rulesIn(user, account);
    const isSame = sameValues(rules, grant.permissions?.rules ?? null);
    return isSame ? grant : { ...grant, permissions: this.permissionsFor(rules) };
  }

  /** null: the grant holds. */
  endOf(grant: Grant): GrantEnd | null {
    const user = userOf(grant);
    const account = this.host.accounts.current(user.account);
    if (account === null || account.isOver) return "account over";
    const { claims } = account;
    const { token } = user;
    if (!this.isPinned(user.account)) return "refused";
    const isPresented = grant.origin.kind === "jwt" && grant.origin.how === "presented";
    if (isPresented && user.terms.isBearer && claims.limits.disallowsBearer) return "refused";
    if (isPresented && isRevoked(claims.revocations, token.subject, token.issuedAt)) return "revoked";
    if (token.issuerAccount === "") return null;
    return sameValues(scopeOf(token.issuer, account), user.scope) ? null : "signing key gone";
  }

  needsProxy(grant: Grant): boolean {
    return userOf(grant).terms.needsProxy;
  }

  private isPinned(account: string): boolean {
    const { pinnedAccounts } = this.host.rules();
    return pinnedAccounts.length === 0 || pinnedAccounts.includes(account);
  }

  private get nowMs(): number {
    return this.host.clock.nowMs();
  }

  private caught(judge: () => Verdict | Promise<Verdict>): Verdict | Promise<Verdict> {
    try {
      return judge();
    } catch (error) {
      return refusal(error);
    }
  }

  /** A text that is not a token counts as none. */
  private presented({ credentials: { jwt = "" } }: Attempt): UserToken {
    const { defaultSentinel } = this.host.rules();
    if (jwt === "" && defaultSentinel === null) throw new BadJwt("Authentication requires a user JWT");
    try {
      return readUserToken(jwt, this.keys);
    } catch (error) {
      if (!(error instanceof BadJwt)) throw error;
      if (defaultSentinel === null) throw new BadJwt(`User JWT not valid: ${error.message}`);
      return readUserToken(defaultSentinel, this.keys);
    }
  }

  private judge(
    attempt: Attempt,
    presented: UserToken,
    account: AccountInForce | null,
  ): Verdict | Promise<Verdict> {
    if (account === null) return refused(`Account JWT lookup error for ${presented.account}`);
    const user = userIn(presented, account);
    if (user.terms.needsProxy && attempt.proxyKey === "") return LACKS_PROXY;
    if (account.isOver) return refused("Account JWT has expired");
    const { claims } = account;
    if (user.terms.isBearer && claims.limits.disallowsBearer)
      return refused("Account does not allow bearer tokens");
    const { token } = user;
    checkConnectionType(user, attempt.connectionType);
    this.checkLeafNodes(account, attempt);
    if (!user.terms.isBearer) checkSignature(token.subject, attempt);
    if (isRevoked(claims.revocations, token.subject, token.issuedAt))
      return refused("User authentication revoked");
    const hoursMs = this.hoursOf(user, attempt);
    const rules = calloutRulesOf(claims);
    if (rules === null) this.callouts.forget(claims.subject);
    if (rules === null || rules.authUsers.includes(token.subject))
      return admitted(this.grantOf({ user, account, hoursMs }));
    return this.callouts.ask(rules, withSigned(attempt, user));
  }

  /** The service of an account has answered: with a user of that account, or of one that it may place users in. */
  private answered(payload: Uint8Array, question: Question): Verdict | Promise<Verdict> {
    try {
      const { rules, attempt, userNkey } = question;
      const asking = this.host.accounts.current(rules.account);
      if (asking === null || asking.isOver) throw new Refused("the account of the auth callout is over");
      const jwt = answeredUser(payload, question, ({ issuer, nats }) => {
        const named = nats["issuer_account"] ?? "";
        const isOwn = named === "" || named === rules.account;
        return isOwn && (issuer === rules.account || scopeOf(issuer, asking) !== undefined);
      });
      const user = readUserToken(jwt, this.keys);
      if (user.terms.needsProxy && attempt.proxyKey === "")
        throw new Refused("proxy connection required", true);
      checkUserToken(user, this.nowMs);
      if (user.token.subject !== userNkey)
        throw new Refused(`Expected authorized user of "${userNkey}" but got "${user.token.subject}"`);
      if (user.account !== rules.account && !mayPlaceIn(user.account, rules.allowedAccounts))
        throw new Refused(`account "${user.account}" not permitted as valid account option for auth callout`);
      const account = this.host.accounts.resolve(user.account);
      if (!(account instanceof Promise)) return this.placed(attempt, user, account);
      return account.then((found) => this.caught(() => this.placed(attempt, user, found)));
    } catch (error) {
      return refusalFor(error);
    }
  }

  private placed(attempt: Attempt, answered: UserToken, account: AccountInForce | null): Verdict {
    if (account === null || account.isOver)
      return refused(`No valid account "${answered.account}" for auth callout response`);
    const user = userIn(answered, account);
    const hoursMs = this.hoursOf(user, attempt);
    checkConnectionType(user, attempt.connectionType);
    if (user.terms.needsProxy && attempt.proxyKey === "") return LACKS_PROXY;
    this.checkLeafNodes(account, attempt);
    const { signed: _, ...asItCame } = attempt;
    const name = user.token.name || shownUser(asItCame);
    return admitted({
      ...this.grantOf({ user, account, hoursMs }),
      user: name,
      origin: { kind: "jwt", user, how: "callout" },
    });
  }

  private checkLeafNodes({ claims }: AccountInForce, { connectionType }: Attempt): void {
    const { leafNodes } = claims.limits;
    const isLeafNode = connectionType.startsWith("LEAFNODE");
    if (isLeafNode && leafNodes >= 0 && this.host.accounts.leafNodesOf(claims.subject) >= leafNodes)
      throw new BadJwt("maximum account active leafnode connections exceeded");
  }

  /** How long the user may stay by the hours of its terms; null: for good. Throws where it may not come now, or from its address. */
  private hoursOf(user: SignedUser, { address }: Attempt): number | null {
    if (!isFromSource(user, address)) throw new BadJwt(`Bad src Ip ${address}`);
    const hoursMs = connectableMs(user.terms, this.nowMs);
    if (hoursMs === 0) throw new BadJwt("Outside connect times");
    return hoursMs;
  }

  private grantOf({ user, account, hoursMs }: Admission): Grant {
    const { token, terms } = user;
    const leftMs = token.expires === 0 ? null : Math.max(0, token.expires * 1000 - this.nowMs);
    return {
      origin: { kind: "jwt", user, how: "presented" },
      user: token.subject,
      account: user.account,
      permissions: this.permissionsFor(rulesIn(user, account)),
      expiresInMs: leftMs === null ? hoursMs : Math.min(leftMs, hoursMs ?? Infinity),
      maxSubscriptions: terms.maxSubscriptions < 0 ? null : terms.maxSubscriptions,
      maxPayloadBytes: terms.maxPayloadBytes < 0 ? null : terms.maxPayloadBytes,
    };
  }

  private permissionsFor(rules: UserPermissions | null): Permissions | null {
    return rules === null ? null : this.permissions.of(rules);
  }
}

/**
 * A user without permissions of its own has those of its account. Where a service is asked, only the server sends requests: its own users
 * receive and answer them, and all others see neither requests nor answers.
 */
function rulesIn({ terms, token }: SignedUser, { claims }: AccountInForce): UserPermissions | null {
  const rules = permissionsOf(terms.permissions) ?? permissionsOf(claims.defaultPermissions);
  const { authUsers } = claims.authorization;
  if (authUsers.length === 0) return rules;
  const { publish, subscribe, responses } = rules ?? { publish: null, subscribe: null, responses: null };
  return authUsers.includes(token.subject)
    ? { publish: denying(publish, [CALLOUT_SUBJECT]), subscribe, responses }
    : {
        publish: denying(publish, CALLOUT_SUBJECTS),
        subscribe: denying(subscribe, CALLOUT_SUBJECTS),
        responses,
      };
}

/** The service is told whom the token names, and sees the token that the server has lent where the client had none. */
function withSigned(attempt: Attempt, { jwt, token }: SignedUser): Attempt {
  const { credentials } = attempt;
  const isLent = credentials.jwt !== jwt;
  return {
    ...attempt,
    credentials: { ...credentials, jwt },
    signed: { key: isLent ? "" : token.subject, name: token.name, tags: token.tags },
  };
}

const ANY_ACCOUNT = "*";

/** As in nats-server, the wildcard counts where it stands alone. */
function mayPlaceIn(account: string, allowed: readonly string[]): boolean {
  return allowed.includes(account) || (allowed.length === 1 && allowed[0] === ANY_ACCOUNT);
}

function userOf({ origin }: Grant): SignedUser {
  assert(origin.kind === "jwt", "tokens decide about their own grants");
  return origin.user;
}

function refusal(error: unknown): Verdict {
  if (!(error instanceof BadJwt)) throw error;
  return refused(error.message);
}

/** Types that are not known do not count, unless there are no others. */
function checkConnectionType({ terms }: SignedUser, type: ConnectionType): void {
  const wanted = terms.connectionTypes;
  const known = CONNECTION_TYPES.filter((one) => wanted.includes(one));
  if (wanted.length > 0 && !known.includes(type)) throw new BadJwt("Connection type not allowed");
}

function checkSignature(subject: string, { nonce, credentials: { sig } }: Attempt): void {
  if (sig === "") throw new BadJwt("Signature missing");
  const key = NEW_KEYS.keyOf(subject);
  if (key === null) throw new BadJwt("User nkey not valid");
  if (!isSignedBy(key, nonce, sig)) throw new BadJwt("Signature not verified");
}

function isFromSource({ terms: { sources } }: SignedUser, address: string): boolean {
  return sources.length === 0 || sources.some((range) => addressRange(range)?.has(address) === true);
}
