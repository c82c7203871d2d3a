/**
 * `cluster.permissions`: which subjects cross the routes of this server. `import` bounds what comes in (interest is told only
 * for these subjects, messages on others are dropped), `export` what goes out (the peers' interest in others is not kept, and of
 * patterns messages on others are left out). nats-server lets messages in that `import` denies where a wider pattern asks for them.
 */
import type { SubjectRules } from "../../core/permissions.ts";
import { subjectCovers } from "../../subject/subject.ts";

export interface RoutePermissions {
  readonly import: SubjectRules | null;
  readonly export: SubjectRules | null;
}

/** Whether the rules let this subject (or pattern) through. A pattern passes when an allowed one covers all of it. */
export function permits(rules: SubjectRules | null, subject: string): boolean {
  if (rules === null) return true;
  const isAllowed = rules.allow === null || rules.allow.some((pattern) => subjectCovers(pattern, subject));
  return isAllowed && !rules.deny.some((pattern) => subjectCovers(pattern, subject));
}
