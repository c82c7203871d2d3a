/**
 * Judges the answer of a callout service: it must be for this server and this request, and the issuer must have signed both the answer
 * and the user in it. Pure. Every fault is a refusal, with nats-server's text for the log.
 */
import type { Permissions, UserPermissions } from "../../core/permissions.ts";
import type { Attempt } from "../attempt.ts";
import type { Grant, Verdict } from "../grant.ts";
import type { CalloutRules } from "./rules.ts";
import { shownUser } from "./request.ts";
import { BadJwt, readAccountJwt, textOf, timeProblem, type AccountJwt } from "../../keys/jwt.ts";
import { userClaims, type UserClaims } from "../user-claims.ts";
import { CONNECTION_TYPES } from "../../base/connection-type.ts";
import { isNkeyOf } from "../../keys/nkey.ts";

/** The subject of callout requests. Users of the callout account may not publish on it. */
export const CALLOUT_SUBJECT = "$SYS.REQ.USER.AUTH";
/** Requests and answers, which those whom the service admits to its own account neither see nor send. */
export const CALLOUT_SUBJECTS = [CALLOUT_SUBJECT, "$SYS._INBOX.>"];

/** The request, and what the judgement needs besides. */
export interface Question {
  readonly attempt: Attempt;
  /** The answer must be about this user. */
  readonly userNkey: string;
  readonly serverId: string;
  readonly rules: CalloutRules;
  readonly nowMs: number;
  permissionsOf(rules: UserPermissions): Permissions;
  /** Decrypts what the service encrypted; null: it cannot be decrypted. */
  open(sealed: Uint8Array): Uint8Array | null;
  isAccount(name: string): boolean;
}

const REASON_CHARS_MAX = 256;

export class Refused extends Error {
  readonly lacksProxy: boolean;

  constructor(reason: string, lacksProxy = false) {
    super(reason);
    this.lacksProxy = lacksProxy;
  }
}

export function judgeResponse(payload: Uint8Array, question: Question): Verdict {
  try {
    return { kind: "admitted", grant: grantOf(payload, question) };
  } catch (error) {
    return refusalFor(error);
  }
}

/** Throws what is neither Refused nor BadJwt. */
export function refusalFor(error: unknown): Verdict {
  if (!(error instanceof BadJwt || error instanceof Refused)) throw error;
  const { message } = error;
  const reason = `${message.slice(0, 1).toUpperCase()}${message.slice(1)}`.slice(0, REASON_CHARS_MAX);
  return {
    kind: "refused",
    reason,
    ...(error instanceof Refused && error.lacksProxy ? { lacksProxy: true } : {}),
  };
}

function grantOf(payload: Uint8Array, question: Question): Grant {
  const { attempt, rules, nowMs } = question;
  const user = readAccountJwt(answeredUser(payload, question, isOfIssuer), "user");
  const claims = checkedClaims(user, user.audience === rules.account, nowMs);
  if (claims.needsProxy && attempt.proxyKey === "") throw new Refused("proxy connection required", true);
  checkUser(user, claims, question);
  return {
    origin: { kind: "callout", rules },
    user: user.name || shownUser(attempt),
    account: user.audience,
    permissions: claims.permissions === null ? null : question.permissionsOf(claims.permissions),
    expiresInMs: remainingMs(user, claims, nowMs),
    maxSubscriptions: claims.maxSubscriptions,
    maxPayloadBytes: claims.maxPayloadBytes,
  };
}

function isOfIssuer({ issuer }: AccountJwt, { rules }: Question): boolean {
  return issuer === rules.issuer;
}

