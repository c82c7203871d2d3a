/**
 * Reads bytes as a token, and as the claims of a well-signed account and user. Whatever they are, the answer is claims or BadJwt. An
 * account that is taken imports nothing from an exporter that permits it nothing, and all that is made of it can be defined.
 */
import { assert } from "../src/base/assert.ts";
import { readAccountClaims, type AccountClaims } from "../src/auth/operator/account-claims.ts";
import { accountProblems } from "../src/auth/operator/account-problems.ts";
import type { AccountInForce } from "../src/auth/operator/accounts.ts";
import { readActivation } from "../src/auth/operator/activation.ts";
import { checkUserToken, readUserToken, userIn } from "../src/auth/operator/user-jwt.ts";
import { permissionsOf } from "../src/auth/operator/user-terms.ts";
import { Permissions } from "../src/core/permissions.ts";
import { BadJwt } from "../src/keys/jwt.ts";
import { newNkey, type SigningNkey } from "../src/keys/nkey.ts";
import { readOperatorClaims } from "../src/keys/operator-claims.ts";
import { definitionOf } from "../src/operator/definition.ts";
import { mappingClaimProblems } from "../src/operator/mappings.ts";

const NOW_MS = 1_800_000_000_000;
const HEADER = Buffer.from('{"typ":"JWT","alg":"ed25519-nkey"}').toString("base64url");
const operator = newNkey("operator");
const account = newNkey("account");
const exporter = newNkey("account");
const user = newNkey("user");

function signed(claims: string, signer: SigningNkey): string {
  const text = `${HEADER}.${Buffer.from(claims).toString("base64url")}`;
  return `${text}.${signer.sign(text)}`;
}

function wrapped(type: string, subject: SigningNkey, issuer: SigningNkey, nats: string): string {
  const inner = nats.trimStart().startsWith("{") ? nats.trimStart().slice(1) : `"x":${nats}}`;
  const text = `"iss":"${issuer.publicKey}","sub":"${subject.publicKey}","nats":{"type":"${type}","version":2,`;
  return signed(`{${text}${inner}}`, issuer);
}

/** Everything is exported, with a token. */
const GUARDED = wrapped(
  "account",
  exporter,
  operator,
  '{"limits":{"exports":-1,"wildcards":true,"imports":-1},"exports":[{"subject":">","type":"stream","token_req":true},{"subject":">","type":"service","token_req":true}]}',
);
const guarded = inForce(readAccountClaims(GUARDED));

export const dictionary = (
  "imports exports limits signing_keys revocations default_permissions mappings authorization trace subject account type stream service " +
  "token local_subject to share pub sub allow deny resp max ttl src times start end times_location subs payload kind user_scope key template tags"
)
  .split(" ")
  .flatMap((name) => [`"${name}":`, `"${name}":[`, `"${name}":{`])
  .concat([
    `"${exporter.publicKey}"`,
    `"${account.publicKey}"`,
    '{"',
    '"}',
    "],",
    "{{name()}}",
    "{{tag(x)}}",
    "-1",
    "1e9",
    "null",
  ]);

function inForce(claims: AccountClaims): AccountInForce {
  return { claims, isStrict: false, isOver: false, isComplete: true, updatedMs: 0 };
}

export function fuzz(bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString("utf8");
  for (const read of [readAccountClaims, readUserToken, readOperatorClaims, readActivation])
    attempt(() => void read(text));
  attempt(() => judgeAccount(wrapped("account", account, operator, text)));
  attempt(() => judgeUser(wrapped("user", user, account, text)));
  attempt(() => void readActivation(wrapped("activation", account, exporter, text)));
  attempt(() => void readOperatorClaims(wrapped("operator", operator, operator, text)));
}

function judgeAccount(jwt: string): void {
  const claims = readAccountClaims(jwt);
  if (accountProblems(claims).length > 0) return;
  mappingClaimProblems(claims.mappings);
  const { links } = definitionOf(claims, {
    nowMs: NOW_MS,
    account: (name) =>
      name === exporter.publicKey ? guarded : name === account.publicKey ? inForce(claims) : null,
    linksOf: () => [],
  });
  assert(
    links.every((link) => link.exporter !== exporter.publicKey),
    "nothing is imported without a token",
  );
}

function judgeUser(jwt: string): void {
  const token = readUserToken(jwt);
  checkUserToken(token, NOW_MS);
  const rules = permissionsOf(token.terms.permissions);
  if (rules !== null) void new Permissions(rules);
  userIn(token, guarded);
}

function attempt(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof BadJwt)) throw error;
  }
}
