/** Tokens of letters and digits, as nats-server uses them for ids, inboxes and hashes of names. */
import { createHash } from "node:crypto";
import { assert } from "./assert.ts";
import { randomInt, type Random } from "./random.ts";

export const BASE62_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

assert(new Set(BASE62_DIGITS).size === 62, "base 62 has 62 digits");
const NUID_LENGTH = 22;
/** Length of generated names. */
const NAME_LENGTH = 8;

export function randomToken(random: Random, length = NAME_LENGTH): string {
  let token = "";
  for (let i = 0; i < length; i++) token += BASE62_DIGITS[randomInt(random, BASE62_DIGITS.length)];
  return token;
}

/** A unique id, as long as nats-server's. */
export function nuid(random: Random): string {
  return randomToken(random, NUID_LENGTH);
}

/** The hash by which nats-server tells names apart in subjects and headers. `name`: a byte string. */
export function hashName(name: string): string {
  const digest = createHash("sha256").update(name, "latin1").digest().subarray(0, NAME_LENGTH);
  return Array.from(digest, (byte) => BASE62_DIGITS[byte % BASE62_DIGITS.length]).join("");
}
