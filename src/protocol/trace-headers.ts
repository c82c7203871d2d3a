/**
 * The headers by which a message asks to be traced: `Nats-Trace-Dest`, or a `traceparent` whose flags say that it is sampled.
 *
 * Every message with headers is looked at. Where a `traceparent` makes no difference, which is nearly everywhere, `isTraceNamed` looks
 * at one word of four bytes in fourteen bytes: the name that it looks for, with the line feed before and the colon behind, is so long
 * that one of these words lies within it. Else `mayBeTraced` looks at the beginnings of all lines. Only what they find is parsed, as
 * nats-server reads such headers.
 */
import { assert } from "../base/assert.ts";
import { bytes, readText, words } from "../slab/memory.ts";
import { isBlank, LF } from "./scanner.ts";
import type { Message } from "./message.ts";

const VERSION_LINE = "NATS/1.0\r\n";
const UPPER_N = 0x4e;
const LOWER_T = 0x74;
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

/** From one word that is looked at to the next. */
const STRIDE = 14;
const SLOT_BITS = 5;
/** Gives each of the words below a slot of its own, which is asserted. */
const SLOT_FACTOR = 0x89c6db7b;
/** The words that are compared must hold these pieces of the names, by slot. */
const PIECES = new Int32Array(1 << SLOT_BITS);
/** How far into the name each piece begins. */
const PIECE_OFFSETS = new Uint8Array(1 << SLOT_BITS);
for (const name of [TRACE_DEST_NAME, TRACE_ORIGIN_ACCOUNT_NAME]) keepPieces(`\n${name}:`);

function keepPieces(line: string): void {
  assert(line.length >= STRIDE + 3, "one of the words that are looked at lies within the name");
  for (let offset = 0; offset < STRIDE; offset++) {
    const piece = little(line.slice(offset, offset + 4));
    const slot = Math.imul(piece, SLOT_FACTOR) >>> (32 - SLOT_BITS);
    const isTaken = PIECES[slot] !== 0 && PIECES[slot] !== piece;
    assert(!isTaken && (PIECES[slot] === 0 || PIECE_OFFSETS[slot] === offset), "two pieces share a slot");
    PIECES[slot] = piece;
    PIECE_OFFSETS[slot] = offset;
  }
}

export interface TraceHeaders {
  /** All headers with a value, under the names as they were written. Byte strings. */
  readonly all: ReadonlyMap<string, readonly string[]>;
  /** Only a `traceparent` asks: the account says where the trace goes. */
  readonly isExternal: boolean;
}

/**
 * False: nothing asks for a trace but perhaps a `traceparent`, which asks for none where the account names no destination. True:
 * something may.
 */
export function isTraceNamed({ body, at, payloadFrom, headerLength }: Message): boolean {
  if (body !== null) return namesATrace(body, headerLength);
  // The name begins with the line feed of the first line at the earliest, and has a value and a line end behind it.
  const from = at + payloadFrom + VERSION_LINE.length - 1;
  const end = at + payloadFrom + headerLength - 6;
  for (let i = from + STRIDE - 1; i < end; i += STRIDE) {
    const word = words.getInt32(i, true);
    const slot = Math.imul(word, SLOT_FACTOR) >>> (32 - SLOT_BITS);
    if (PIECES[slot] !== word) continue;
    const at = i - PIECE_OFFSETS[slot]!;
    if (bytes[at] === LF && isTraceNameAt(at + 1)) return true;
  }
  return false;
}

function isTraceNameAt(at: number): boolean {
  return words.getInt32(at, true) === TRACE_DEST && words.getInt32(at + 4, true) === TRACE_DEST_REST;
}

/** False: no header of the message asks for a trace. True: one may. */
export function mayBeTraced({ body, at, payloadFrom, headerLength }: Message): boolean {
  if (body !== null) return namesATrace(body, headerLength);
  const from = at + payloadFrom;
  // The last header ends in two empty lines; nothing that is looked for is shorter than that.
  const end = from + headerLength - 4;
  let i = from;
  while (i < end) {
    const word = words.getInt32(i, true) ^ 0x0a0a0a0a;
    // The lowest bit is that of the first byte that is zero here: a line feed.
    const feeds = (word - 0x01010101) & ~word & 0x80808080;
    if (feeds === 0) {
      i += 4;
      continue;
    }
    i += ((31 - Math.clz32(feeds & -feeds)) >> 3) + 1;
    if (isNameAt(i)) return true;
  }
  return false;
}

/** Of headers of any length, by a search that the engine does; may take a value for a name. */
function namesATrace(body: Uint8Array, headerLength: number): boolean {
  const block = Buffer.from(body.buffer, body.byteOffset, headerLength);
  return block.includes(TRACE_DEST_NAME, 0, "latin1") || /traceparent/i.test(block.toString("latin1"));
}

/** Whether a name that asks for a trace begins there. Nearly all begin with another letter and cost one look. */
function isNameAt(at: number): boolean {
  const letter = bytes[at]!;
  if (letter === UPPER_N) return isTraceNameAt(at);
  if ((letter | 0x20) !== LOWER_T) return false;
  const [low, high] = [words.getInt32(at, true) | LOWER, words.getInt32(at + 4, true) | LOWER];
  return low === PARENT && high === PARENT_REST;
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
