/**
 * The slab: one block of memory that holds every byte on the hot path, so that a delivery is a copy from one offset to
 * another and no message becomes a JavaScript object.
 *
 *     0          SCRATCH_SIZE                                READ_START
 *     | scratch  | headroom: the rest of a partial frame ... | read window | heads arena | stacked | chunks ...  |
 *
 * Sockets read into the read window (one for all: parsing is synchronous). What a connection had left from its previous
 * read is copied right in front of it. Outboxes write into chunks. The address space is reserved once and costs no
 * memory before it is touched; `limitSlab` bounds what may be touched.
 *
 * The memory is a WebAssembly memory because its `memory.copy` is the cheapest copy of more than a few words that JavaScript
 * can reach: 12 ns for 16 to 128 bytes, against 28 to 76 ns for copyWithin, Buffer.copy and TypedArray.set
 * (`npm run bench:micro`).
 */
import { assert, assertOwn } from "./assert.ts";

const MIB = 1024 * 1024;

/** Holds a subject being hashed, a mapped subject, and heads too long for the arena: two of the longest control line. */
export const SCRATCH_SIZE = 8 * MIB;
/** Where a mapped subject lies that is made for one message. */
export const SCRATCH_MAPPED = SCRATCH_SIZE / 4;
/** Where the head lies that shows a routed message under another subject than it is matched on: up to the longest line. */
export const SCRATCH_SHOWN = SCRATCH_MAPPED + MIB;
/** Longest partial frame that is kept in front of the read window; a larger one is collected in a buffer of its own. */
export const CARRY_MAX = 64 * 1024;
/** Longest control line that any configuration may allow. */
export const LINE_MAX = MIB;
const HEADROOM = LINE_MAX + CARRY_MAX + 4096;
export const READ_START = SCRATCH_SIZE + HEADROOM;
export const READ_SIZE = 128 * 1024;
/** Copies go by words of 8 bytes and may touch up to this many bytes past the end of what they copy. */
const SLACK = 64;
const HEADS_START = READ_START + READ_SIZE + 4096;
const HEADS_SIZE = 32 * MIB;
const STACKED_START = HEADS_START + HEADS_SIZE;
/** Two heads of the longest subject and reply subject, and what stands around them. */
const STACKED_SIZE = 4 * LINE_MAX + 4096;
const CHUNKS_START = STACKED_START + STACKED_SIZE;
export const CHUNK_SIZE = 64 * 1024;
const CHUNK_STRIDE = CHUNK_SIZE + SLACK;

const RESERVED = 1024 * MIB;
const PAGE = 64 * 1024;

