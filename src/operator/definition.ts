/**
 * Defines an account by its claims: limits, exports, and the imports that other accounts permit. Pure. An import is in force only if its
 * exporter's claims export the subject to everybody, to this account by its name in the subject, or by an activation token
 * that the exporter has signed, not revoked, and that is valid now.
 */
import { assert } from "../base/assert.ts";
import { BadJwt } from "../keys/jwt.ts";
import type {
  AccountDefinition,
  AccountLimits,
  ExportDefinition,
  ServiceExportDefinition,
  TraceDefinition,
} from "../core/definitions.ts";
import { toByteString } from "../protocol/info.ts";
import { cycleProblem, linkOf, mappingProblem, type ImportLink } from "../subject/import-rules.ts";
import { isValidLiteralSubject, isValidSubject, subjectCovers } from "../subject/subject.ts";
import {
  usesJetStream,
  type AccountClaims,
  type ExportClaim,
  type ImportClaim,
} from "../auth/operator/account-claims.ts";
import { importProblems } from "../auth/operator/account-problems.ts";
import type { AccountInForce } from "../auth/operator/accounts.ts";
import { readActivation } from "../auth/operator/activation.ts";
import { isRevoked, scopeOf } from "../auth/operator/user-jwt.ts";
import { untimely } from "../keys/token.ts";

const RESPONSE_TYPES = { Stream: "stream", Chunked: "chunked" } as const;
const RESPONSE_THRESHOLD_MS = 120_000;
const NS_PER_MS = 1_000_000;
const PERCENT = 100;

export interface DefiningWorld {
  readonly nowMs: number;
  /** null: not known here. */
  account(name: string): AccountInForce | null;
  /** Imports that are in force. */
  linksOf(this: void, account: string): readonly ImportLink[];
}

export interface Defined {
  readonly rest: Omit<AccountDefinition, "name">;
  readonly links: readonly ImportLink[];
  /** Imports that are not in force, with the reason. */
  readonly refused: readonly {
    readonly subject: string;
    readonly exporter: string;
    readonly reason: string;
  }[];
  /** When the first activation token expires; null: none does. */
  readonly expiresMs: number | null;
}

interface CheckedImport {
  readonly kind: "stream" | "service";
  readonly account: string;
  /** There, and here. */
  readonly subject: string;
  readonly to: string;
  readonly share: boolean;
  readonly allowTrace: boolean;
}

export function definitionOf(claims: AccountClaims, surroundings: DefiningWorld): Defined {
  const imports: CheckedImport[] = [];
  const links: ImportLink[] = [];
  const refused: { subject: string; exporter: string; reason: string }[] = [];
  const expiries: number[] = [];
  const own = {
    ...surroundings,
    linksOf: (name: string) => (name === claims.subject ? links : surroundings.linksOf(name)),
  };
  for (const one of claims.imports) {
    if (one === null) continue;
    const checked = checkedImport(one);
    const problem = importProblem(one, checked, {
      importer: claims.subject,
      links,
      surroundings: own,
      expiries,
    });
    if (problem !== null) refused.push({ subject: one.subject, exporter: one.account, reason: problem });
    else {
      imports.push(checked);
      links.push(linkOf(checked.account, checked));
    }
  }
  assert(links.length === imports.length, "what is in force is what circles are looked for in");
  const exports = claims.exports.filter(
    (one) => one !== null && isValidSubject(one.subject),
  ) as ExportClaim[];
  return {
    rest: {
      limits: limitsOf(claims),
      streamExports: exports.filter(({ kind }) => kind === "stream").map(exportDefinition),
      serviceExports: exports.filter(({ kind }) => kind === "service").map(serviceDefinition),
      streamImports: imports.filter(({ kind }) => kind === "stream").map(inBytes),
      serviceImports: imports.filter(({ kind }) => kind === "service").map(inBytes),
      usesJetStream: usesJetStream(claims),
      trace: traceOf(claims),
    },
    links,
    refused,
    expiresMs: expiries.length === 0 ? null : Math.min(...expiries),
  };
}

function inBytes<T extends CheckedImport>(one: T): T {
  return { ...one, subject: toByteString(one.subject), to: toByteString(one.to) };
}

/** What claims call the subject is the publisher's: the exporter's of streams, the importer's of services. */
function checkedImport({
  kind,
  account,
  subject,
  to,
  localSubject,
  share,
  allowTrace,
}: ImportClaim): CheckedImport {
  const common = { account, share, allowTrace };
  if (kind !== "service") {
    const prefixed = to === "" ? subject : `${to.endsWith(".") ? to : `${to}.`}${subject}`;
    return { kind: "stream", subject, to: localSubject || prefixed, ...common };
  }
  if (localSubject !== "") return { kind, subject, to: localSubject, ...common };
  return { kind, subject: to || subject, to: subject, ...common };
}

interface Importing {
  readonly importer: string;
  /** Those before it. */
  readonly links: readonly ImportLink[];
  readonly surroundings: DefiningWorld;
  readonly expiries: number[];
}

