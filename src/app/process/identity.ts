/**
 * By what a server is known: an nkey of kind server, whose public half is its id (56 characters, N first), and a curve key, to
 * which secrets for it are sealed. Both are new at each start, their secret halves stay in this process.
 */
import { createHash } from "node:crypto";
import { BASE62_DIGITS } from "../../base/base62.ts";
import { newNkey, type SigningNkey } from "../../keys/nkey.ts";
import { CurveKey } from "../../keys/curve-key.ts";

export interface ServerKeys {
  readonly signing: SigningNkey;
  readonly curve: CurveKey;
}

export function newServerKeys(): ServerKeys {
  return { signing: newNkey("server"), curve: new CurveKey() };
}

/** One token that stands for a server's name in subjects of the system account, as nats-server makes it. */
export function serverHash(name: string): string {
  const digest = createHash("sha256").update(name).digest().subarray(0, 8);
  return Array.from(digest, (byte) => BASE62_DIGITS[byte % BASE62_DIGITS.length]).join("");
}
