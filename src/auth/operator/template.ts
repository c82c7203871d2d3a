/**
 * Fills in the template of a scoped signing key for one user: `{{name()}}`, `{{subject()}}`, `{{account-name()}}`,
 * `{{account-subject()}}`, `{{tag(x)}}` and `{{account-tag(x)}}`. A tag that occurs several times makes several subjects.
 *
 * Bounded: a list grows to EXPANSIONS_MAX subjects; a user for whom it would grow longer is refused.
 */
import { assertOwn } from "../../base/assert.ts";
import { BadJwt } from "../../keys/jwt.ts";
import { isValidSubject } from "../../subject/subject.ts";
import type { PermissionClaims, PermissionsClaims } from "./user-terms.ts";

export interface TemplateValues {
  readonly name: string;
  readonly subject: string;
  readonly tags: readonly string[];
  readonly accountName: string;
  readonly accountSubject: string;
  readonly accountTags: readonly string[];
}

const EXPANSIONS_MAX = 4096;
const FUNCTION = /\{\{([^}]+)\}\}/g;
/** Takes the place of a tag that the user does not have: no subject has a blank. */
const NOTHING = [" "];

/** Throws BadJwt where a denied subject cannot be made, or the template makes no sense. */
export function filledIn(template: PermissionsClaims, values: TemplateValues): PermissionsClaims {
  return {
    publish: filledInRules(template.publish, values),
    subscribe: filledInRules(template.subscribe, values),
    responses: template.responses,
  };
}

/** Where no allowed subject is left, everything is denied. */
function filledInRules({ allow, deny }: PermissionClaims, values: TemplateValues): PermissionClaims {
  const allowed = expandAll(allow, values, "leaves out");
  const denied = expandAll(deny, values, "refuses");
  return { allow: allowed, deny: allow.length > 0 && allowed.length === 0 ? [...denied, ">"] : denied };
}

/** `onInvalid`: what happens about a subject that cannot be made. */
function expandAll(
  subjects: readonly string[],
  values: TemplateValues,
  onInvalid: "leaves out" | "refuses",
): readonly string[] {
  if (!subjects.some((subject) => subject.search(FUNCTION) >= 0)) return subjects;
  const made: string[] = [];
  for (const subject of subjects) {
    const sources = subject.match(FUNCTION) ?? [];
    const choices = sources.map((source) => choicesFor(source, values, onInvalid));
    const count = choices.reduce((product, { length }) => product * length, 1);
    if (made.length + count > EXPANSIONS_MAX) throw new BadJwt("template expansion exceeds limit");
    for (const one of products(subject, sources, choices)) {
      if (isValidSubject(one) && !/[\s]/.test(one)) made.push(one);
      else if (onInvalid === "refuses") throw new BadJwt("generated invalid subject");
    }
  }
  assertOwn(made.length <= EXPANSIONS_MAX, "a list of a template stays within its bound");
  return made;
}

function products(
  subject: string,
  sources: readonly string[],
  choices: readonly (readonly string[])[],
): string[] {
  let made = [subject];
  for (const [index, source] of sources.entries())
    made = made.flatMap((one) => choices[index]!.map((value) => one.replaceAll(source, () => value)));
  return made;
}

function choicesFor(
  source: string,
  values: TemplateValues,
  onInvalid: "leaves out" | "refuses",
): readonly string[] {
  const operation = source.slice(2, -2).trim();
  switch (operation.toLowerCase()) {
    case "name()":
      return [values.name];
    case "subject()":
      return [values.subject];
    case "account-name()":
      return [values.accountName];
    case "account-subject()":
      return [values.accountSubject];
  }
  const [, which, tag] = /^(tag|account-tag)\((.*)\)$/i.exec(operation) ?? [];
  if (which === undefined || tag === undefined)
    throw new BadJwt("a template has an operation that is not defined");
  const prefix = `${tag.toLowerCase()}:`;
  const tags = which.toLowerCase() === "tag" ? values.tags : values.accountTags;
  const found = tags.filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length));
  if (found.length > 0) return found;
  if (onInvalid === "refuses")
    throw new BadJwt(`generated invalid subject: ${JSON.stringify(tag)} is not defined`);
  return NOTHING;
}
