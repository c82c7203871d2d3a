/**
 * The framing format of S2 on its way out: blocks, each with its checksum, packed or as they are. stream-unpacker.ts shows it.
 *
 * What it returns lies in memory that it uses again once that is given back. Bounded by OUTPUT_SIZE of such memory.
 */
import { BlockEncoder, packedMax, type Level } from "./block-encoder.ts";
import { maskedCrc } from "./crc32c.ts";

/** How what is sent is framed: as it is, or packed. */
export type Framing = "uncompressed" | Level;

/** The first bytes of a stream. */
export const STREAM_START = Uint8Array.of(0xff, 6, 0, 0, ...Buffer.from("S2sTwO"));
/** Kind, length and checksum in front of a block. */
export const BLOCK_HEAD = 8;
/** So much of what is sent makes one block. */
const BLOCK_SIZE = 64 * 1024;
const OUTPUT_SIZE = BLOCK_HEAD + packedMax(BLOCK_SIZE);
const PACKED = 0;
const PLAIN = 1;
const CHECKSUM = 4;

/** The packers of all streams of a server: no block depends on another one. */
export class Packers {
  private readonly encoders = new Map<Level, BlockEncoder>();
  private spare: Uint8Array | null = null;

  of(level: Level): BlockEncoder {
    let encoder = this.encoders.get(level);
    if (encoder === undefined) this.encoders.set(level, (encoder = new BlockEncoder(level)));
    return encoder;
  }

  /** Frames the pieces. The pieces of the result may be those that came; the others may be given back by `release`. */
  pack(framing: Framing, pieces: readonly Uint8Array[]): Uint8Array[] {
    const framed: Uint8Array[] = [];
    for (const piece of pieces) {
      for (let from = 0; from < piece.length; from += BLOCK_SIZE)
        this.packBlock(framing, piece.subarray(from, from + BLOCK_SIZE), framed);
    }
    return framed;
  }

  /** Nobody reads these any more. */
  release(framed: readonly Uint8Array[]): void {
    const [first] = framed;
    if (first?.buffer.byteLength === OUTPUT_SIZE) this.spare = new Uint8Array(first.buffer as ArrayBuffer);
  }

  private packBlock(framing: Framing, block: Uint8Array, framed: Uint8Array[]): void {
    if (framing !== "uncompressed") {
      const output = this.spare ?? new Uint8Array(OUTPUT_SIZE);
      const packed = this.of(framing).pack(block, output.subarray(BLOCK_HEAD));
      if (packed > 0) {
        this.spare = null;
        writeBlockHead(output, 0, block, packed);
        framed.push(output.subarray(0, BLOCK_HEAD + packed));
        return;
      }
      this.spare = output;
    }
    const head = new Uint8Array(BLOCK_HEAD);
    writeBlockHead(head, 0, block, 0);
    framed.push(head, block);
  }
}

/** Writes the head of `block` at `at`. `packed`: the bytes that it takes; 0: it goes as it is. */
export function writeBlockHead(target: Uint8Array, at: number, block: Uint8Array, packed: number): void {
  const words = new DataView(block.buffer, block.byteOffset, block.length);
  const crc = maskedCrc(words, 0, block.length);
  const length = CHECKSUM + (packed === 0 ? block.length : packed);
  target[at] = packed === 0 ? PLAIN : PACKED;
  target[at + 1] = length;
  target[at + 2] = length >>> 8;
  target[at + 3] = length >>> 16;
  target[at + 4] = crc;
  target[at + 5] = crc >>> 8;
  target[at + 6] = crc >>> 16;
  target[at + 7] = crc >>> 24;
}
