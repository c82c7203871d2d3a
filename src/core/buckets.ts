/** Buckets of first tokens: a change of interest in a pattern makes stale what was found for subjects of its bucket. */
import { assert } from "../base/assert.ts";
export const BUCKETS = 64;

assert((BUCKETS & (BUCKETS - 1)) === 0, "the number of buckets is a power of two");

/** By the first token. */
export function bucketOf(subject: string): number {
  let hash = 0;
  for (let i = 0; i < subject.length; i++) {
    const code = subject.charCodeAt(i);
    if (code === 0x2e) break;
    hash = (Math.imul(hash, 31) + code) | 0;
  }
  return (hash ^ (hash >>> 8)) & (BUCKETS - 1);
}

/** A pattern that begins with a wildcard is of all buckets. */
export function ageBuckets(generations: Int32Array, pattern: string): void {
  const dot = pattern.indexOf(".");
  const first = dot < 0 ? pattern : pattern.slice(0, dot);
  if (first === "*" || first === ">") for (let i = 0; i < BUCKETS; i++) generations[i]!++;
  else generations[bucketOf(pattern)]!++;
}
