/** Selects the requests whose latency is measured: a share of them, or those whose headers ask for a trace. */
import { randomInt, type Random } from "../base/random.ts";
import type { Message } from "../protocol/message.ts";
import type { LatencyDefinition } from "./definitions.ts";
import { headerBlock } from "./derived-message.ts";

export type Headers = Readonly<Record<string, readonly string[]>>;

const B3 = ["X-B3-Sampled", "X-B3-TraceId", "X-B3-ParentSpanId", "X-B3-SpanId"];

/** The headers that caused the measurement (empty if a share is measured); null: the request is not measured. */
export function sampledHeaders(
  { sampling }: LatencyDefinition,
  message: Message,
  random: Random,
): Headers | null {
  if (sampling !== null && (sampling >= 100 || randomInt(random, 100) <= sampling)) return {};
  return message.headerLength === 0 ? null : tracedHeaders(traceHeadersIn(headerBlock(message)));
}

/** Name (in the spelling of HTTP) and values. Exported for its tests. */
export function tracedHeaders(headers: ReadonlyMap<string, readonly string[]>): Headers | null {
  const first = (name: string): string | undefined => headers.get(name)?.[0];
  const uber = first("Uber-Trace-Id");
  if (uber !== undefined) {
    const names = [...headers.keys()].filter((name) => name.startsWith("Uberctx-"));
    return isUberSampled(uber) ? pick(headers, ["Uber-Trace-Id", ...names]) : null;
  }
  const sampled = first("X-B3-Sampled");
  if (sampled === "1") return pick(headers, B3);
  if (sampled === "0") return null;
  if (headers.has("X-B3-Traceid") || headers.has("X-B3-TraceId")) return pick(headers, B3);
  const b3 = first("B3");
  if (b3 !== undefined) {
    const parts = b3.split("-");
    const isDenied = parts.length > 2 ? parts[2] === "0" : b3 === "0";
    return isDenied ? null : pick(headers, ["B3"]);
  }
  const flags = first("Traceparent")?.split("-") ?? [];
  const isTraced = flags.length === 4 && /^[0-7][0-9a-f]$/i.test(flags[3]!) && isOdd(flags[3]!);
  return isTraced ? pick(headers, ["Traceparent", "Tracestate"]) : null;
}

function isUberSampled(value: string): boolean {
  const parts = value.split(":");
  return parts.length === 4 && /^[0-9a-f]{1,2}$/i.test(parts[3]!) && isOdd(parts[3]!);
}

function isOdd(hex: string): boolean {
  return (Number.parseInt(hex, 16) & 1) === 1;
}

function pick(headers: ReadonlyMap<string, readonly string[]>, names: readonly string[]): Headers {
  const found: Record<string, readonly string[]> = {};
  for (const name of names) {
    const values = headers.get(name) ?? headers.get(canonical(name));
    if (values !== undefined) found[canonical(name)] = values;
  }
  return found;
}

/** Most header values examined per message. */
const VALUES_MAX = 1024;
const NAMES =
  "uber-trace-id|uberctx-[^:\\r\\n]*|x-b3-(?:sampled|traceid|parentspanid|spanid)|b3|traceparent|tracestate";
const NAMED_LINE = new RegExp(`\\r\\n(${NAMES}):`, "gi");

/** The headers that may ask for a trace. One search finds them: a block may have hundreds of thousands of lines. Exported for its tests. */
export function traceHeadersIn(block: string): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  const search = new RegExp(NAMED_LINE);
  for (let count = 0; count < VALUES_MAX; count++) {
    const found = search.exec(block);
    if (found === null) break;
    const name = canonical(found[1]!);
    const end = block.indexOf("\r\n", search.lastIndex);
    const value = block.slice(search.lastIndex, end < 0 ? block.length : end).trim();
    if (end >= 0) search.lastIndex = end; // the next name stands behind the same CRLF
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [value]);
    else values.push(value);
  }
  return headers;
}

/** `x-b3-traceid` becomes `X-B3-Traceid`, as Go spells names of headers. */
function canonical(name: string): string {
  return name.toLowerCase().replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
