/**
 * Reads single fields of claims as nats-server's decoder reads them: names match whatever their case, `null` is as if the field were
 * absent, whole numbers are written without a point or an exponent and fit 64 bits. Every other kind of value throws BadJwt. Numbers
 * above what JavaScript counts exactly are rounded: they are limits that nobody reaches.
 */
import { parseJson } from "../base/json.ts";
import { BadJwt, type Claims } from "./jwt.ts";

/** Shared by all who have none. */
const NONE: readonly never[] = [];
const EXACT_DIGITS = 15;
const [BACKSLASH, QUOTE, COLON, POINT] = [0x5c, 0x22, 0x3a, 0x2e];
const [ZERO, NINE, EXPONENT, EXPONENT_LARGE] = [0x30, 0x39, 0x65, 0x45];
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** The claims of a JSON text. Throws BadJwt where it is none, is nested too deeply, or names a field twice. */
export function parseClaims(text: string): Claims {
  const { colons, hasOddNumbers } = survey(text);
  // Numbers as they are written cost a call for each value.
  const value = hasOddNumbers ? parseJson(text, asWritten) : parseJson(text);
  if (value === undefined) throw new BadJwt("a chunk is not JSON");
  const claims = asClaims(value, "a chunk");
  // The parser keeps the last of two equal names; a reader of the first would see other claims.
  if (countFields(claims) !== colons) throw new BadJwt("a field is named twice");
  return claims;
}

function asWritten(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === "number" ? wholeOrNaN(context?.source ?? "") : value;
}

/** The value of a field; undefined: absent or `null`. */
export function fieldOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name] ?? undefined;
  const other = Object.keys(claims).find((key) => key.length === name.length && key.toLowerCase() === name);
  return other === undefined ? undefined : (claims[other] ?? undefined);
}

/** "" if the field is absent. */
export function text(claims: Claims, name: string): string {
  const value = fieldOf(claims, name) ?? "";
  if (typeof value !== "string") throw new BadJwt(`${name} is not a text`);
  return value;
}

/** 0 if the field is absent. */
export function whole(claims: Claims, name: string): number {
  const value = fieldOf(claims, name) ?? 0;
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new BadJwt(`${name} is not a whole number`);
  return value;
}

export function flag(claims: Claims, name: string): boolean {
  const value = fieldOf(claims, name) ?? false;
  if (typeof value !== "boolean") throw new BadJwt(`${name} is neither true nor false`);
  return value;
}

/** Empty if the field is absent. A `null` in the list is an empty text. */
export function texts(claims: Claims, name: string): readonly string[] {
  const found = list(claims, name);
  return found.length === 0 ? NONE : textsIn(found, name);
}

function textsIn(found: readonly unknown[], name: string): readonly string[] {
  return found.map((one) => {
    if (one === null) return "";
    if (typeof one !== "string") throw new BadJwt(`${name} is not a list of texts`);
    return one;
  });
}

/** {} if the field is absent. */
export function fields(claims: Claims, name: string): Claims {
  return asClaims(fieldOf(claims, name) ?? {}, name);
}

/** null in place of each `null`. */
export function fieldsList(claims: Claims, name: string): readonly (Claims | null)[] {
  return list(claims, name).map((one) => (one === null ? null : asClaims(one, name)));
}

export function list(claims: Claims, name: string): readonly unknown[] {
  const value = fieldOf(claims, name) ?? NONE;
  if (!Array.isArray(value)) throw new BadJwt(`${name} is not a list`);
  return value as readonly unknown[];
}

export function asClaims(value: unknown, name: string): Claims {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new BadJwt(`${name} is not an object`);
  return value as Claims;
}

function wholeOrNaN(source: string): number {
  if (!/^-?\d+$/.test(source) || source.length > 20) return NaN;
  const value = BigInt(source);
  return value < INT64_MIN || value > INT64_MAX ? NaN : Number(value);
}

/** Nesting is bounded by `parseJson`. */
function countFields(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const inner = Object.values(value);
  return inner.reduce((sum: number, one) => sum + countFields(one), Array.isArray(value) ? 0 : inner.length);
}

/**
 * What stands outside of texts: the colons, one for each field that is written, and whether a number has a point, an exponent or more digits
 * than JavaScript counts exactly.
 */
function survey(json: string): { readonly colons: number; readonly hasOddNumbers: boolean } {
  let colons = 0;
  let digits = 0;
  let hasOddNumbers = false;
  for (let i = 0, isQuoted = false; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (isQuoted) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) isQuoted = false;
    } else if (code >= ZERO && code <= NINE) hasOddNumbers ||= ++digits > EXACT_DIGITS;
    else {
      hasOddNumbers ||= digits > 0 && (code === POINT || code === EXPONENT || code === EXPONENT_LARGE);
      digits = 0;
      if (code === QUOTE) isQuoted = true;
      else if (code === COLON) colons++;
    }
  }
  return { colons, hasOddNumbers };
}
