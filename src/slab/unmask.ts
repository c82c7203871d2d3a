/**
 * Takes the mask off what clients send over WebSocket: an exclusive or with four bytes that repeat. Long stretches go by a function of
 * WebAssembly, 16 bytes at a time; short ones by words, which costs less than the call.
 */
import { bytes, linkWasm, words } from "./memory.ts";

/** Below this length a loop beats the call. */
const CALL_MIN = 32;
const BLOCK = 16;

/**
 * (func (param $to i32) (param $from i32) (param $length i32) (param $key i32) (local $end i32) (local $mask v128)
 *   mask = splat(key), end = to + length
 *   loop { store(to, load(from) ^ mask); to += 16; from += 16; if (to < end) repeat })
 * with the memory imported as m.m and the function exported as c. `length` is a multiple of 16, and not 0.
 */
const UNMASK_MODULE = [
  [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic, version
  [1, 8, 1, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 0], // type: (i32, i32, i32, i32) -> ()
  [2, 8, 1, 1, 0x6d, 1, 0x6d, 2, 0, 64], // import m.m: memory, at least 64 pages
  [3, 2, 1, 0], // one function of type 0
  [7, 5, 1, 1, 0x63, 0, 0], // export it as c
  [10, 59, 1, 57, 2, 1, 0x7f, 1, 0x7b], // its code: 57 bytes, with locals of i32 and v128
  [0x20, 3, 0xfd, 0x11, 0x21, 5], // mask = i32x4.splat(key)
  [0x20, 0, 0x20, 2, 0x6a, 0x21, 4], // end = to + length
  [0x03, 0x40], // loop
  [0x20, 0, 0x20, 1, 0xfd, 0x00, 0, 0, 0x20, 5, 0xfd, 0x51, 0xfd, 0x0b, 0, 0], // store(to, load(from) ^ mask)
  [0x20, 0, 0x41, 16, 0x6a, 0x22, 0], // to += 16, kept on the stack
  [0x20, 1, 0x41, 16, 0x6a, 0x21, 1], // from += 16
  [0x20, 4, 0x49, 0x0d, 0, 0x0b, 0x0b], // if (to < end) repeat
];

const unmaskBlocks = linkWasm(UNMASK_MODULE) as (
  to: number,
  from: number,
  length: number,
  key: number,
) => void;

/**
 * Writes `length` bytes of the slab from `from` to `to`, which is not behind `from`, without their mask. `key` is the mask as it stands
 * at the first byte, as a little-endian word. Nothing is written behind `to + length`.
 */
export function unmask(to: number, from: number, length: number, key: number): void {
  let done = 0;
  if (length >= CALL_MIN) {
    done = length - (length % BLOCK);
    unmaskBlocks(to, from, done, key);
  }
  for (; done + 4 <= length; done += 4)
    words.setInt32(to + done, words.getInt32(from + done, true) ^ key, true);
  for (; done < length; done++) bytes[to + done] = bytes[from + done]! ^ (key >>> ((done & 3) * 8));
}

/** The mask as it stands `length` bytes later. */
export function rotated(key: number, length: number): number {
  const shift = (length & 3) * 8;
  return shift === 0 ? key : (key >>> shift) | (key << (32 - shift));
}
