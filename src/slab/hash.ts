/**
 * Hashes a piece of the slab by words of four bytes, the last one padded with zeros, so that the parser can compute the hash while it looks
 * for the end of the piece. Depends on these bytes only. Not for secrets.
 */
import { words } from "./memory.ts";

export const HASH_SEED = 0x2545f491;

export function mixHash(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** Pieces differ most in their last bytes, which are the high bits of a word: brings them down. */
export function endHash(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}

/** Keeps the first `count` (0 to 3) bytes of a word. */
export function firstBytes(word: number, count: number): number {
  return word & ((1 << (count << 3)) - 1);
}

export function hashBytes(at: number, length: number): number {
  const rest = length & 3;
  const last = at + length - rest;
  let hash = HASH_SEED;
  for (let i = at; i < last; i += 4) hash = mixHash(hash, words.getInt32(i, true));
  return endHash(mixHash(hash, firstBytes(words.getInt32(last, true), rest)));
}

/** Compares two pieces of the slab, by words as well. */
export function sameBytes(a: number, b: number, length: number): boolean {
  const rest = length & 3;
  const last = length - rest;
  for (let i = 0; i < last; i += 4) {
    if (words.getInt32(a + i, true) !== words.getInt32(b + i, true)) return false;
  }
  return firstBytes(words.getInt32(a + last, true) ^ words.getInt32(b + last, true), rest) === 0;
}
