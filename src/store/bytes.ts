/**
 * Little-endian numbers and CRC-32 in memory. What Buffer offers checks each argument, and zlib's checksum needs a view for each call:
 * for records of some hundred bytes that is most of the work.
 */
import { crc32 } from "node:zlib";

const TWO_32 = 0x1_0000_0000;
/** Above this length zlib is faster, view and all. */
const OWN_MAX = 384;
/** Bytes at a time where memory can be read by words. */
const STEP = 16;
const SLICES = 8;
const POLYNOMIAL = 0xedb88320;

/** Tables of 256 words, one for each byte of a step: what the bytes of one step do to the checksum. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(STEP * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[i] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!;
    tables[i] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}

/** CRC-32 of the bytes from `from` up to `to`. */
export function checksum(memory: Uint8Array, from: number, to: number): number {
  if (to - from > OWN_MAX) return crc32(memory.subarray(from, to));
  const t = TABLES;
  let crc = -1;
  let at = from;
  for (; at + SLICES <= to; at += SLICES) {
    const low =
      crc ^ (memory[at]! | (memory[at + 1]! << 8) | (memory[at + 2]! << 16) | (memory[at + 3]! << 24));
    crc =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + memory[at + 4]!]! ^
      t[512 + memory[at + 5]!]! ^
      t[256 + memory[at + 6]!]! ^
      t[memory[at + 7]!]!;
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ t[(crc ^ memory[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** The same. `words`: all of `memory`. */
export function checksumByWords(memory: Uint8Array, words: DataView, from: number, to: number): number {
  if (to - from > OWN_MAX) return crc32(memory.subarray(from, to));
  const t = TABLES;
  let crc = -1;
  let at = from;
  for (; at + STEP <= to; at += STEP) {
    const a = crc ^ words.getInt32(at, true);
    const b = words.getInt32(at + 4, true);
    const c = words.getInt32(at + 8, true);
    const d = words.getInt32(at + 12, true);
    crc =
      t[3840 + (a & 0xff)]! ^
      t[3584 + ((a >>> 8) & 0xff)]! ^
      t[3328 + ((a >>> 16) & 0xff)]! ^
      t[3072 + (a >>> 24)]! ^
      t[2816 + (b & 0xff)]! ^
      t[2560 + ((b >>> 8) & 0xff)]! ^
      t[2304 + ((b >>> 16) & 0xff)]! ^
      t[2048 + (b >>> 24)]! ^
      t[1792 + (c & 0xff)]! ^
      t[1536 + ((c >>> 8) & 0xff)]! ^
      t[1280 + ((c >>> 16) & 0xff)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + (d & 0xff)]! ^
      t[512 + ((d >>> 8) & 0xff)]! ^
      t[256 + ((d >>> 16) & 0xff)]! ^
      t[d >>> 24]!;
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ t[(crc ^ memory[at]!) & 0xff]!;
  return ~crc >>> 0;
}

export function putU32(memory: Uint8Array, at: number, value: number): void {
  memory[at] = value;
  memory[at + 1] = value >>> 8;
  memory[at + 2] = value >>> 16;
  memory[at + 3] = value >>> 24;
}

export function getU32(memory: Uint8Array, at: number): number {
  return (memory[at]! | (memory[at + 1]! << 8) | (memory[at + 2]! << 16) | (memory[at + 3]! << 24)) >>> 0;
}

/** A whole number from 0 up to the largest safe one, in eight bytes. */
export function putWhole(memory: Uint8Array, at: number, value: number): void {
  putU32(memory, at, value % TWO_32);
  putU32(memory, at + 4, Math.floor(value / TWO_32));
}

/** Not safe where what lies there is larger. */
export function getWhole(memory: Uint8Array, at: number): number {
  return getU32(memory, at) + getU32(memory, at + 4) * TWO_32;
}

const DOUBLE = new Float64Array(1);
const DOUBLE_BYTES = new Uint8Array(DOUBLE.buffer);

export function putDouble(memory: Uint8Array, at: number, value: number): void {
  DOUBLE[0] = value;
  for (let i = 0; i < 8; i++) memory[at + i] = DOUBLE_BYTES[i]!;
}

export function getDouble(memory: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) DOUBLE_BYTES[i] = memory[at + i]!;
  return DOUBLE[0]!;
}

/** Below this length a loop beats the call. */
const LOOP_MAX = 24;

/** Writes a byte string. */
export function putText(memory: Buffer, at: number, value: string): void {
  if (value.length > LOOP_MAX) memory.write(value, at, "latin1");
  else for (let i = 0; i < value.length; i++) memory[at + i] = value.charCodeAt(i);
}
