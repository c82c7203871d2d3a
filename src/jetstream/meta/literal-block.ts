/**
 * Blocks of S2 that say everything literally, as any server that knows S2 or Snappy reads them:
 *
 *     uvarint: length of what follows unpacked    then pieces: 1 byte tag, 4 bytes length less one, the bytes
 */
import { pushVarint } from "../group/operations.ts";

/** A literal whose length stands in the four bytes behind the tag. */
const LONG_LITERAL = 63 << 2;
const PIECE_MAX = 1 << 24;

export function packBlock(content: Uint8Array): Uint8Array {
  const head: number[] = [];
  pushVarint(head, BigInt(content.length));
  const parts: Uint8Array[] = [Uint8Array.from(head)];
  for (let at = 0; at < content.length; at += PIECE_MAX) {
    const piece = content.subarray(at, at + PIECE_MAX);
    const tag = Buffer.alloc(5);
    tag[0] = LONG_LITERAL;
    tag.writeUInt32LE(piece.length - 1, 1);
    parts.push(tag, piece);
  }
  return Buffer.concat(parts);
}
