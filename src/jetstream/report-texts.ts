/** Names and other texts are byte strings inside JetStream, and texts where monitoring shows them. */

type Json = Record<string, unknown>;

// oxlint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

export function textOf(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

export function bytesOf(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** Fields with byte strings in them as texts; numbers stay as they are, however they are written. */
export function readable(fields: Json): Json {
  return ASCII.test(JSON.stringify(fields)) ? fields : (asText(fields) as Json);
}

function asText(value: unknown): unknown {
  if (typeof value === "string") return textOf(value);
  if (Array.isArray(value)) return value.map(asText);
  if (typeof value !== "object" || value === null || isRaw(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [textOf(key), asText(one)]));
}

/** TypeScript does not know of this function yet. */
const isRaw = (JSON as unknown as { isRawJSON(this: void, value: unknown): boolean }).isRawJSON;
