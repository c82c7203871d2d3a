/**
 * Reads single fields of claims as nats-server's decoder reads them: names match whatever their case, `null` is as if the field were
 * absent, whole numbers are written without a point or an exponent and fit 64 bits. Every other kind of value throws BadJwt. Numbers
 * above what JavaScript counts exactly are rounded: they are limits that nobody reaches.
 */
import { parseJson } from "../base/json.ts";
import { BadJwt, type Claims } from "./jwt.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** The claims of a JSON text. Throws BadJwt where it is none, is nested too deeply, or names a field twice. */
export function parseClaims(text: string): Claims {
  const value = parseJson(text, (_key, one, context) =>
    typeof one === "number" ? wholeOrNaN(context?.source ?? "") : one,
  );
  if (value === undefined) throw new BadJwt("a chunk is not JSON");
  const claims = asClaims(value, "a chunk");
  // The parser keeps the last of two equal names; a reader of the first would see other claims.
  if (countFields(claims) !== countColons(text)) throw new BadJwt("a field is named twice");
  return claims;
}

/** The value of a field; undefined: absent or `null`. */
export function fieldOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name] ?? undefined;
  const other = Object.keys(claims).find((key) => key.toLowerCase() === name);
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
  return list(claims, name).map((one) => {
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
  const value = fieldOf(claims, name) ?? [];
  if (!Array.isArray(value)) throw new BadJwt(`${name} is not a list`);
  return value;
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

/** Colons outside of texts, one for each field that is written. */
function countColons(json: string): number {
  let count = 0;
  for (let i = 0, isQuoted = false; i < json.length; i++) {
    const letter = json[i];
    if (isQuoted && letter === "\\") i++;
    else if (letter === '"') isQuoted = !isQuoted;
    else if (letter === ":" && !isQuoted) count++;
  }
  return count;
}
