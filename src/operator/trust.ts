/** Which keys may sign accounts: those of operators, and which operators must use signing keys. */
import type { AccountClaims } from "../auth/operator/account-claims.ts";
import { readAccountClaims } from "../auth/operator/account-claims.ts";
import { accountProblems } from "../auth/operator/account-problems.ts";
import { BadJwt } from "../keys/jwt.ts";
import { trustedKeysOf, type OperatorClaims } from "../keys/operator-claims.ts";
import { untimely } from "../keys/token.ts";

export interface OperatorTrust {
  /** Public nkeys of operators and their signing keys. */
  readonly keys: ReadonlySet<string>;
  /** Signing keys of operators under which accounts sign by signing keys alone. */
  readonly strictKeys: ReadonlySet<string>;
}

export function trustIn(operators: readonly OperatorClaims[], keys: readonly string[]): OperatorTrust {
  return {
    keys: new Set([...keys, ...operators.flatMap(trustedKeysOf)]),
    strictKeys: new Set(
      operators.filter(({ isStrict }) => isStrict).flatMap(({ signingKeys }) => signingKeys),
    ),
  };
}

/** The claims of an account that may be in force now. Throws BadJwt. */
export function verifiedAccount(
  name: string,
  jwt: string,
  trust: OperatorTrust,
  nowMs: number,
): AccountClaims {
  const claims = readAccountClaims(jwt);
  if (!trust.keys.has(claims.issuer)) throw new BadJwt("Account JWT not signed by trusted operator");
  const problem = over(claims, nowMs) ?? untimely(claims.token, nowMs) ?? accountProblems(claims)[0];
  if (problem !== undefined && problem !== null)
    throw new BadJwt(`Account JWT validation failed: ${problem}`);
  if (claims.subject !== name) throw new BadJwt("Account JWT is for another account");
  return claims;
}

/** An account ends as its last second begins, and does not come back within it. */
function over({ token: { expires } }: AccountClaims, nowMs: number): string | null {
  return expires > 0 && expires * 1000 <= nowMs ? "claim is expired" : null;
}
