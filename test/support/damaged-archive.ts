/** Behind the start of the stream (10 bytes) and the kind and length of its first block (4 bytes). */
const FIRST_CHECKSUM_AT = 14;

/** The archive with a flipped bit in a checksum. A flipped bit elsewhere may leave what the archive stands for as it is. */
export function withWrongChecksum(archive: Buffer): Buffer {
  const damaged = Buffer.from(archive);
  damaged[FIRST_CHECKSUM_AT]! ^= 1;
  return damaged;
}
