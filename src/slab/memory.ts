/**
 * The slab: one block of memory that holds every byte on the hot path, so that a delivery is a copy from one offset to
 * another and no message becomes a JavaScript object. layout.ts defines the areas.
 *
 * The memory is a WebAssembly memory because its `memory.copy` is the cheapest copy of more than a few words that JavaScript
 * can reach: 12 ns for 16 to 128 bytes, against 28 to 76 ns for copyWithin, Buffer.copy and TypedArray.set
 * (`npm run bench:micro`).
 */
import { assertOwn } from "../base/assert.ts";
import { READ_SIZE, READ_START, RESERVED } from "./layout.ts";

const PAGE = 64 * 1024;

/** The used part of WebAssembly, whose types come with the DOM library, which is not loaded. */
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

/** The function of a module that works on the slab, which it imports as m.m; it exports the function as c. */
export function linkWasm(module: readonly (readonly number[])[]): unknown {
  const compiled = new wasm.Module(new Uint8Array(module.flat()));
  return new wasm.Instance(compiled, { m: { m: memory } }).exports["c"];
}

/** Copies `length` bytes inside the slab; the ranges may overlap. */
export const copyLong = linkWasm(COPY_MODULE) as (to: number, from: number, length: number) => void;

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

const DIGIT_0 = 0x30;
/** Below this length a loop beats the call. */
const LOOP_MAX = 24;

// oxlint-disable-next-line no-control-regex
const NOT_A_BYTE = /[^\x00-\xff]/;

/** Writes a byte string (one character, one byte) and returns the offset behind it. Unicode text must pass `toByteString` first. */
export function writeText(to: number, value: string): number {
  const { length } = value;
  if (length < LOOP_MAX) {
    let all = 0;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      all |= code;
      bytes[to + i] = code;
    }
    assertOwn(all <= 0xff, "text that goes into the slab is a byte string");
    return to + length;
  }
  assertOwn(!NOT_A_BYTE.test(value), "text that goes into the slab is a byte string");
  return to + text.write(value, to, "latin1");
}

/** Digits of a whole number that is not below 0. */
export function digitsOf(value: number): number {
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) digits++;
  return digits;
}

/** Writes a whole number, not below 0, and returns the offset behind it. */
export function writeNumber(to: number, value: number): number {
  assertOwn(value >= 0 && Number.isSafeInteger(value), "a number that goes into the slab is whole");
  const end = to + digitsOf(value);
  let at = end - 1;
  let rest = value;
  for (; rest > 0x7fff_ffff; at--) {
    const next = Math.floor(rest / 10);
    bytes[at] = DIGIT_0 + (rest - next * 10);
    rest = next;
  }
  for (; at >= to; at--) {
    const next = (rest / 10) | 0;
    bytes[at] = DIGIT_0 + (rest - next * 10);
    rest = next;
  }
  return end;
}

/** Below this length a loop beats `set`. */
const SET_MIN = 64;

/** Writes bytes from outside the slab, and returns the offset behind them. */
export function writeBytes(to: number, value: Uint8Array): number {
  const { length } = value;
  if (length < SET_MIN) for (let i = 0; i < length; i++) bytes[to + i] = value[i]!;
  else bytes.set(value, to);
  return to + length;
}

/** Up to this length, a loop over words beats the view that `set` needs. */
const IN_WORDS_MAX = 512;

/** Copies bytes from memory outside the slab, of which `view` is all, and returns the offset behind them. */
export function copyIn(to: number, memory: Uint8Array, view: DataView, from: number, length: number): number {
  if (length > IN_WORDS_MAX) {
    bytes.set(memory.subarray(from, from + length), to);
    return to + length;
  }
  const whole = length - (length & 7);
  for (let i = 0; i < whole; i += 8) words.setBigUint64(to + i, view.getBigUint64(from + i, true), true);
  for (let i = whole; i < length; i++) bytes[to + i] = memory[from + i]!;
  return to + length;
}

/** Whether the text is at this offset. */
export function isText(at: number, value: string): boolean {
  for (let i = 0; i < value.length; i++) if (bytes[at + i] !== value.charCodeAt(i)) return false;
  return true;
}

export function readText(from: number, length: number): string {
  return text.toString("latin1", from, from + length);
}

/** The window that sockets read into. */
export const readWindow = new Uint8Array(memory.buffer, READ_START, READ_SIZE);

export function slice(from: number, length: number): Uint8Array {
  return new Uint8Array(memory.buffer, from, length);
}
