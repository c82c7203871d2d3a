/**
 * What a user may do and from where, as the claims of a user or the template of a scoped signing key have it, and the rules that such
 * terms must keep. Reading throws BadJwt; what is well-formed and still wrong is a problem in nats-server's words.
 */
import type { SubjectRules, UserPermissions } from "../../core/permissions.ts";
import { fieldOf, fields, fieldsList, flag, text, texts, whole } from "../../keys/claim-fields.ts";
import type { Claims } from "../../keys/jwt.ts";
import { toByteString } from "../../protocol/info.ts";
import { isValidSubject } from "../../subject/subject.ts";
import { addressRange } from "../address-range.ts";
import type { TimeRange } from "../user-times.ts";

export interface PermissionClaims {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface PermissionsClaims {
  readonly publish: PermissionClaims;
  readonly subscribe: PermissionClaims;
  /** null: none. */
  readonly responses: { readonly max: number; readonly ttlNs: number } | null;
}

export interface UserTerms {
  readonly permissions: PermissionsClaims;
  readonly sources: readonly string[];
  readonly times: readonly TimeRange[];
  /** "": that of the server. */
  readonly zone: string;
  /** -1: no limit. */
  readonly maxSubscriptions: number;
  readonly maxPayloadBytes: number;
  readonly isBearer: boolean;
  readonly needsProxy: boolean;
  readonly connectionTypes: readonly string[];
}

/** Most users have none, and share these. */
const NO_RULES: PermissionClaims = { allow: [], deny: [] };
const NO_PERMISSIONS: PermissionsClaims = { publish: NO_RULES, subscribe: NO_RULES, responses: null };
const TERMS = [
  "pub sub resp src times times_location subs data payload",
  "bearer_token proxy_required allowed_connection_types",
]
  .join(" ")
  .split(" ");
const NS_PER_MS = 1_000_000;
const ANSWERS_DEFAULT = 1;
const ANSWERS_DEFAULT_MS = 120_000;
const DURATION = /^(\d{1,2}):(\d{2}):(\d{2})(?:[.,]\d+)?$/;

/** `absent`: limits that are not named. */
export function readTerms(nats: Claims, absent: 0 | -1): UserTerms {
  whole(nats, "data"); // has no effect, as in nats-server
  return {
    permissions: readPermissions(nats),
    sources: readSources(nats),
    times: fieldsList(nats, "times").map((range) => ({
      start: text(range ?? {}, "start"),
      end: text(range ?? {}, "end"),
    })),
    zone: text(nats, "times_location"),
    maxSubscriptions: limitOf(nats, "subs", absent),
    maxPayloadBytes: limitOf(nats, "payload", absent),
    isBearer: flag(nats, "bearer_token"),
    needsProxy: flag(nats, "proxy_required"),
    connectionTypes: texts(nats, "allowed_connection_types").map((type) => type.toUpperCase()),
  };
}

/** Whether the claims set no term at all, as those of a user of a scoped signing key have to. An empty list is a term. */
export function setsNoTerms(nats: Claims): boolean {
  return TERMS.every((name) => isZero(fieldOf(nats, name), name));
}

function isZero(value: unknown, name: string): boolean {
  if (value === undefined || value === "" || value === 0 || value === false) return true;
  if ((name !== "pub" && name !== "sub") || typeof value !== "object" || value === null) return false;
  return Object.values(value).every((one) => one === null);
}

/** Every negative number is one limit less. */
function limitOf(nats: Claims, name: string, absent: 0 | -1): number {
  const limit = fieldOf(nats, name) === undefined ? absent : whole(nats, name);
  return limit < 0 ? -1 : limit;
}

export function readPermissions(claims: Claims): PermissionsClaims {
  const responses = fieldOf(claims, "resp");
  const rules = responses === undefined ? null : fields(claims, "resp");
  const publish = readPermission(fields(claims, "pub"));
  const subscribe = readPermission(fields(claims, "sub"));
  if (publish === NO_RULES && subscribe === NO_RULES && rules === null) return NO_PERMISSIONS;
  return {
    ...{ publish, subscribe },
    responses: rules === null ? null : { max: whole(rules, "max"), ttlNs: whole(rules, "ttl") },
  };
}

function readPermission(claims: Claims): PermissionClaims {
  const rules = { allow: texts(claims, "allow"), deny: texts(claims, "deny") };
  return rules.allow.length + rules.deny.length === 0 ? NO_RULES : rules;
}

/** A list, or one text with commas. */
function readSources(nats: Claims): readonly string[] {
  const value = fieldOf(nats, "src");
  if (typeof value !== "string") return texts(nats, "src");
  const ranges = value.split(",").map((one) => one.trim().toLowerCase());
  return [...new Set(ranges)].filter((range) => range !== "");
}

/** null: everything. */
export function permissionsOf({ publish, subscribe, responses }: PermissionsClaims): UserPermissions | null {
  const rules: UserPermissions = {
    publish: rulesOf(publish),
    subscribe: rulesOf(subscribe),
    responses:
      responses === null
        ? null
        : {
            max: responses.max || ANSWERS_DEFAULT,
            expiresMs: responses.ttlNs / NS_PER_MS || ANSWERS_DEFAULT_MS,
          },
  };
  return rules.publish === null && rules.subscribe === null && rules.responses === null ? null : rules;
}

/** Subjects that cannot be matched are left out; where that leaves no allowed one, nothing is allowed. */
function rulesOf({ allow, deny }: PermissionClaims): SubjectRules | null {
  if (allow.length === 0 && deny.length === 0) return null;
  const inBytes = (subjects: readonly string[]): string[] =>
    subjects.filter((one) => isValidSubject(one.split(" ", 1)[0]!)).map(toByteString);
  return { allow: allow.length === 0 ? null : inBytes(allow), deny: inBytes(deny) };
}

export function permissionProblems({ publish, subscribe }: PermissionsClaims): string[] {
  return [
    ...[...subscribe.allow, ...subscribe.deny].flatMap((one) => ruleProblems(one, true)),
    ...[...publish.allow, ...publish.deny].flatMap((one) => ruleProblems(one, false)),
  ];
}

function ruleProblems(rule: string, mayNameQueue: boolean): string[] {
  const [subject = "", queue, ...rest] = rule.split(" ");
  if (rest.length > 0) return [`Permission Subject "${rule}" contains too many spaces`];
  const problems = subjectProblems(subject);
  if (queue === undefined) return problems;
  problems.push(...subjectProblems(queue));
  if (!mayNameQueue) problems.push(`Permission Subject "${rule}" is not allowed to contain queue`);
  return problems;
}

export function subjectProblems(subject: string): string[] {
  if (subject === "") return ["subject cannot be empty"];
  const shown = JSON.stringify(subject);
  return [
    ...(subject.includes(" ") ? [`subject ${shown} cannot have spaces`] : []),
    ...(subject.startsWith(".") || subject.endsWith(".")
      ? [`subject ${shown} cannot start or end with a \`.\``]
      : []),
    ...(subject.includes("..") ? [`subject ${shown} cannot contain consecutive \`.\``] : []),
  ];
}

export function limitProblems({ sources, times, zone }: UserTerms): string[] {
  return [
    ...sources
      .filter((range) => addressRange(range) === null)
      .map((range) => `invalid cidr ${JSON.stringify(range)} in user src limits`),
    ...times.flatMap(({ start, end }) => [
      ...timeProblems(start, "time ranges start must contain a start", "start"),
      ...timeProblems(end, "time ranges end must contain an end", "end"),
    ]),
    ...(zone === "" || isZone(zone)
      ? []
      : [`could not parse iana time zone by name: unknown time zone ${zone}`]),
  ];
}

function timeProblems(time: string, missing: string, which: string): string[] {
  if (time === "") return [missing];
  const [, hour = "", minute = "", second = ""] = DURATION.exec(time) ?? [];
  const isTime = hour !== "" && Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  return isTime ? [] : [`${which} in time range is invalid ${JSON.stringify(time)}`];
}

function isZone(zone: string): boolean {
  if (zone === "Local" || zone === "UTC") return true;
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
