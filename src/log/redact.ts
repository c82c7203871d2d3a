/**
 * Keeps secrets out of the log: every field and text passes through here before it is written. Also bounds what one
 * line can hold, since much of it comes from peers. It errs on the side of hiding too much.
 */

const REDACTED = "[REDACTED]";
const TEXT_LENGTH_MAX = 4096;
/** Characters of a text that are searched for secrets; the rest is never shown. */
const SEARCHED_LENGTH_MAX = 16 * TEXT_LENGTH_MAX;
const DEPTH_MAX = 6;
const ENTRIES_MAX = 100;

/** Compared without `_`, `-` and case: `auth_token`, `authToken` and `AUTH-TOKEN` are one. */
const SECRET_KEYS = new Set(
  "pass passwd password passphrase token authtoken secret jwt userjwt sig proxysig seed nkeyseed creds credentials privatekey authorization cookie".split(
    " ",
  ),
);

// Each pattern is linear in the length of the text, and takes stack in proportion to it: no text is longer than
// SEARCHED_LENGTH_MAX here.
const URL_USERINFO = /(?<=:\/\/)[^\s/]*@/g;
const JWT = /(?<![\w.-])eyJ[\w-]+\.[\w-]+\.[\w-]*/g;
const NKEY_SEED = /(?<!\w)S[ACNOUX][A-Z2-7]{56}(?!\w)/g;
const KEY_AND_VALUE =
  /(?<!\w)(["']?(?:pass(?:word|wd|phrase)?|(?:auth_?)?token|secret|(?:user_?)?jwt|(?:proxy_?)?sig|seed|private_?key)["']?\s{0,8}[:=]\s{0,8})("(?:[^"\\]|\\.)*"?|'[^']*'?|\[[^\]]*\]?|\{[^}]*\}?|[^\s"',;}\]&]+)/gi;

/** The text of a traced CONNECT. */
const TRACED_CONNECT = /^(.{0,16}\[CONNECT )([^]*)\]$/;

/** A copy of `value` without secrets, ready for JSON: errors, bytes and big integers have become plain data. */
export function redact(value: unknown): unknown {
  return redactDeep(value, 0);
}

export function redactText(text: string): string {
  const connect = text.includes("[CONNECT ") ? TRACED_CONNECT.exec(text) : null;
  if (connect !== null) return `${connect[1]}${redactJson(connect[2] ?? "")}]`;
  const searched = text.length <= SEARCHED_LENGTH_MAX ? text : beginningOf(text);
  const clean = searched
    .replace(URL_USERINFO, `${REDACTED}@`)
    .replace(JWT, REDACTED)
    .replace(NKEY_SEED, REDACTED)
    .replace(KEY_AND_VALUE, hideValue);
  return cut(clean, text.length - searched.length);
}

/** Ends at a blank, since part of a token or seed would not be recognized as a secret. */
function beginningOf(text: string): string {
  const beginning = text.slice(0, SEARCHED_LENGTH_MAX);
  return beginning.slice(0, beginning.search(/\s\S*$/) + 1);
}

/** `unseen`: characters that `text` leaves out already. */
function cut(text: string, unseen = 0): string {
  const shown = text.slice(0, TEXT_LENGTH_MAX);
  const more = text.length - shown.length + unseen;
  return more === 0 ? text : `${shown}... (${more} more)`;
}

/** Parses the text as its receiver does, since JSON can spell a key in many ways. Text that is not JSON may be anything and is not shown. */
function redactJson(json: string): string {
  try {
    return cut(JSON.stringify(redact(JSON.parse(json))));
  } catch {
    return `(${json.length} characters that are no JSON)`;
  }
}

function hideValue(_all: string, key: string, value: string): string {
  const quote = value[0] === '"' || value[0] === "'" ? value[0] : "";
  return `${key}${quote}${REDACTED}${quote}`;
}

function redactDeep(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return redactText(value);
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? null : redactObject(value, depth);
    case "function":
    case "symbol":
      return String(typeof value);
    default:
      return value;
  }
}

function redactObject(value: object, depth: number): unknown {
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (value instanceof Date) return value.toISOString();
  if (depth >= DEPTH_MAX) return "(nested too deep)";
  if (value instanceof Set) return redactDeep([...value], depth);
  if (value instanceof Map) return redactDeep(Object.fromEntries(value), depth);
  if (Array.isArray(value)) return value.slice(0, ENTRIES_MAX).map((item) => redactDeep(item, depth + 1));
  return redactEntries(value, depth);
}

function redactEntries(value: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value).slice(0, ENTRIES_MAX)) {
    const secret = isSecretKey(key) && item !== undefined && item !== null && item !== "";
    copy[cut(key)] = secret ? REDACTED : redactDeep(item, depth + 1);
  }
  return copy;
}

function isSecretKey(key: string): boolean {
  // Go's JSON decoder takes the long s for an s.
  return SECRET_KEYS.has(key.normalize("NFKC").toLowerCase().replaceAll(/[_-]/g, ""));
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const fields: Record<string, unknown> = { type: error.name, message: redactText(error.message) };
  if ("code" in error) fields["code"] = redactDeep(error.code, depth + 1);
  if (error.stack !== undefined) fields["stack"] = redactText(error.stack);
  if (error.cause !== undefined && depth < DEPTH_MAX) fields["cause"] = redactDeep(error.cause, depth + 1);
  return fields;
}
