/**
 * A user as its token and its account have it: the claims of the token, or the template of the signing key that signed them. Pure. Every
 * fault throws BadJwt, in words for the log.
 */
import { BadJwt } from "../../keys/jwt.ts";
import { isNkeyOf, NEW_KEYS, type Keys } from "../../keys/nkey.ts";
import { decodeToken, untimely, type Token } from "../../keys/token.ts";
import type { UserScope } from "./account-claims.ts";
import type { AccountInForce } from "./accounts.ts";
import { filledIn } from "./template.ts";
import { limitProblems, permissionProblems, readTerms, setsNoTerms, type UserTerms } from "./user-terms.ts";

export interface UserToken {
  readonly jwt: string;
  readonly token: Token;
  readonly terms: UserTerms;
  /** Public nkey of the account that the user belongs to. */
  readonly account: string;
}

/** Kept as long as the user is connected: without the claims as they stood. */
export interface SignedUser extends Omit<UserToken, "token"> {
  readonly token: Omit<Token, "nats">;
  /** The scope of the key that signed it, as it was then; null: none. */
  readonly scope: UserScope | null;
}

/** Limits that a token of version 1 does not name are none; one of version 2 names them all. */
export function readUserToken(jwt: string, keys: Keys = NEW_KEYS): UserToken {
  const token = decodeToken(jwt, "user", keys);
  const terms = readTerms(token.nats, token.version === 1 ? -1 : 0);
  return { jwt, token, terms, account: token.issuerAccount || token.issuer };
}

export function checkUserToken({ token, terms }: UserToken, nowMs: number): void {
  const problem =
    untimely(token, nowMs) ??
    permissionProblems(terms.permissions)[0] ??
    limitProblems(terms)[0] ??
    (token.issuerAccount === "" || isNkeyOf("account", token.issuerAccount)
      ? null
      : "account_id is not an account public key");
  if (problem !== null) throw new BadJwt(`User JWT no longer valid: ${problem}`);
}

/** The user in its account. A scoped signing key decides about everything but the user's name and tags. */
export function userIn(user: UserToken, account: AccountInForce): SignedUser {
  const { token } = user;
  const { claims } = account;
  const scope = scopeOf(token.issuer, account);
  if (scope === undefined) throw new BadJwt("User JWT issuer is not known");
  const { nats, ...facts } = token;
  const kept = {
    jwt: user.jwt,
    // One text for all users of the account.
    account: claims.subject,
    token: token.issuer === claims.subject ? { ...facts, issuer: claims.subject } : facts,
    scope,
  };
  if (scope === null) return { ...kept, terms: user.terms };
  if (!setsNoTerms(nats))
    throw new BadJwt("User JWT is not valid: scoped users require no permissions or limits set");
  const permissions = filledIn(scope.template.permissions, {
    name: token.name,
    subject: token.subject,
    tags: token.tags,
    accountName: claims.name,
    accountSubject: token.issuerAccount,
    accountTags: claims.tags,
  });
  return { ...kept, terms: { ...scope.template, permissions } };
}

/** undefined: the key does not sign for the account. null: it signs users of any kind. */
export function scopeOf(
  key: string,
  { claims, isStrict }: Pick<AccountInForce, "claims" | "isStrict">,
): UserScope | null | undefined {
  // The account's own key has no scope, whatever the claims say.
  if (key === claims.subject && !isStrict) return null;
  return claims.signingKeys.get(key);
}

/** Whether what was issued at a time for a key is revoked. Times are in seconds. */
export function isRevoked(revocations: ReadonlyMap<string, number>, key: string, issuedAt: number): boolean {
  return [key, "*"].some((one) => (revocations.get(one) ?? -Infinity) >= issuedAt);
}
