/**
 * One style for every TypeScript file: how a file begins, and how private members, constants and parameters are written.
 * Pure functions over the text of a file; style.test.ts applies them. What oxlint has a rule for stands in .oxlintrc.json.
 */

/** A number that stands there as it is. */
const LOWER_CASE_CONSTANT = /^(?:export )?const ([a-z]\w*)(?:: number)? = -?[\d_.]+(?: \* [\d_.]+)*;/gm;
const HASH_PRIVATE = /(?:^\s+(?:(?:static|readonly|async|get|set) )*|\bthis\.)(#[a-z]\w*)/gm;
const EXPORTED_FUNCTION = /^export (?:async )?function\*? (\w+)(?:<[^>]*>)?\(([^{]*?)\)(?::|\s*\{)/gm;
const BOOLEAN_PARAMETER = /\w+\??: boolean\b|\w+ = (?:true|false)\b/;
/** Comments that read as translated: clauses in place of a sentence with a subject, and words that nobody uses so. */
const TRANSLATED =
  /(?:\*|\/\/) (?:Who |Of (?:the|a|an|all) |What (?:is|was|has) |So many |There\.)|\bin the open\b|\bcame? to nothing\b|\ball the same\b|\banew\b|\bfor ever\b/;
const COMMENT_LINE = /^\s*(?:\/\*\*|\*|\/\/) .*$|\s\/\/ .*$/gm;
const IMPATIENT =
  /(?<![\w.])jetstream(?:Manager)?\([\w!.]+\)|\bnew (?:Kvm|Objm)\((?:nc|client)\)|\.request\([^(){}]*\)/;
const WAITS_FOR_EXIT = /(?<!\.)\bonce\([\w.!]+, "exit"\)/;

/** Breaches of the style in one file; empty: none. */
export function styleBreaches(file: string, source: string): string[] {
  const found: string[] = [];
  const text = source.replace(/^#!.*\n/, "");
  if (/^\/\/(?! ?@)/.test(text)) found.push(`${file}: the header is not a /** … */`);
  if (/^\/\*\*(?:[^*]|\*(?!\/))*\*\/\n\n+import /.test(text))
    found.push(`${file}: a blank line between header and imports`);
  for (const [, name] of source.matchAll(HASH_PRIVATE)) found.push(`${file}: ${name} is not private by word`);
  for (const [, name] of source.matchAll(LOWER_CASE_CONSTANT))
    found.push(`${file}: the constant ${name} is not in UPPER_CASE`);
  if (WAITS_FOR_EXIT.test(source))
    found.push(`${file}: waits for "exit", after which output may still come: wait for "close"`);
  if (file.startsWith("test/") && /from "@nats-io\/(?!nkeys)/.test(source)) {
    const [call] = (IMPATIENT.exec(source) ?? []).filter((found) => !/timeout|PATIEN|, \w+$/i.test(found));
    if (call !== undefined) found.push(`${file}: ${call} gives up after seconds: tell it PATIENT`);
  }
  for (const [line] of source.matchAll(COMMENT_LINE)) {
    const [words] = TRANSLATED.exec(line) ?? [];
    if (words !== undefined)
      found.push(`${file}: a comment says "${words}": write a sentence with a subject`);
  }
  for (const [, name, parameters = ""] of source.matchAll(EXPORTED_FUNCTION)) {
    if (BOOLEAN_PARAMETER.test(parameters.replace(/\([^()]*\)/g, "")))
      found.push(`${file}: ${name} takes a boolean`);
  }
  return [...new Set(found)];
}
