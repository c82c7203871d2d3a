/**
 * Feeds bytes to the reader of S2 streams, and takes them for data to pack. The first two bytes say how:
 *
 *     | level, size of pieces | bytes ...
 *
 * However a stream is cut, the same comes out of it, and no more than it may; what is packed comes back as it was.
 */
import { assert } from "../src/base/assert.ts";
import { BlockEncoder, packedMax } from "../src/compress/block-encoder.ts";
import { unpackBlock } from "../src/compress/block-decoder.ts";
import { Packers, STREAM_START, UNCHECKED, type Framing } from "../src/compress/stream-packer.ts";
import { StreamUnpacker } from "../src/compress/stream-unpacker.ts";
import { pieceLength } from "./support/shared-stack.ts";

const BLOCK_MAX = 64 * 1024;
const FRAMINGS: readonly Framing[] = ["uncompressed", "fast", "better", "best"];
const packers = new Packers();
const encoder = new BlockEncoder("fast");

function framed(framing: Framing, text: string): Buffer {
  return Buffer.concat(packers.pack(framing, [Buffer.from(text)]));
}

export const dictionary = [
  Buffer.from(STREAM_START),
  Buffer.from(UNCHECKED),
  Buffer.from("\xff\x06\0\0sNaPpY", "latin1"),
  ...FRAMINGS.map((framing) => framed(framing, "PING\r\n".repeat(20))),
  framed("best", `LMSG a.b 5\r\n${"0123456789".repeat(30)}\r\n`.repeat(9)),
  Buffer.from("\xfe\x02\0\0ab", "latin1"),
  Buffer.from("\x99\0\0\x01", "latin1"),
  // A block of 4 MiB of repeats, and repeats of each length.
  Buffer.from([0, 12, 0, 0, 1, 2, 3, 4, 0x80, 0x80, 0x80, 2, 0, 65, 1, 0]),
  ...[0, 1, 4, 5, 6, 7].map((code) => Buffer.from([(code << 2) | 1, 0, 1, 2, 3])),
  Buffer.from([0xf0, 0xff]),
  Buffer.from([0xfc, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]),
];

interface Outcome {
  readonly bytes: Buffer;
  readonly isBroken: boolean;
}

export function fuzz(input: Uint8Array): void {
  const [how = 0, second = 0] = input;
  const data = input.subarray(2);
  const note = (how & 8) === 0 ? [] : [UNCHECKED];
  const stream = (how & 4) === 0 ? data : Buffer.concat([STREAM_START, ...note, data]);
  const whole = unpack(stream, Math.max(1, stream.length));
  const pieces = unpack(stream, pieceLength(stream, second & 63));
  assert(whole.isBroken === pieces.isBroken, "a stream breaks however it is cut");
  assert(whole.bytes.equals(pieces.bytes), "the same comes out however it is cut");
  const block = Buffer.alloc(BLOCK_MAX);
  unpackBlock(data, block);
  const framing = FRAMINGS[how & 3]!;
  const back = unpack(Buffer.concat([STREAM_START, ...packers.pack(framing, [data])]), 100_000);
  assert(!back.isBroken && back.bytes.equals(data), "what is packed comes back");
  if (data.length > BLOCK_MAX) return;
  const target = Buffer.alloc(packedMax(data.length));
  const length = encoder.pack(data, target);
  assert(length <= data.length, "a packed block is no longer");
}

function unpack(stream: Uint8Array, length: number): Outcome {
  const reader = new StreamUnpacker(BLOCK_MAX);
  const blocks: Buffer[] = [];
  for (let from = 0; from < stream.length; from += length) {
    reader.feed(stream.subarray(from, from + length));
    for (;;) {
      const size = reader.next();
      if (size === 0) break;
      assert(size <= BLOCK_MAX, "a block is no longer than it may be");
      const block = Buffer.alloc(Math.max(0, size));
      if (size < 0 || !reader.take(block)) return { bytes: Buffer.concat(blocks), isBroken: true };
      blocks.push(block);
    }
    reader.keep();
    assert(reader.keptBytes <= 8 + packedMax(BLOCK_MAX), "no more is kept than a block");
  }
  return { bytes: Buffer.concat(blocks), isBroken: false };
}
