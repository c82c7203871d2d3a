/**
 * `cluster.permissions`: which subjects cross the routes of this server. `import` bounds what comes in (interest is told only
 * for these subjects, messages on others are dropped), `export` what goes out (the peers' interest in others is not kept).
 */
import { hasWildcard, subjectMatches } from "../../subject/subject.ts";

export interface SubjectRules {
  /** null: everything. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

export interface RoutePermissions {
  readonly import: SubjectRules | null;
  readonly export: SubjectRules | null;
}

/** Whether the rules let this subject (or pattern) through. A pattern passes when an allowed one covers all of it. */
export function permits(rules: SubjectRules | null, subject: string): boolean {
  if (rules === null) return true;
  const isAllowed = rules.allow === null || rules.allow.some((pattern) => covers(pattern, subject));
  return isAllowed && !rules.deny.some((pattern) => covers(pattern, subject));
}

/** The pattern's wildcards stand for the subject's wildcards, too: `a.>` covers `a.*` and `a.>`; `a.*` does not cover `a.>`. */
function covers(pattern: string, subject: string): boolean {
  if (!hasWildcard(subject)) return subjectMatches(pattern, subject);
  const p = pattern.split(".");
  const s = subject.split(".");
  for (let i = 0; i < p.length; i++) {
    if (p[i] === ">") return s.length > i;
    if (i >= s.length || s[i] === ">") return false;
    if (p[i] !== "*" && p[i] !== s[i]) return false;
  }
  return p.length === s.length;
}