function importProblem(one: ImportClaim, checked: CheckedImport, about: Importing): string | null {
  const { importer, links, surroundings, expiries } = about;
  const { kind, account, subject, to } = checked;
  const exporter = surroundings.account(account);
  if (exporter === null) return "account missing";
  if (!isValidSubject(subject) || !isValidSubject(to)) return "invalid subject";
  if (
    kind === "stream" &&
    one.localSubject === "" &&
    one.to !== "" &&
    !isValidLiteralSubject(one.to.replace(/\.$/, ""))
  )
    return "stream import prefix can not contain wildcard tokens";
  const expiresMs = approvedUntil(exporter, { one, subject, kind, importer }, surroundings.nowMs);
  if (expiresMs === null) return `${kind} import not authorized`;
  const isTwice = (link: ImportLink): boolean =>
    link.kind === kind &&
    link.exporter === account &&
    (kind === "stream"
      ? link.there === linkOf(account, checked).there
      : link.here === linkOf(account, checked).here);
  if (links.some(isTwice)) return `${kind} import already exists`;
  const exports = (name: string, wanted: string): boolean =>
    surroundings
      .account(name)
      ?.claims.exports.some((each) => each?.kind === "stream" && subjectCovers(each.subject, wanted)) ===
    true;
  const problem =
    mappingProblem(checked) ??
    cycleProblem(importer, account, checked, { exportsStream: exports, linksOf: surroundings.linksOf });
  if (problem === null && expiresMs < Infinity) expiries.push(expiresMs);
  return problem;
}

interface Wanted {
  readonly one: ImportClaim;
  readonly subject: string;
  readonly kind: "stream" | "service";
  readonly importer: string;
}

/** When the permission of the exporter ends, by the export of this very subject or the first that covers it. null: it is not permitted. */
function approvedUntil(exporter: AccountInForce, wanted: Wanted, nowMs: number): number | null {
  const { kind, subject, importer } = wanted;
  const own = exporter.claims.exports.filter((each) => each?.kind === kind) as ExportClaim[];
  const exact = own.find((each) => each.subject === subject);
  const found = exact ?? own.find((each) => subjectCovers(each.subject, subject));
  if (found === undefined || exporter.isOver) return null;
  if (found.accountTokenPosition > 0)
    return subject.split(".")[found.accountTokenPosition - 1] === importer ? Infinity : null;
  return found.needsToken ? activatedUntil(exporter, found, wanted, nowMs) : Infinity;
}

function activatedUntil(
  exporter: AccountInForce,
  found: ExportClaim,
  { one, importer }: Wanted,
  nowMs: number,
): number | null {
  if (one.token === "" || importProblems(one, importer).length > 0) return null;
  try {
    const { token } = readActivation(one.token);
    if (token.issuerAccount !== "") {
      const isOwn = token.issuerAccount === exporter.claims.subject;
      if (!isOwn || scopeOf(token.issuer, exporter) === undefined) return null;
    }
    if (untimely(token, nowMs) !== null || isRevoked(found.revocations, token.subject, token.issuedAt))
      return null;
    if (token.expires === 0) return Infinity;
    return token.expires * 1000 <= nowMs ? null : token.expires * 1000;
  } catch (error) {
    if (!(error instanceof BadJwt)) throw error;
    return null;
  }
}

function limitsOf({ limits }: AccountClaims): AccountLimits {
  const orNone = (limit: number): number | null => (limit < 0 ? null : limit);
  return {
    maxConnections: orNone(limits.connections),
    maxLeafNodes: orNone(limits.leafNodes),
    maxSubscriptions: orNone(limits.subscriptions),
    maxPayloadBytes: orNone(limits.payloadBytes),
  };
}

/** Accounts that may import with a token are not listed. */
function exportDefinition({ subject, needsToken }: ExportClaim): ExportDefinition {
  return { subject: toByteString(subject), accounts: needsToken ? [] : null };
}

function serviceDefinition(one: ExportClaim): ServiceExportDefinition {
  const { responseType, responseThresholdNs, latency, allowTrace } = one;
  const isMeasured =
    latency !== null &&
    (responseType === "" || responseType === "Singleton") &&
    isValidLiteralSubject(latency.results);
  return {
    ...exportDefinition(one),
    responseType: RESPONSE_TYPES[responseType as keyof typeof RESPONSE_TYPES] ?? "singleton",
    responseThresholdMs: responseThresholdNs === 0 ? RESPONSE_THRESHOLD_MS : responseThresholdNs / NS_PER_MS,
    latency: isMeasured
      ? { subject: toByteString(latency.results), sampling: latency.sampling === 0 ? null : latency.sampling }
      : null,
    allowTrace,
  };
}

function traceOf({ trace }: AccountClaims): TraceDefinition | null {
  if (trace === null || !isValidLiteralSubject(trace.destination)) return null;
  return { destination: toByteString(trace.destination), sampling: trace.sampling || PERCENT };
}
