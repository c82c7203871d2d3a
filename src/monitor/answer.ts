/** What an endpoint answers. */
import { jsonPieces } from "./json.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  /** Further ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Not for scripts of pages from elsewhere, and not kept by caches. Absent: everybody who reaches the port may read it. */
  readonly isPrivate?: boolean;
  /** Made while it is written. */
  readonly body: Iterable<string>;
  /** The same where it is JSON; lists in it are made while it is written. */
  readonly value?: object;
}

export const JSON_TYPE = "application/json";
const TEXT_TYPE = "text/plain; charset=utf-8";

export function json(value: object): Answer {
  return { status: 200, contentType: JSON_TYPE, body: jsonPieces(value), value };
}

/** Without blanks, as `/healthz` answers. */
export function compactJson(status: number, value: object): Answer {
  return { status, contentType: JSON_TYPE, body: [JSON.stringify(value)], value };
}

export function text(status: number, body: string): Answer {
  return { status, contentType: TEXT_TYPE, body: [body] };
}
