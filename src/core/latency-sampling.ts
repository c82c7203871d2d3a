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
/** First letters of the names that ask for a trace, in lower case: of Uber…, X-B3-…, B3 and Trace…. */
const INITIALS = new Set(Buffer.from("uxbt"));
const NAME =
  /^(?:uber-trace-id|uberctx-.*|x-b3-(?:sampled|traceid|parentspanid|spanid)|b3|traceparent|tracestate)$/i;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/** The headers that may ask for a trace, found in one pass. Exported for its tests. */
export function traceHeadersIn(block: string): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  let count = 0;
  eachHeaderLine(block, (from, to) => {
    if (count >= VALUES_MAX || from === 0 || !INITIALS.has(block.charCodeAt(from) | 0x20)) return;
    let colon = from;
    while (colon < to && block.charCodeAt(colon) !== COLON) colon++;
    const spelled = block.slice(from, colon);
    if (colon === to || !NAME.test(spelled)) return;
    count++;
    const name = canonical(spelled);
    const value = block.slice(colon + 1, to).trim();
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [value]);
    else values.push(value);
  });
  return headers;
}

/**
 * One pass, and no text for each line: there may be hundreds of thousands. Calls `visit` with the place of each line, its CRLF included: of the version first, of
 * the empty line last.
 */
function eachHeaderLine(block: string, visit: (from: number, to: number) => void): void {
  let from = 0;
  for (let i = 1; i < block.length; i++) {
    if (block.charCodeAt(i) !== LF || block.charCodeAt(i - 1) !== CR) continue;
    visit(from, i + 1);
    from = i + 1;
  }
  if (from < block.length) visit(from, block.length);
}

/** `x-b3-traceid` becomes `X-B3-Traceid`, as Go spells names of headers. */
function canonical(name: string): string {
  return name.toLowerCase().replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
