/** The server's id: an nkey public key of type server, as nats-server has it (56 characters, N first). New at each start. */
import { createHash, randomBytes } from "node:crypto";

const SERVER_PREFIX = 13 << 3; // N
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

export function newServerId(): string {
  const body = Buffer.concat([Buffer.from([SERVER_PREFIX]), randomBytes(32)]);
  const check = Buffer.alloc(2);
  check.writeUInt16LE(crc16(body));
  return base32(Buffer.concat([body, check]));
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** One token that stands for a server's name in subjects of the system account, as nats-server makes it. */
export function serverHash(name: string): string {
  const digest = createHash("sha256").update(name).digest().subarray(0, 8);
  return Array.from(digest, (byte) => DIGITS[byte % DIGITS.length]).join("");
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

function base32(data: Uint8Array): string {
  let out = "";
  let bits = 0;
  let value = 0;
  for (const byte of data) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      out += ALPHABET[(value >>> (bits - 5)) & 31];
      bits -= 5;
    }
  }
  return bits === 0 ? out : out + ALPHABET[(value << (5 - bits)) & 31];
}
