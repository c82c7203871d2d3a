/**
 * The headers by which a message asks to be traced: `Nats-Trace-Dest`, or a `traceparent` whose flags say that it is sampled.
 *
 * `mayBeTraced` is asked of every message with headers, so it looks at nothing but the beginnings of their lines, four bytes at a
 * time. Only what it finds is parsed, as nats-server reads such headers.
 */
import { bytes, readText, words } from "../base/slab.ts";
import { isBlank } from "./scanner.ts";
import type { Message } from "./message.ts";

const VERSION_LINE = "NATS/1.0\r\n";
const LF = 0x0a;
const LOWER = 0x20202020;
const TRACE_DEST = little("Nats");
const TRACE_DEST_REST = little("-Tra");
const PARENT = little("trac");
const PARENT_REST = little("epar");

export const TRACE_DEST_NAME = "Nats-Trace-Dest";
/** In place of the destination: no server traces the message any more. */
export const TRACE_DISABLED = "trace disabled";
export const TRACE_HOP_NAME = "Nats-Trace-Hop";
export const TRACE_ONLY_NAME = "Nats-Trace-Only";
export const TRACE_ORIGIN_ACCOUNT_NAME = "Nats-Trace-Origin-Account";
export const ACCEPT_ENCODING_NAME = "Accept-Encoding";
const PARENT_NAME = "traceparent";

export interface TraceHeaders {
  /** All headers with a value, under the names as they were written. Byte strings. */
  readonly all: ReadonlyMap<string, readonly string[]>;
  /** Only a `traceparent` asks: the account says where the trace goes. */
  readonly isExternal: boolean;
}

/** False: no header of the message asks for a trace. True: one may. */
export function mayBeTraced({ body, at, payloadFrom, headerLength }: Message): boolean {
  if (body !== null) return true;
  const from = at + payloadFrom;
  // The last header ends in two empty lines; nothing that is looked for is shorter than that.
  const end = from + headerLength - 4;
  for (let i = from; i < end; i += 4) {
    const found = words.getInt32(i, true) ^ 0x0a0a0a0a;
    // Bytes that are zero: line feeds. What borrows from a neighbour finds too much, never too little.
    if (((found - 0x01010101) & ~found & 0x80808080) !== 0 && hasNameIn(i)) return true;
  }
  return false;
}

/** Whether a name that asks for a trace begins behind a line feed in the four bytes at `at`. */
function hasNameIn(at: number): boolean {
  for (let i = at; i < at + 4; i++) {
    if (bytes[i] !== LF) continue;
    const low = words.getInt32(i + 1, true);
    const high = words.getInt32(i + 5, true);
    if (low === TRACE_DEST && high === TRACE_DEST_REST) return true;
    if ((low | LOWER) === PARENT && (high | LOWER) === PARENT_REST) return true;
  }
  return false;
}

/** null: nothing asks for a trace after all, or a server before this one has said that there is to be none. */
export function readTraceHeaders({ body, at, payloadFrom, headerLength }: Message): TraceHeaders | null {
  const block =
    body === null
      ? readText(at + payloadFrom, headerLength)
      : Buffer.from(body.subarray(0, headerLength)).toString("latin1");
  if (!block.startsWith(VERSION_LINE)) return null;
  const all = new Map<string, string[]>();
  let isSampled = false;
  for (let i = VERSION_LINE.length; i < block.length;) {
    const colon = block.indexOf(":", i);
    const end = colon < 0 ? -1 : block.indexOf("\r\n", colon + 1);
    if (end < 0) break;
    const name = block.slice(i, colon);
    const value = trimmed(block, colon + 1, end);
    i = end + 2;
    if (name === "" || value === "") continue;
    if (name === TRACE_DEST_NAME && value === TRACE_DISABLED && !all.has(name)) return null;
    if (name.toLowerCase() === PARENT_NAME) isSampled ||= saysSampled(value);
    const values = all.get(name);
    if (values === undefined) all.set(name, [value]);
    else values.push(value);
  }
  const isAsked = all.has(TRACE_DEST_NAME);
  return isAsked || isSampled ? { all, isExternal: !isAsked } : null;
}

function trimmed(block: string, from: number, to: number): string {
  let [start, end] = [from, to];
  while (start < end && isBlank(block.charCodeAt(start))) start++;
  while (end > start && isBlank(block.charCodeAt(end - 1))) end--;
  return block.slice(start, end);
}

/** By the flags at its end: two hexadecimal digits, up to 7f as nats-server reads them. */
function saysSampled(parent: string): boolean {
  const flags = parent.split("-");
  return (
    flags.length === 4 && /^[0-7][0-9a-f]$/i.test(flags[3]!) && (Number.parseInt(flags[3]!, 16) & 1) === 1
  );
}

function little(letters: string): number {
  return Buffer.from(letters, "latin1").readInt32LE(0);
}
