/**
 * Blocks and streams of S2 that lie in memory as a whole, as the logs of groups have them. A block may be longer than in a stream: it is
 * one block, however long its content is. Nothing is unpacked that says of itself that it is longer than the caller takes.
 */
import { BROKEN, unpackBlock, unpackedLength } from "./block-decoder.ts";
import { INCOMPLETE, StreamUnpacker } from "./stream-unpacker.ts";

/** undefined: it is no block, or holds more than `lengthMax` bytes. */
export function unpackWholeBlock(block: Uint8Array, lengthMax: number): Uint8Array | undefined {
  const length = unpackedLength(block, lengthMax);
  if (length === BROKEN) return undefined;
  const content = new Uint8Array(length);
  return unpackBlock(block, content) === length ? content : undefined;
}

/** undefined: it is no stream, or not a whole one, or holds more than `lengthMax` bytes. */
export function unpackWholeStream(stream: Uint8Array, lengthMax: number): Uint8Array | undefined {
  const reader = new StreamUnpacker(lengthMax);
  reader.feed(stream);
  const blocks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const size = reader.next();
    if (size === INCOMPLETE) break;
    if (size === BROKEN || length + size > lengthMax) return undefined;
    const block = new Uint8Array(size);
    if (!reader.take(block)) return undefined;
    blocks.push(block);
    length += size;
  }
  return reader.keptBytes === 0 && !reader.isAmidChunk ? Buffer.concat(blocks) : undefined;
}
