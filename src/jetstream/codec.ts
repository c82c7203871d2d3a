/**
 * Objects of the API and their JSON. A shape lists the fields in the order in which nats-server writes them; the names are
 * nats-server's. Fields that are unknown are refused by name, as nats-server does in its strict mode.
 */
import { parseJson, parseJsonBytes } from "../base/json.ts";
import { apiErrors } from "./api-error.ts";
import { isTime } from "./time.ts";

export interface FieldCodec<T> {
  /** Throws `ApiError` for what is of another type. */
  read(value: unknown, path: string): T;
  write(value: T): unknown;
  readonly zero: T;
}

interface FieldShape {
  readonly name: string;
  readonly codec: FieldCodec<unknown>;
  /** A zero value is left out. */
  readonly omitsZero: boolean;
}

export type Shape<T> = { readonly [K in keyof T]-?: FieldShape };

const fail = (path: string, value: unknown, type: string): never => {
  throw apiErrors.invalidJson(
    `json: cannot unmarshal ${kindOf(value)} into Go struct field ${path} of type ${type}`,
  );
};

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value;
}

function scalar<T>(type: string, zero: T, is: (value: unknown) => boolean): FieldCodec<T> {
  return {
    zero,
    read: (value, path) => (is(value) ? (value as T) : fail(path, value, type)),
    write: (value) => value,
  };
}

export const text = scalar<string>("string", "", (value) => typeof value === "string");
export const flag = scalar<boolean>("bool", false, (value) => typeof value === "boolean");
/** Whole numbers; also durations in nanoseconds. The largest, which is no limit to many clients, stands for itself as 2^63. */
export const int = whole("int64", -(2 ** 63), 2 ** 63);
export const uint = whole("uint64", 0, 2 ** 64 - 2048);

function whole(type: string, least: number, most: number): FieldCodec<number> {
  const isWhole = (value: unknown): boolean =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
  return { ...scalar<number>(type, 0, isWhole), write: exactNumber };
}

/** Some large numbers have more digits than JavaScript prints. TypeScript does not know of this function yet. */
const raw = (JSON as unknown as { rawJSON(this: void, text: string): unknown }).rawJSON;

function exactNumber(value: number): unknown {
  if (Number.isSafeInteger(value)) return value;
  return raw(value === 2 ** 63 ? INT64_MAX : String(BigInt(value)));
}

/** RFC 3339, kept as it was written; "": none. */
export const time: FieldCodec<string> = {
  zero: "",
  read: (value, path) => {
    if (typeof value !== "string") return fail(path, value, "time.Time");
    if (!isTime(value)) throw apiErrors.invalidJson(`parsing time "${value}"`);
    return value;
  },
  write: (value) => value,
};

/** One of some words. `refusal`: what is said of others. */
export function word<const W extends string>(
  words: readonly W[],
  refusal = (value: unknown): string => `can not unmarshal ${JSON.stringify(JSON.stringify(value))}`,
): FieldCodec<W> {
  return {
    zero: words[0]!,
    read: (value) => {
      const found = words.find((one) => one === value);
      if (found === undefined) throw apiErrors.invalidJson(refusal(value));
      return found;
    },
    write: (value) => value,
  };
}

export function list<T>(item: FieldCodec<T>): FieldCodec<readonly T[]> {
  return {
    zero: [],
    read: (value, path) =>
      Array.isArray(value) ? value.map((one) => item.read(one, path)) : fail(path, value, "[]"),
    write: (value) => value.map((one) => item.write(one)),
  };
}

export const textMap: FieldCodec<Readonly<Record<string, string>>> = {
  zero: {},
  read: (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fail(path, value, "map");
    const entries = Object.entries(value).map(([key, one]): [string, string] => [key, text.read(one, path)]);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  },
  write: (value) => value,
};

/** An object within another one; null: it is not there. */
export function nested<T extends object>(shape: Shape<T>): FieldCodec<T | null> {
  return {
    zero: null,
    read: (value) => readObject(shape, value),
    write: (value) => (value === null ? null : writeObject(shape, value)),
  };
}

/** The field is always written. */
export function field<T>(name: string, codec: FieldCodec<T>): FieldShape {
  return { name, codec, omitsZero: false };
}

/** The field is written unless it is zero. */
export function optional<T>(name: string, codec: FieldCodec<T>): FieldShape {
  return { name, codec, omitsZero: true };
}

/** `also`: names that belong to the request around the object. */
export function readObject<T extends object>(
  shape: Shape<T>,
  value: unknown,
  also: readonly string[] = [],
): T {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw apiErrors.invalidJson(`json: cannot unmarshal ${kindOf(value)} into Go value`);
  const fields = Object.entries<FieldShape>(shape);
  const result: Record<string, unknown> = {};
  for (const [key, { codec }] of fields) result[key] = codec.zero;
  for (const [name, one] of Object.entries(value)) {
    const found = fields.find(([, each]) => each.name === name);
    if (found === undefined && !also.includes(name))
      throw apiErrors.invalidJson(`json: unknown field "${name}"`);
    if (found !== undefined && one !== null) result[found[0]] = found[1].codec.read(one, name);
  }
  return result as T;
}

/** The same without fields that the shape does not have. */
export function knownFields<T extends object>(shape: Shape<T>, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const names = new Set(Object.values<FieldShape>(shape).map(({ name }) => name));
  return Object.fromEntries(Object.entries(value).filter(([name]) => names.has(name)));
}

export function writeObject<T extends object>(shape: Shape<T>, value: T): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, { name, codec, omitsZero }] of Object.entries<FieldShape>(shape)) {
    const one = value[key as keyof T];
    if (!omitsZero || !isZero(one)) result[name] = codec.write(one);
  }
  return result;
}

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === null || value === "" || value === 0 || value === false;
}

/** No double holds it. */
const INT64_MAX = "9223372036854775807";

/** The JSON of a request. Throws `ApiError`, also for what is nested too deeply, and for whole numbers that would be rounded. */
export function jsonOf(payload: string): unknown {
  const value = parseJsonBytes(payload);
  if (value === undefined) throw apiErrors.invalidJson("unexpected end or character, or nested too deeply");
  const rounded = MAY_BE_ROUNDED.test(payload) ? roundedIn(payload) : null;
  if (rounded !== null)
    throw apiErrors.invalidJson(`number ${rounded} is not supported by this server, which would round it`);
  return value;
}

/** Digits of 2^53. */
const MAY_BE_ROUNDED = /\d{16}/;

/** The first whole number in a JSON text that is none of those that are kept exactly; null: there is none. */
function roundedIn(payload: string): string | null {
  let found: string | null = null;
  parseJson(payload, (key, value, context) => {
    const source = context?.source ?? "";
    if (typeof value !== "number" || !/^-?\d+$/.test(source)) return value;
    const isSequence = /seq/.test(key);
    const isKept = BigInt(source) === BigInt(value) && (isSequence || value < 2 ** 63);
    if (!isKept && (isSequence || source !== INT64_MAX)) found ??= source;
    return value;
  });
  return found;
}
