/**
 * The framing format of S2 on its way out: blocks, each with its checksum, packed or as they are. stream-unpacker.ts shows it.
 *
 * Checksums cost more than all else that is done to blocks that are not packed, and TCP and TLS have their own. So each stream of ours says
 * in a chunk that others skip that its sender checks none, and two that say so leave them out.
 *
 * What it returns lies in memory that it uses again once that is given back. Bounded by OUTPUT_SIZE of such memory.
 */
import { BlockEncoder, packedMax, type Level } from "./block-encoder.ts";
import { maskedCrc } from "./crc32c.ts";

/** How what is sent is framed: as it is, or packed. */
export type Framing = "uncompressed" | Level;

/** The first bytes of a stream. */
export const STREAM_START = Uint8Array.of(0xff, 6, 0, 0, ...Buffer.from("S2sTwO"));
/** The kind of a chunk that readers skip. */
export const NOTE = 0xc5;
/** What the chunk holds whose sender checks no sums. */
export const UNCHECKED_TEXT = "no checksums";
/** Follows STREAM_START. */
export const UNCHECKED = Uint8Array.of(NOTE, UNCHECKED_TEXT.length, 0, 0, ...Buffer.from(UNCHECKED_TEXT));
/** Whether blocks have their checksums. */
export type Sums = "written" | "left out";
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
  pack(framing: Framing, pieces: readonly Uint8Array[], sums: Sums = "written"): Uint8Array[] {
    const framed: Uint8Array[] = [];
    for (const piece of pieces) {
      for (let from = 0; from < piece.length; from += BLOCK_SIZE) {
        const block = piece.subarray(from, from + BLOCK_SIZE);
        this.packBlock(framing, block, sums === "written" ? sumOf(block) : 0, framed);
      }
    }
    return framed;
  }

  /** Nobody reads these any more. */
  release(framed: readonly Uint8Array[]): void {
    const [first] = framed;
    if (first?.buffer.byteLength === OUTPUT_SIZE) this.spare = new Uint8Array(first.buffer as ArrayBuffer);
  }

  private packBlock(framing: Framing, block: Uint8Array, sum: number, framed: Uint8Array[]): void {
    if (framing !== "uncompressed") {
      const output = this.spare ?? new Uint8Array(OUTPUT_SIZE);
      const packed = this.of(framing).pack(block, output.subarray(BLOCK_HEAD));
      if (packed > 0) {
        this.spare = null;
        writeBlockHead(output, 0, PACKED, packed, sum);
        framed.push(output.subarray(0, BLOCK_HEAD + packed));
        return;
      }
      this.spare = output;
    }
    const head = new Uint8Array(BLOCK_HEAD);
    writePlainHead(head, 0, block.length, sum);
    framed.push(head, block);
  }
}

/** The checksum of a block. */
export function sumOf(block: Uint8Array): number {
  return maskedCrc(new DataView(block.buffer, block.byteOffset, block.length), 0, block.length);
}

/** Writes the head of a block of `length` bytes that goes as it is. `sum`: see `sumOf`; 0 where it is left out. */
export function writePlainHead(target: Uint8Array, at: number, length: number, sum: number): void {
  writeBlockHead(target, at, PLAIN, length, sum);
}

function writeBlockHead(target: Uint8Array, at: number, kind: number, bytes: number, sum: number): void {
  const length = CHECKSUM + bytes;
  target[at] = kind;
  target[at + 1] = length;
  target[at + 2] = length >>> 8;
  target[at + 3] = length >>> 16;
  target[at + 4] = sum;
  target[at + 5] = sum >>> 8;
  target[at + 6] = sum >>> 16;
  target[at + 7] = sum >>> 24;
}
