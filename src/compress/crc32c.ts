/** CRC-32C (Castagnoli), as the framing format of Snappy and S2 stores it: rotated, with a constant added. */

const POLYNOMIAL = 0x82f63b78;
/** Bytes that one step takes. */
const STEP = 16;
const MASK_DELTA = 0xa282ead8;
/** `TABLE[256 * k + b]`: what the byte `b` does to the sum when `k` more bytes follow it in the same step. */
const TABLE = newTable();

/** The masked sum of the bytes of `words` from `from` up to `to`, as an unsigned number. */
export function maskedCrc(words: DataView, from: number, to: number): number {
  let sum = -1;
  let at = from;
  for (; at + STEP <= to; at += STEP) {
    const a = words.getInt32(at, true) ^ sum;
    const b = words.getInt32(at + 4, true);
    const c = words.getInt32(at + 8, true);
    const d = words.getInt32(at + 12, true);
    sum =
      TABLE[0xf00 + (a & 255)]! ^
      TABLE[0xe00 + ((a >>> 8) & 255)]! ^
      TABLE[0xd00 + ((a >>> 16) & 255)]! ^
      TABLE[0xc00 + (a >>> 24)]! ^
      TABLE[0xb00 + (b & 255)]! ^
      TABLE[0xa00 + ((b >>> 8) & 255)]! ^
      TABLE[0x900 + ((b >>> 16) & 255)]! ^
      TABLE[0x800 + (b >>> 24)]! ^
      TABLE[0x700 + (c & 255)]! ^
      TABLE[0x600 + ((c >>> 8) & 255)]! ^
      TABLE[0x500 + ((c >>> 16) & 255)]! ^
      TABLE[0x400 + (c >>> 24)]! ^
      TABLE[0x300 + (d & 255)]! ^
      TABLE[0x200 + ((d >>> 8) & 255)]! ^
      TABLE[0x100 + ((d >>> 16) & 255)]! ^
      TABLE[d >>> 24]!;
  }
  for (; at < to; at++) sum = (sum >>> 8) ^ TABLE[(sum ^ words.getUint8(at)) & 255]!;
  sum = ~sum;
  return (((sum >>> 15) | (sum << 17)) + MASK_DELTA) >>> 0;
}

function newTable(): Int32Array {
  const table = new Int32Array(STEP * 256);
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
    table[byte] = sum;
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256]!;
    table[at] = (before >>> 8) ^ table[before & 255]!;
  }
  return table;
}
