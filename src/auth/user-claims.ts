/**
 * Reads what the JWT of a user grants: permissions, limits, connection types, source addresses and hours. Throws BadJwt if a claim is
 * malformed; the caller decides everything else.
 */
import type { ResponseRules, UserPermissions } from "../core/permissions.ts";
import { toByteString } from "../protocol/info.ts";
import { isValidSubject } from "../subject/subject.ts";
import { addressRange, type AddressRange } from "./address-range.ts";
import {
  BadJwt,
  flagOf,
  recordOf,
  recordsOf,
  textOf,
  textsOf,
  wholeOf,
  type AccountJwt,
  type Claims,
} from "../keys/jwt.ts";
import { connectableMs, type UserHours } from "./user-times.ts";

export interface UserClaims {
  /** null: everything. */
  readonly permissions: UserPermissions | null;
  /** null: no limit. */
  readonly maxSubscriptions: number | null;
  readonly maxPayloadBytes: number | null;
  /** In upper case; empty: all. */
  readonly connectionTypes: readonly string[];
  /** Empty: everywhere. */
  readonly sources: readonly AddressRange[];
  /** null: at any time; 0: not now. */
  readonly connectableMs: number | null;
  readonly needsProxy: boolean;
  /** "": none. */
  readonly issuerAccount: string;
}

/** `reserved`: subjects that are not for the user, whatever its permissions say. */
export function userClaims({ nats }: AccountJwt, nowMs: number, reserved: readonly string[]): UserClaims {
  // The claim `data` is checked but has no effect, as in nats-server.
  wholeOf(nats, "data", -1);
  return {
    permissions: permissionsOf(nats, reserved),
    maxSubscriptions: limitOf(nats, "subs"),
    maxPayloadBytes: limitOf(nats, "payload"),
    connectionTypes: textsOf(nats, "allowed_connection_types").map((type) => type.toUpperCase()),
    sources: sourcesOf(textsOf(nats, "src")),
    connectableMs: connectableMs(hoursOf(nats), nowMs),
    needsProxy: flagOf(nats, "proxy_required"),
    issuerAccount: textOf(nats, "issuer_account"),
  };
}

function hoursOf(nats: Claims): UserHours {
  return {
    times: recordsOf(nats, "times").map((range) => ({
      start: textOf(range, "start"),
      end: textOf(range, "end"),
    })),
    zone: textOf(nats, "times_location"),
  };
}

/** Absent or negative: none. */
function limitOf(nats: Claims, name: string): number | null {
  const limit = wholeOf(nats, name, -1);
  return limit < 0 ? null : limit;
}

function sourcesOf(texts: readonly string[]): readonly AddressRange[] {
  return texts.map((text) => {
    const range = addressRange(text);
    if (range === null) throw new BadJwt(`invalid cidr ${JSON.stringify(text)} in user src limits`);
    return range;
  });
}

/** null: everything. */
function permissionsOf(nats: Claims, reserved: readonly string[]): UserPermissions | null {
  const rules: UserPermissions = {
    publish: denying(rulesOf(recordOf(nats, "pub"), isSubject), reserved),
    subscribe: denying(rulesOf(recordOf(nats, "sub"), isSubjectAndQueue), reserved),
    responses:
      nats["resp"] === undefined || nats["resp"] === null ? null : responsesOf(recordOf(nats, "resp")),
  };
  return rules.publish === null && rules.subscribe === null && rules.responses === null ? null : rules;
}

function rulesOf(claims: Claims, isValid: (text: string) => boolean): UserPermissions["publish"] {
  const [allow, deny] = [textsOf(claims, "allow"), textsOf(claims, "deny")].map((list) =>
    list.map((text) => {
      if (!isValid(text)) throw new BadJwt(`subject ${JSON.stringify(text)} makes no sense in permissions`);
      return toByteString(text);
    }),
  );
  if (allow!.length === 0 && deny!.length === 0) return null;
  return { allow: allow!.length === 0 ? null : allow!, deny: deny! };
}

/** `rules` without the right to `subjects`. */
export function denying(
  rules: UserPermissions["publish"],
  subjects: readonly string[],
): UserPermissions["publish"] {
  if (subjects.length === 0) return rules;
  return { allow: rules?.allow ?? null, deny: [...(rules?.deny ?? []), ...subjects] };
}

function isSubject(text: string): boolean {
  return !/\s/.test(text) && isValidSubject(text);
}

function isSubjectAndQueue(text: string): boolean {
  const parts = text.split(" ");
  return parts.length <= 2 && parts.every(isSubject);
}

/** As in the configuration: 0 is the default, negative means no limit. */
const RESPONSES: ResponseRules = { max: 1, expiresMs: 2 * 60_000 };

function responsesOf(claims: Claims): ResponseRules {
  const expiresMs = wholeOf(claims, "ttl") / 1_000_000;
  return { max: wholeOf(claims, "max") || RESPONSES.max, expiresMs: expiresMs || RESPONSES.expiresMs };
}
