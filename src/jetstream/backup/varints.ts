/** Reads and writes whole numbers in groups of seven bits, the lowest first; signed ones have their sign in the lowest bit. */
import { DamagedBackup } from "./s2-stream.ts";

const VARINT_MAX = 10;

export class VarintReader {
  at: number;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Throws `DamagedBackup`. */
  unsigned(): bigint {
    let value = 0n;
    for (let i = 0; i < VARINT_MAX; i++) {
      const byte = this.bytes[this.at];
      if (byte === undefined) break;
      this.at++;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return value;
    }
    throw new DamagedBackup("a number of the backup is damaged");
  }

  signed(): bigint {
    const value = this.unsigned();
    return (value & 1n) === 1n ? -((value + 1n) >> 1n) : value >> 1n;
  }

  /** A sequence or a count: one that is kept without being rounded. */
  whole(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.bytes[this.at];
      if (byte === undefined) break;
      this.at++;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
    }
    throw new DamagedBackup("a number of the backup is no sequence that can be kept");
  }

  take(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw new DamagedBackup("a part of the backup is cut off");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

export function putUnsigned(into: number[], value: bigint): void {
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) into.push(Number(rest & 0x7fn) | 0x80);
  into.push(Number(rest));
}

export function putSigned(into: number[], value: bigint): void {
  putUnsigned(into, value < 0n ? (-value << 1n) - 1n : value << 1n);
}
