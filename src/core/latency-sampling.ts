/** Which requests of a service have their latency measured: a share of them, or those whose headers ask for a trace. */
import { randomInt, type Random } from "../base/random.ts";
import { readText } from "../base/slab.ts";
import type { Message } from "../protocol/message.ts";
import type { LatencyDefinition } from "./definitions.ts";

export type Headers = Readonly<Record<string, readonly string[]>>;

const B3 = ["X-B3-Sampled", "X-B3-TraceId", "X-B3-ParentSpanId", "X-B3-SpanId"];

/** The headers that made it be measured (none where it is its turn); null: it is not. */
export function sampledHeaders(
  { sampling }: LatencyDefinition,
  message: Message,
  random: Random,
): Headers | null {
  if (sampling !== null && (sampling >= 100 || randomInt(random, 100) <= sampling)) return {};
  return message.headerLength === 0 ? null : tracedHeaders(headersOf(message));
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

function headersOf({ body, at, payloadFrom, headerLength }: Message): Map<string, string[]> {
  const block =
    body === null
      ? readText(at + payloadFrom, headerLength)
      : Buffer.from(body.subarray(0, headerLength)).toString("latin1");
  const headers = new Map<string, string[]>();
  for (const line of block.split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = canonical(line.slice(0, colon));
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return headers;
}

/** `x-b3-traceid` becomes `X-B3-Traceid`, as Go spells names of headers. */
function canonical(name: string): string {
  return name.toLowerCase().replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
