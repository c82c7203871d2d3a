/**
 * The fields that requests may have, beside those of configurations. One that is unknown is refused, as nats-server does in its strict mode: a
 * purge whose filter is misspelt must not purge everything. Names are nats-server's.
 */
import { apiErrors } from "../api-error.ts";
import { bodyOf, type ApiRequest } from "./request.ts";

/** "count": a whole number of 64 bits without a sign. "place": a whole number, below 0 as 0. */
type FieldKind = "count" | "place" | "text" | "flag" | "list" | "object";

type RequestFields = Readonly<Record<string, FieldKind>>;

export const STREAM_INFO_FIELDS: RequestFields = {
  offset: "place",
  deleted_details: "flag",
  subjects_filter: "text",
};
export const STREAM_PAGE_FIELDS: RequestFields = { offset: "place", subject: "text" };
export const PAGE_FIELDS: RequestFields = { offset: "place" };
export const PURGE_FIELDS: RequestFields = { seq: "count", filter: "text", keep: "count" };
export const MESSAGE_GET_FIELDS: RequestFields = {
  seq: "count",
  last_by_subj: "text",
  next_by_subj: "text",
  batch: "place",
  max_bytes: "place",
  start_time: "text",
  multi_last: "list",
  up_to_seq: "count",
  up_to_time: "text",
  no_hdr: "flag",
};
export const MESSAGE_DELETE_FIELDS: RequestFields = { seq: "count", no_erase: "flag" };
export const PAUSE_FIELDS: RequestFields = { pause_until: "text" };
export const SNAPSHOT_FIELDS: RequestFields = {
  deliver_subject: "text",
  no_consumers: "flag",
  chunk_size: "place",
  window_size: "place",
  jsck: "flag",
};
export const RESTORE_FIELDS: RequestFields = { config: "object", state: "object" };

/** The fields of a request; none where the payload is empty. Throws `ApiError`. */
export function fieldsOf(
  { payload, facts }: Pick<ApiRequest, "payload" | "facts">,
  known: RequestFields,
): Record<string, unknown> {
  const body = bodyOf(payload);
  for (const [name, value] of Object.entries(body)) {
    const kind = Object.hasOwn(known, name) ? known[name]! : null;
    if (kind === null) {
      if (facts.isStrict) throw apiErrors.invalidJson(`json: unknown field "${name}"`);
    } else if (value === null) delete body[name];
    else if (!isOf(kind, value)) throw apiErrors.invalidJson(refusal(name, kind, value));
    else if (kind === "place" && (value as number) < 0) body[name] = 0;
  }
  return body;
}

const TYPES: Readonly<Record<FieldKind, string>> = {
  count: "uint64",
  place: "int",
  text: "string",
  flag: "bool",
  list: "[]string",
  object: "struct",
};

function refusal(name: string, kind: FieldKind, value: unknown): string {
  const given = Array.isArray(value) ? "array" : typeof value;
  return `json: cannot unmarshal ${given} into Go struct field .${name} of type ${TYPES[kind]}`;
}

function isOf(kind: FieldKind, value: unknown): boolean {
  switch (kind) {
    case "count":
      return Number.isInteger(value) && (value as number) >= 0;
    case "place":
      return Number.isInteger(value);
    case "text":
      return typeof value === "string";
    case "flag":
      return typeof value === "boolean";
    case "list":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && !Array.isArray(value);
  }
}
