/**
 * Counters: a message of a counter stream holds the sum so far as `{"val":"123"}`, whole numbers of any size. A message that comes from
 * another counter stream holds that one's sum: what it has grown by is added, and what it was is remembered in a header.
 */
import { parseJsonBytes } from "../../base/json.ts";
import { apiErrors } from "../api-error.ts";
import { withValue } from "../header-edits.ts";
import { MessageHeaders } from "../headers.ts";
import type { JudgedStore } from "./judged-store.ts";

export interface Counted {
  readonly headers: string;
  readonly payload: Uint8Array;
  /** The sum. */
  readonly value: string;
}

interface CountRequest {
  readonly headers: MessageHeaders;
  readonly increment: bigint;
  readonly payload: Uint8Array;
  readonly subject: string;
  readonly store: Pick<JudgedStore, "lastOf" | "read">;
}

/** Sums of other streams: by stream and subject. */
type Sources = Record<string, Record<string, string>>;

/** Throws `ApiError`. */
export function count({ headers, increment, payload, subject, store }: CountRequest): Counted {
  const last = store.lastOf(subject);
  const view = last === 0 ? null : store.read(last);
  let sum = 0n;
  let sources: Sources = Object.create(null) as Sources;
  if (view !== null) {
    sum = valueOf(view.body.subarray(view.headerLength));
    if (view.headerLength > 0) sources = sourcesOf(MessageHeaders.of(view.body, view.headerLength));
  }
  let block = headers.block;
  let more = increment;
  const source = headers.get("Nats-Stream-Source") ?? "";
  if (source !== "") {
    const [stream = "", , , , origin] = source.split(" ");
    const there = valueOf(payload);
    const ofStream = (sources[stream] ??= Object.create(null) as Record<string, string>);
    const key = origin ?? subject;
    more = there - wholeNumber(ofStream[key] ?? "0");
    ofStream[key] = String(there);
    block = withValue(block, "Nats-Incr", String(more));
  }
  if (Object.keys(sources).length > 0)
    block = withValue(block, "Nats-Counter-Sources", JSON.stringify(sorted(sources)));
  const value = String(sum + more);
  return { headers: block, payload: Buffer.from(`{"val":"${value}"}`, "latin1"), value };
}

function valueOf(payload: Uint8Array): bigint {
  const read = parseJsonBytes(Buffer.from(payload).toString("latin1"));
  if (typeof read !== "object" || read === null || Array.isArray(read)) throw apiErrors.counterBroken();
  const { val } = read as { val?: unknown };
  if (val !== undefined && typeof val !== "string") throw apiErrors.counterBroken();
  return wholeNumber(val ?? "0");
}

/** As nats-server does, what is no number counts as 0. */
function wholeNumber(text: string): bigint {
  return /^[+-]?\d+$/.test(text) ? BigInt(text.replace("+", "")) : 0n;
}

function sourcesOf(headers: MessageHeaders): Sources {
  const text = headers.get("Nats-Counter-Sources") ?? "";
  if (text === "") return Object.create(null) as Sources;
  const read = parseJsonBytes(text);
  if (typeof read !== "object" || read === null || Array.isArray(read)) throw apiErrors.counterBroken();
  const found: Sources = Object.create(null) as Sources;
  for (const [stream, subjects] of Object.entries(read)) {
    if (typeof subjects !== "object" || subjects === null) throw apiErrors.counterBroken();
    const ofStream = (found[stream] = Object.create(null) as Record<string, string>);
    for (const [subject, value] of Object.entries(subjects as Record<string, unknown>)) {
      if (typeof value !== "string") throw apiErrors.counterBroken();
      ofStream[subject] = value;
    }
  }
  return found;
}

/** By name, as nats-server writes them. */
function sorted(sources: Sources): Sources {
  const byName = <T>(of: Record<string, T>): [string, T][] =>
    Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(byName(sources).map(([name, of]) => [name, Object.fromEntries(byName(of))]));
}
