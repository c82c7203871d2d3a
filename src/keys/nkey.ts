/**
 * Public nkeys: Ed25519 keys in base32 with a prefix and a checksum. The package of NATS judges whether a text is
 * one; signatures are verified by Node, which takes 0.1 ms where the package's JavaScript takes 6 ms: too long for the event loop
 * that all clients share.
 */
import { assert } from "../base/assert.ts";
import { fromPublic, fromSeed } from "@nats-io/nkeys";
import { createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from "node:crypto";

/** What stands before the 32 bytes of an Ed25519 key in DER. */
const DER_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const KEYS_MAX = 4096;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** By their first byte, which shows as the first letter. */
assert(BASE32.length === 32, "base 32 has 32 letters");
const PREFIXES = { user: 20 << 3, account: 0, server: 13 << 3, curve: 23 << 3, operator: 14 << 3 } as const;
const LETTERS = { user: "U", account: "A", server: "N", curve: "X", operator: "O" } as const;

export type NkeyKind = keyof typeof PREFIXES;

export function isNkeyOf(kind: NkeyKind, text: string): boolean {
  return text.startsWith(LETTERS[kind]) && isPublicNkey(text);
}

export function isUserNkey(text: string): boolean {
  return isNkeyOf("user", text);
}

/** A pair whose secret half stays in this process. */
export interface SigningNkey {
  /** 56 characters. */
  readonly publicKey: string;
  /** In base64 for URLs. */
  sign(text: string): string;
}

export function newNkey(kind: Exclude<NkeyKind, "curve">): SigningNkey {
  const pair = generateKeyPairSync("ed25519");
  const raw = pair.publicKey.export({ format: "der", type: "spki" }).subarray(DER_PREFIX.length);
  return {
    publicKey: publicNkey(kind, raw),
    sign: (text) => sign(null, Buffer.from(text), pair.privateKey).toString("base64url"),
  };
}

/** The pair of a seed. Throws where the text is none; what is thrown does not show it. */
export function seedKey(seed: string): SigningNkey {
  try {
    const pair = fromSeed(Buffer.from(seed.trim(), "latin1"));
    const publicKey = pair.getPublicKey();
    return { publicKey, sign: (text) => Buffer.from(pair.sign(Buffer.from(text))).toString("base64url") };
  } catch {
    throw new Error("the seed is not one of an nkey, which begins with S");
  }
}

/** `raw`: the 32 bytes of the key. */
export function publicNkey(kind: NkeyKind, raw: Uint8Array): string {
  assert(raw.length === KEY_BYTES, "a public key has 32 bytes");
  const body = Buffer.concat([Buffer.from([PREFIXES[kind]]), raw]);
  const check = Buffer.alloc(2);
  check.writeUInt16LE(crc16(body));
  return encodeBase32(Buffer.concat([body, check]));
}

/** The 32 bytes of a text that `isPublicNkey`. */
export function rawNkey(nkey: string): Uint8Array {
  const raw = decodeBase32(nkey).subarray(1, 1 + KEY_BYTES);
  assert(raw.length === KEY_BYTES, "callers check that a text is an nkey");
  return raw;
}

/** A public nkey of any kind: user, account, server, operator, cluster, curve. */
export function isPublicNkey(text: string): boolean {
  try {
    fromPublic(text);
    return true;
  } catch {
    return false; // what else it may be does not matter
  }
}

/** The key of a text that `isPublicNkey`. */
export function nkeyToVerify(nkey: string): KeyObject {
  return createPublicKey({ key: Buffer.concat([DER_PREFIX, rawNkey(nkey)]), format: "der", type: "spki" });
}

/** Finds the key of a text; null: it is no public nkey. */
export interface Keys {
  keyOf(nkey: string): KeyObject | null;
}

/** These are read each time. */
export const NEW_KEYS: Keys = { keyOf: (nkey) => (isPublicNkey(nkey) ? nkeyToVerify(nkey) : null) };

/**
 * Remembers keys that have been read: the same few sign many tokens, and reading a key takes half as long as verifying a signature.
 * Bounded: KEYS_MAX are remembered; the one that has not been used for longest is evicted.
 */
export class KnownKeys implements Keys {
  private readonly known = new Map<string, KeyObject>();

  keyOf(nkey: string): KeyObject | null {
    const key = this.known.get(nkey) ?? NEW_KEYS.keyOf(nkey);
    if (key === null) return null;
    this.known.delete(nkey);
    this.known.set(nkey, key);
    for (const [oldest] of this.known) {
      if (this.known.size <= KEYS_MAX) break;
      this.known.delete(oldest);
    }
    assert(this.known.size <= KEYS_MAX, "remembered keys stay within their bound");
    return key;
  }
}

/** The kind of a text that `isPublicNkey`. */
export function hasKind(kind: NkeyKind, nkey: string): boolean {
  return nkey.startsWith(LETTERS[kind]);
}

/** `signature` in base64, in the spelling for URLs or the usual one. */
export function isSignedBy(key: KeyObject, text: string, signature: string): boolean {
  const bytes = Buffer.from(signature, "base64");
  return bytes.length === SIGNATURE_BYTES && verify(null, Buffer.from(text), key, bytes);
}

function decodeBase32(text: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of text) {
    value = ((value << 5) | BASE32.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Buffer.from(bytes);
}

/** CRC-16/XMODEM, as nkeys end with. */
function crc16(data: Uint8Array): number {
  let crc = 0;
  for (const byte of data) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc;
}

function encodeBase32(data: Uint8Array): string {
  let out = "";
  let bits = 0;
  let value = 0;
  for (const byte of data) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      out += BASE32[(value >>> (bits - 5)) & 31];
      bits -= 5;
    }
  }
  return bits === 0 ? out : out + BASE32[(value << (5 - bits)) & 31];
}
