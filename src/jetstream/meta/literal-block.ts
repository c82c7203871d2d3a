/**
 * Blocks of S2 that say everything literally, as any server that knows S2 or Snappy reads them:
 *
 *     uvarint: length of what follows unpacked    then pieces: 1 byte tag, 4 bytes length less one, the bytes
 */
import { pushVarint, readVarints } from "../group/operations.ts";

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

/** undefined: it is no such block. */
export function unpackBlock(block: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length);
  const [size] = readVarints(bytes, 1, 0);
  let at = bytes.findIndex((byte) => byte < 128) + 1;
  const parts: Uint8Array[] = [];
  let length = 0;
  while (at < bytes.length) {
    if (bytes[at] !== LONG_LITERAL || at + 5 > bytes.length) return undefined;
    const count = bytes.readUInt32LE(at + 1) + 1;
    if (at + 5 + count > bytes.length) return undefined;
    parts.push(bytes.subarray(at + 5, at + 5 + count));
    length += count;
    at += 5 + count;
  }
  return BigInt(length) === size ? Buffer.concat(parts) : undefined;
}
