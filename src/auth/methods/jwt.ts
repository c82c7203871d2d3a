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
import { isPublicNkey, isSignedBy, nkeyToVerify } from "../../keys/nkey.ts";
import type { Attempt } from "../attempt.ts";
import { addressRange } from "../address-range.ts";
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
  rules(): OperatorRules;
}

/** Why a client that was admitted is not any more. */
export type GrantEnd = "account over" | "revoked" | "refused" | "signing key gone";

export class JwtMethod implements Method {
  /** Clients of accounts that are not among the pinned ones. */
  pinnedAccountFailures = 0;
  private readonly host: JwtMethodHost;
  private readonly permissions = new SharedPermissions();

  constructor(host: JwtMethodHost) {
    this.host = host;
  }

  decide(attempt: Attempt): Verdict | Promise<Verdict> {
    try {
      const user = this.presented(attempt);
      checkUserToken(user, this.nowMs);
      if (user.terms.needsProxy && attempt.proxyKey === "") return LACKS_PROXY;
      const { pinnedAccounts } = this.host.rules();
      if (pinnedAccounts.length > 0 && !pinnedAccounts.includes(user.account)) {
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
    if (user.terms.isBearer && claims.limits.disallowsBearer) return "refused";
    if (isRevoked(claims.revocations, token.subject, token.issuedAt)) return "revoked";
    if (token.issuerAccount === "") return null;
    return sameValues(scopeOf(token.issuer, account), user.scope) ? null : "signing key gone";
  }

  needsProxy(grant: Grant): boolean {
    return userOf(grant).terms.needsProxy;
  }

  private get nowMs(): number {
    return this.host.clock.nowMs();
  }

  private caught(judge: () => Verdict): Verdict {
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
      return readUserToken(jwt);
    } catch (error) {
      if (!(error instanceof BadJwt)) throw error;
      if (defaultSentinel === null) throw new BadJwt(`User JWT not valid: ${error.message}`);
      return readUserToken(defaultSentinel);
    }
  }

  private judge(attempt: Attempt, presented: UserToken, account: AccountInForce | null): Verdict {
    if (account === null) return refused(`Account JWT lookup error for ${presented.account}`);
    const user = userIn(presented, account);
    if (user.terms.needsProxy && attempt.proxyKey === "") return LACKS_PROXY;
    if (account.isOver) return refused("Account JWT has expired");
    const { claims } = account;
    const { authUsers } = claims.authorization;
    if (authUsers.length > 0 && !authUsers.includes(presented.token.subject))
      return refused("Authorization callouts of accounts are not supported by shoal yet");
    if (user.terms.isBearer && claims.limits.disallowsBearer)
      return refused("Account does not allow bearer tokens");
    const { token } = user;
    checkConnectionType(user, attempt.connectionType);
    const { leafNodes } = claims.limits;
    const isLeafNode = attempt.connectionType.startsWith("LEAFNODE");
    if (isLeafNode && leafNodes >= 0 && this.host.accounts.leafNodesOf(user.account) >= leafNodes)
      return refused("maximum account active leafnode connections exceeded");
    if (!user.terms.isBearer) checkSignature(token.subject, attempt);
    if (isRevoked(claims.revocations, token.subject, token.issuedAt))
      return refused("User authentication revoked");
    if (!isFromSource(user, attempt.address)) return refused(`Bad src Ip ${attempt.address}`);
    const hoursMs = connectableMs(user.terms, this.nowMs);
    if (hoursMs === 0) return refused("Outside connect times");
    return admitted(this.grantOf(user, account, hoursMs));
  }

  private grantOf(user: SignedUser, account: AccountInForce, hoursMs: number | null): Grant {
    const { token, terms } = user;
    const leftMs = token.expires === 0 ? null : Math.max(0, token.expires * 1000 - this.nowMs);
    return {
      origin: { kind: "jwt", user },
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

/** A user without permissions of its own has those of its account. */
function rulesIn({ terms }: SignedUser, { claims }: AccountInForce): UserPermissions | null {
  return permissionsOf(terms.permissions) ?? permissionsOf(claims.defaultPermissions);
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
  if (!isPublicNkey(subject)) throw new BadJwt("User nkey not valid");
  if (!isSignedBy(nkeyToVerify(subject), nonce, sig)) throw new BadJwt("Signature not verified");
}

function isFromSource({ terms: { sources } }: SignedUser, address: string): boolean {
  return sources.length === 0 || sources.some((range) => addressRange(range)?.has(address) === true);
}