/** The user's token in an answer that `isSigned` by the service. Throws if the service refuses. */
export function answeredUser(
  payload: Uint8Array,
  question: Question,
  isSigned: (response: AccountJwt, question: Question) => boolean,
): string {
  const { rules, userNkey, serverId, nowMs } = question;
  const account = JSON.stringify(rules.account);
  if (payload.length === 0)
    throw new Refused(`auth callout violation: "no reason supplied" on account ${account}`);
  const isSealed = rules.xkey !== null && Buffer.from(payload.subarray(0, 3)).toString("latin1") !== "eyJ";
  const opened = isSealed ? question.open(payload) : payload;
  if (opened === null) throw new Refused(`error decrypting auth callout response on account ${account}`);
  const response = readAccountJwt(Buffer.from(opened).toString("latin1"), "authorization_response");
  const [token, refusal] = [textOf(response.nats, "jwt"), textOf(response.nats, "error")];
  const problem = responseProblem(response, token, refusal) ?? timeProblem(response, nowMs);
  if (problem !== null) throw new Refused(`authorization response had validation errors: ${problem}`);
  const violation = "auth callout violation: auth callout response is not for";
  if (response.subject !== userNkey) throw new Refused(`${violation} expected user`);
  if (response.audience !== serverId) throw new Refused(`${violation} server`);
  // Only the service could have encrypted it.
  if (!isSealed && !isSigned(response, question)) throw new Refused("auth callout signing key is unknown");
  if (refusal !== "") throw new Refused(`auth callout service returned an error: ${refusal}`);
  return token;
}

function responseProblem(response: AccountJwt, token: string, refusal: string): string | null {
  if (!isNkeyOf("user", response.subject)) return "Subject must be a user public key";
  if (!isNkeyOf("server", response.audience)) return "Audience must be a server public key";
  if (refusal === "" && token === "") return "Error or Jwt is required";
  if (refusal !== "" && token !== "") return "Only Error or Jwt can be set";
  const issuer = textOf(response.nats, "issuer_account");
  return issuer === "" || isNkeyOf("account", issuer) ? null : "issuer_account is not an account public key";
}

function checkedClaims(user: AccountJwt, isInCalloutAccount: boolean, nowMs: number): UserClaims {
  // nats-server writes a colon here, after which the log would redact the rest as a token.
  const invalid = (what: string): Refused => new Refused(`Error validating user JWT (${what})`);
  const problem = timeProblem(user, nowMs);
  if (problem !== null) throw invalid(problem);
  try {
    return userClaims(user, nowMs, isInCalloutAccount ? CALLOUT_SUBJECTS : []);
  } catch (error) {
    throw error instanceof BadJwt ? invalid(error.message) : error;
  }
}

function checkUser(user: AccountJwt, claims: UserClaims, question: Question): void {
  const { attempt, rules, userNkey } = question;
  const account = JSON.stringify(rules.account);
  const on = `authorized user on account ${account}`;
  if (user.subject !== userNkey)
    throw new Refused(
      `Expected authorized user of "${userNkey}" but got "${user.subject}" on account ${account}`,
    );
  if (claims.issuerAccount !== "")
    throw new Refused(`error non operator mode account ${account}: attempted to use issuer_account`);
  if (user.issuer !== rules.issuer) {
    const issuers = `expected "${rules.issuer}" got "${user.issuer}"`;
    throw new Refused(`wrong issuer for auth callout response on account ${account}, ${issuers}`);
  }
  if (!question.isAccount(user.audience)) {
    const asked = JSON.stringify(user.audience);
    throw new Refused(
      `no valid account ${asked} for auth callout response on account ${account}: account missing`,
    );
  }
  if (claims.connectableMs === 0) throw new Refused(`${on} outside of valid connect times`);
  const types = CONNECTION_TYPES.filter((type) => claims.connectionTypes.includes(type));
  if (types.length === 0 && claims.connectionTypes.length > 0)
    throw new Refused(`${on} using invalid connection type`);
  if (types.length > 0 && !types.includes(attempt.connectionType))
    throw new Refused(`${on} not allowed to use connection type`);
  if (claims.sources.length > 0 && !claims.sources.some((range) => range.has(attempt.address)))
    throw new Refused(`${on} not allowed to connect from its address`);
}

/** Time until the token expires or the user's hours end; null: no limit. */
function remainingMs({ expires }: AccountJwt, { connectableMs }: UserClaims, nowMs: number): number | null {
  if (expires === 0) return connectableMs;
  return Math.min(Math.max(0, expires * 1000 - nowMs), connectableMs ?? Infinity);
}
