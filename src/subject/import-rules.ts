/**
 * Rules for imports between accounts, wherever accounts come from: what can be mapped, and that imports lead to no cycle. As
 * nats-server, in its order and words. The search for cycles is bounded by CYCLE_DEPTH_MAX accounts.
 */
import { MappingError } from "./mapping-error.ts";
import { hasWildcard, subjectCovers, subjectsMeet } from "./subject.ts";
import { importTransform, sameDestination } from "./transform.ts";

const CYCLE_DEPTH_MAX = 1024;

type ImportKind = "stream" | "service";

/** An import that is in force: subjects with wildcards as wildcards. */
export interface ImportLink {
  readonly kind: ImportKind;
  readonly exporter: string;
  /** Here, and there. */
  readonly here: string;
  readonly there: string;
}

export interface LinkedAccounts {
  /** Whether the account exports a stream that covers the subject. */
  exportsStream(account: string, subject: string): boolean;
  linksOf(account: string): readonly ImportLink[];
}

interface ImportRule {
  readonly kind: ImportKind;
  /** Subject in the exporting account. */
  readonly subject: string;
  /** Subject in the importing account. */
  readonly to: string;
}

export function linkOf(exporter: string, { kind, subject, to }: ImportRule): ImportLink {
  return { kind, exporter, here: withWildcards(to), there: withWildcards(subject) };
}

/** null: the import can be mapped. */
export function mappingProblem({ kind, subject, to }: ImportRule): string | null {
  if (!hasWildcard(subject) || to === subject) return null;
  try {
    const transform = importTransform(subject, sameDestination(to));
    if (kind === "service") transform.reversed();
    return null;
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    const [from, into] = kind === "stream" ? [subject, to] : [to, subject];
    return `failed to create mapping transform for ${kind} import subject from "${from}" to "${into}": ${error.message}`;
  }
}

/** Whether this import of `importer`, which is not in force yet, would lead back to it. null: no. */
export function cycleProblem(
  importer: string,
  exporter: string,
  one: ImportRule,
  accounts: LinkedAccounts,
): string | null {
  const subjects = one.kind === "stream" ? [one.to, one.subject] : [withWildcards(one.to)];
  for (const subject of subjects) {
    const search = { kind: one.kind, visited: new Set([importer]), accounts };
    const problem = problemFrom(exporter, subject, search);
    if (problem !== null) return problem;
  }
  return null;
}

interface Search {
  readonly kind: ImportKind;
  readonly visited: Set<string>;
  readonly accounts: LinkedAccounts;
}

/** Whether what `account` imports on this subject leads back to an account visited before. */
function problemFrom(account: string, subject: string, search: Search): string | null {
  const { kind, visited, accounts } = search;
  if (visited.size >= CYCLE_DEPTH_MAX) return "search cycle depth exhausted";
  if (kind === "stream" && !accounts.exportsStream(account, subject)) return null;
  for (const link of accounts.linksOf(account)) {
    const meets = kind === "stream" ? link.here : link.there;
    if (link.kind !== kind || !subjectsMeet(subject, meets)) continue;
    if (visited.has(link.exporter)) return "import forms a cycle";
    visited.add(account);
    const next = subjectCovers(subject, link.here) ? link.here : subject;
    const problem = problemFrom(link.exporter, next, search);
    if (problem !== null) return problem;
  }
  return null;
}

/** `a.$1.{{wildcard(2)}}` as `a.*.*`. */
function withWildcards(subject: string): string {
  return subject
    .split(".")
    .map((token) => (/^(\$[1-9].*|\{\{\s*wildcard\(.*\)\s*\}\})$/i.test(token) ? "*" : token))
    .join(".");
}
