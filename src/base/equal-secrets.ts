/** Comparing secrets. It takes the same time for every input, so that nothing is learned from it. */
import { createHash, timingSafeEqual } from "node:crypto";

/** Compares digests, since the lengths of the secrets differ. */
export function equalSecrets(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}
