/**
 * Reads JSON from clients, servers, requests and tokens. Nesting is bounded before parsing, since later code (comparing, writing) recurses
 * over the values. Fields are checked against a table before other code sees them.
 *
 * Invariant: results of `parseJson` are nested no deeper than JSON_DEPTH_MAX, and results of `checkedFields` match the table.
 */

/** Nothing that NATS defines has more than 6 levels. nats-server's decoder stops at 10 000. */
export const JSON_DEPTH_MAX = 64;

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

/** undefined: the text is not JSON, or is nested too deeply. */
export function parseJson(text: string, reviver?: Reviver): unknown {
  if (isNestedTooDeeply(text)) return undefined;
  try {
    return JSON.parse(text, reviver) as unknown;
  } catch {
    return undefined;
  }
}

/** An escape that is not one of these, or some of these in a row: two may be one character. */
const ESCAPES = /\\[^u]|(?:\\u[0-9a-fA-F]{4})+/g;

/** Like `parseJson`, of a byte string: its texts are byte strings, too, whether their characters stand in it as they are or escaped. */
export function parseJsonBytes(bytes: string): unknown {
  return parseJson(bytes.replace(ESCAPES, (found) => (found[1] === "u" ? withoutEscapes(found) : found)));
}

function withoutEscapes(escapes: string): string {
  const text = JSON.parse(`"${escapes}"`) as string;
  return JSON.stringify(Buffer.from(text, "utf8").toString("latin1")).slice(1, -1);
}

function isNestedTooDeeply(text: string): boolean {
  let depth = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isQuoted) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) isQuoted = false;
    } else if (code === QUOTE) isQuoted = true;
    else if (code === BRACKET || code === BRACE) {
      if (++depth > JSON_DEPTH_MAX) return true;
    } else if (code === BRACKET_CLOSED || code === BRACE_CLOSED) depth--;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACKET = 0x5b;
const BRACKET_CLOSED = 0x5d;
const BRACE = 0x7b;
const BRACE_CLOSED = 0x7d;

type Fields = Readonly<Record<string, unknown>>;

/** The kind of a field; "rules" are allowed and denied subjects; two numbers bound an integer. */
export type FieldKind = "text" | "flag" | "texts" | "rules" | readonly [least: number, most: number];

/** The fields without those that are `null`, or a text about the first field that does not match the table. */
export function checkedFields(
  fields: Fields,
  kinds: Readonly<Record<string, FieldKind>>,
): Record<string, unknown> | string {
  const checked: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) continue;
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    const problem = kind === undefined ? null : problemWith(value, kind);
    if (problem !== null) return `${name} ${problem}`;
    checked[name] = value;
  }
  return checked;
}

function problemWith(value: unknown, kind: FieldKind): string | null {
  switch (kind) {
    case "text":
      return typeof value === "string" ? null : "is not a text";
    case "flag":
      return typeof value === "boolean" ? null : "is neither true nor false";
    case "texts":
      return isTexts(value) ? null : "is not a list of texts";
    case "rules":
      return isRules(value) ? null : "is not a set of rules for subjects";
    default:
      return numberProblem(value, kind);
  }
}

function numberProblem(value: unknown, [least, most]: readonly [number, number]): string | null {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return "is not a whole number";
  return value < least || value > most ? `is ${value}, not between ${least} and ${most}` : null;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

const RULES = { allow: "texts", deny: "texts" } as const;

function isRules(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return typeof checkedFields(value as Fields, RULES) !== "string";
}
