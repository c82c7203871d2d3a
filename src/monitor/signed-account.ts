/** What `/accountz` shows of an account that an operator has signed: its token, the claims in it, and what is wrong with them now. */
import { parseJson } from "../base/json.ts";
import type { AccountClaims, ExportClaim } from "../auth/operator/account-claims.ts";
import type { AccountInForce } from "../auth/operator/accounts.ts";
import { goTime } from "./go-format.ts";

const MS = 1000;

export function signedFields({ claims }: AccountInForce, nowMs: number): object {
  return {
    jwt: claims.jwt,
    issuer_key: claims.issuer,
    tags: claims.tags.length === 0 ? undefined : claims.tags,
    decoded_jwt: claimsIn(claims.jwt),
    validation_result_jwt: orNone(problemsOf(claims, nowMs)),
    revoked_user: revocationFields(claims.revocations),
  };
}

/** What the claims add to an export. */
export function exportTerms(
  account: AccountInForce | null,
  type: "stream" | "service",
  subject: string,
): object {
  const isIt = (one: ExportClaim | null): boolean => one?.kind === type && one.subject === subject;
  const found = account?.claims.exports.find(isIt) ?? null;
  if (found === null) return {};
  return {
    token_req: found.needsToken ? true : undefined,
    revoked_activations: revocationFields(found.revocations),
  };
}

/** The second part of a token that was verified, as it was signed. */
export function claimsIn(jwt: string): unknown {
  return parseJson(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")) ?? {};
}

/** In the words of nats-server. What would block the account has not been put in force. */
function problemsOf({ token, imports }: AccountClaims, nowMs: number): object[] {
  const now = Math.floor(nowMs / MS);
  const problem = (description: string, isOfTime: boolean): object => ({
    description,
    blocking: false,
    time_check: isOfTime,
  });
  return [
    ...(token.expires > 0 && now > token.expires ? [problem("claim is expired", true)] : []),
    ...(token.notBefore > now ? [problem("claim is not yet valid", true)] : []),
    ...imports
      .filter((one) => one !== null && one.to !== "")
      .map(() => problem("the field to has been deprecated (use LocalSubject instead)", false)),
  ];
}

function revocationFields(revocations: ReadonlyMap<string, number>): object | undefined {
  if (revocations.size === 0) return undefined;
  return Object.fromEntries(Array.from(revocations, ([key, seconds]) => [key, goTime(seconds * MS)]));
}

function orNone(list: readonly object[]): readonly object[] | undefined {
  return list.length === 0 ? undefined : list;
}