/** What is used of WebAssembly; its types come with the DOM, which has no place here. */
interface WasmApi {
  Memory: new (options: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
}
const wasm = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;

const memory = new wasm.Memory({ initial: RESERVED / PAGE, maximum: RESERVED / PAGE });

/** The slab as bytes, as unaligned words, and as a Buffer (for text). */
export const bytes = new Uint8Array(memory.buffer);
export const words = new DataView(memory.buffer);
export const text = Buffer.from(memory.buffer);

/**
 * (func (param $to i32) (param $from i32) (param $length i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
 * with the memory imported as m.m and the function exported as c.
 */
const COPY_MODULE = [
  [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic, version
  [1, 7, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0], // type: (i32, i32, i32) -> ()
  [2, 8, 1, 1, 0x6d, 1, 0x6d, 2, 0, 64], // import m.m: memory, at least 64 pages
  [3, 2, 1, 0], // one function of type 0
  [7, 5, 1, 1, 0x63, 0, 0], // export it as c
  [10, 14, 1, 12, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 0x0a, 0, 0, 0x0b], // its code
];
const copyModule = new wasm.Module(new Uint8Array(COPY_MODULE.flat()));
const copyInstance = new wasm.Instance(copyModule, { m: { m: memory } });

/** Copies `length` bytes inside the slab; the ranges may overlap. */
export const copyLong = copyInstance.exports["c"] as (to: number, from: number, length: number) => void;

/** Up to this length, copying by words beats `copyLong`: 3 against 12 ns for 16 bytes. In deliveries it does not beyond. */
export const COPY_WORDS_MAX = 40;

/** Copies inside the slab. Writes up to 7 bytes past `to + length`, and reads as many past `from + length`. */
export function copy(to: number, from: number, length: number): void {
  if (length > COPY_WORDS_MAX) {
    copyLong(to, from, length);
    return;
  }
  for (let i = 0; i < length; i += 8) words.setBigUint64(to + i, words.getBigUint64(from + i, true), true);
}

// oxlint-disable-next-line no-control-regex
const NOT_A_BYTE = /[^\x00-\xff]/;

/** Writes a byte string (one character, one byte) and returns the offset behind it. Text of people is `toByteString` first. */
export function writeText(to: number, value: string): number {
  assertOwn(!NOT_A_BYTE.test(value), "text that goes into the slab is a byte string");
  return to + text.write(value, to, "latin1");
}

export function readText(from: number, length: number): string {
  return text.toString("latin1", from, from + length);
}

/** The window that sockets read into. */
export const readWindow = new Uint8Array(memory.buffer, READ_START, READ_SIZE);

export function slice(from: number, length: number): Uint8Array {
  return new Uint8Array(memory.buffer, from, length);
}

// ---- chunks: what outboxes fill and sockets write ----

const freeChunks: number[] = [];
let chunksEnd = CHUNKS_START;
let chunkLimit = Math.floor((RESERVED - CHUNKS_START) / CHUNK_STRIDE);
let chunksMade = 0;
let chunksInUse = 0;

/** Returns the offset of a chunk of CHUNK_SIZE bytes, or 0 when the limit is reached. */
export function takeChunk(): number {
  const free = freeChunks.pop();
  if (free !== undefined) {
    chunksInUse++;
    return free;
  }
  if (chunksMade >= chunkLimit) return 0;
  const at = chunksEnd;
  chunksEnd += CHUNK_STRIDE;
  chunksMade++;
  chunksInUse++;
  return at;
}

/** Last in, first out: the chunk that was written last is still in the processor's cache. */
export function releaseChunk(at: number): void {
  assert(at >= CHUNKS_START, "release of a chunk that was never taken");
  chunksInUse--;
  freeChunks.push(at);
}

/** Bounds the memory that chunks may take, in bytes. What is already made stays made. */
export function limitSlab(bytesMax: number): void {
  const most = Math.floor((RESERVED - CHUNKS_START) / CHUNK_STRIDE);
  chunkLimit = Math.max(16, Math.min(most, Math.floor(bytesMax / CHUNK_STRIDE)));
}

export interface SlabSnapshot {
  readonly chunksInUse: number;
  readonly chunksMade: number;
  readonly chunkLimit: number;
  readonly headsBytes: number;
}

export function slabSnapshot(): SlabSnapshot {
  return { chunksInUse, chunksMade, chunkLimit, headsBytes: headsInUse };
}

// ---- stacked heads: of messages that are made of others, where those do not fit into a chunk ----

let stackedEnd = STACKED_START;

/** Room for `length` bytes until it is given back, which happens in the reverse order; 0: there is none. */
export function takeStacked(length: number): number {
  const at = stackedEnd;
  if (at + length + SLACK > CHUNKS_START) return 0;
  stackedEnd += length + SLACK;
  return at;
}

export function releaseStacked(at: number): void {
  assert(at >= STACKED_START && at < stackedEnd, "release of a stacked head that was never taken");
  stackedEnd = at;
}

// ---- heads: the small, long-lived pieces (what stands in front of a message) ----

const HEAD_STEP = 16;
/** Longest head that the arena takes. */
export const HEAD_MAX = 2048;
const freeHeads: number[][] = Array.from({ length: HEAD_MAX / HEAD_STEP + 1 }, () => []);
let headsEnd = HEADS_START;
let headsInUse = 0;

function headClass(length: number): number {
  return Math.ceil((length + 8) / HEAD_STEP);
}

/** Room for `length` bytes (and the slack of word copies), or 0 when the arena is full or the head too long. */
export function takeHead(length: number): number {
  if (length + 8 > HEAD_MAX) return 0;
  const size = headClass(length);
  const free = freeHeads[size]!.pop();
  if (free === undefined && headsEnd + size * HEAD_STEP > HEADS_START + HEADS_SIZE) return 0;
  headsInUse += size * HEAD_STEP;
  if (free !== undefined) return free;
  const at = headsEnd;
  headsEnd += size * HEAD_STEP;
  return at;
}

/** What lies in scratch instead is nothing to give back. */
export function releaseHead(at: number, length: number): void {
  if (at < HEADS_START) return;
  const size = headClass(length);
  headsInUse -= size * HEAD_STEP;
  freeHeads[size]!.push(at);
}

/** All heads have been given back: the arena begins anew, for heads of any length. */
export function resetHeads(): void {
  assert(headsInUse === 0, "the arena of heads begins anew while heads are in use");
  headsEnd = HEADS_START;
  for (const free of freeHeads) free.length = 0;
}
