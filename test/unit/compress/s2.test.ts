import { describe, expect, it } from "vitest";
import { BLOCK_MAX, BROKEN, unpackBlock, unpackedLength } from "../../../src/compress/block-decoder.ts";
import { BlockEncoder, packedMax, type Level } from "../../../src/compress/block-encoder.ts";
import { maskedCrc } from "../../../src/compress/crc32c.ts";
import { Packers, STREAM_START, UNCHECKED, type Framing } from "../../../src/compress/stream-packer.ts";
import { StreamUnpacker } from "../../../src/compress/stream-unpacker.ts";
import { messages, noise, runs } from "./inputs.ts";
import { VECTORS } from "./vectors.ts";

const INPUTS = { messages: messages(12), noise: noise(100), runs: runs() };
const LEVELS: readonly Level[] = ["fast", "better", "best"];
const FRAMINGS: readonly Framing[] = ["uncompressed", ...LEVELS];

/** All that comes out of a stream; null: it is broken. */
function unpackStream(stream: Uint8Array, pieceLength: number, blockMax = BLOCK_MAX): Buffer | null {
  const reader = new StreamUnpacker(blockMax);
  const blocks: Buffer[] = [];
  for (let from = 0; from < stream.length; from += pieceLength) {
    reader.feed(stream.subarray(from, from + pieceLength));
    for (let length = reader.next(); length !== 0; length = reader.next()) {
      const block = Buffer.alloc(Math.max(0, length));
      if (length < 0 || !reader.take(block)) return null;
      blocks.push(block);
    }
    reader.keep();
  }
  return Buffer.concat(blocks);
}

function stream(framing: Framing, ...pieces: Uint8Array[]): Buffer {
  return Buffer.concat([STREAM_START, ...new Packers().pack(framing, pieces)]);
}

describe("the checksum of S2", () => {
  it("is CRC-32C, rotated, with a constant added", () => {
    const sum = (text: string): number => {
      const bytes = Buffer.from(text);
      return maskedCrc(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
    };
    const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
    // Check values of the published CRC-32C.
    expect(sum("123456789")).toBe(masked(0xe3069283));
    expect(sum("\0".repeat(32))).toBe(masked(0x8a9136aa));
    expect(sum("")).toBe(masked(0));
  });
});

describe("streams of S2", () => {
  it.each(VECTORS)("unpacks what nats-server's writer makes of %s at level %s", (name, _, base64) => {
    const packed = Buffer.from(base64, "base64");
    for (const length of [packed.length, 1000, 7, 1])
      expect(unpackStream(packed, length)?.equals(INPUTS[name])).toBe(true);
  });

  it.each(FRAMINGS)("gives back what was packed at level %s, in any pieces", (framing) => {
    for (const input of [Buffer.alloc(0), Buffer.from("a"), messages(3000), noise(70_000), runs()]) {
      const packed = stream(framing, input, input.subarray(5), Buffer.from("PING\r\n"));
      const expected = Buffer.concat([input, input.subarray(5), Buffer.from("PING\r\n")]);
      for (const length of [packed.length, 65_536, 997])
        expect(unpackStream(packed, length)?.equals(expected)).toBe(true);
    }
  });

  it("packs better at higher levels, and nothing that does not compress", () => {
    const sizes = FRAMINGS.map((framing) => stream(framing, messages(3000)).length);
    expect(sizes.toSorted((a, b) => b - a)).toEqual(sizes);
    expect(stream("best", noise(5000)).length).toBe(STREAM_START.length + 8 + 5000);
  });

  it("accepts chunks that are to be skipped and streams that begin again, and refuses others", () => {
    const skipped = Buffer.from([0xfe, 3, 0, 0, 1, 2, 3, 0x80, 0, 0, 0]);
    const packed = Buffer.concat([stream("fast", messages(9)), skipped, stream("uncompressed", messages(1))]);
    for (const length of [packed.length, 3, 1])
      expect(unpackStream(packed, length)?.equals(Buffer.concat([messages(9), messages(1)]))).toBe(true);
    const named = Buffer.from("\xff\x06\0\0sNaPpY", "latin1");
    expect(unpackStream(named, 100)).toHaveLength(0);
    const broken = [
      "PING\r\n",
      "\x02\0\0\0",
      "\xff\x06\0\0S2sTwX",
      "\xff\x05\0\0S2sTw",
      `${named.toString("latin1")}\x02\0\0\0`,
      `${named.toString("latin1")}\0\x03\0\0abc`,
    ];
    for (const text of broken) expect(unpackStream(Buffer.from(text, "latin1"), 100)).toBe(null);
  });

  it("refuses a block whose checksum is wrong, whichever byte has changed", () => {
    for (const framing of FRAMINGS) {
      const packed = stream(framing, messages(4));
      for (let at = STREAM_START.length + 4; at < packed.length; at++) {
        const damaged = Buffer.from(packed);
        damaged[at] = damaged[at]! ^ 0x10;
        expect(unpackStream(damaged, damaged.length)).toBe(null);
      }
    }
  });

  it.each(FRAMINGS)("needs no checksums of a sender that checks none, at level %s", (framing) => {
    const inputs = [Buffer.from("a"), messages(3000), noise(70_000), runs(), Buffer.alloc(0), messages(2)];
    const blocks = new Packers().pack(framing, inputs, "left out");
    const bare = Buffer.concat([STREAM_START, UNCHECKED, ...blocks]);
    for (const length of [bare.length, 65_536, 997, 8, 1])
      expect(unpackStream(bare, length)?.equals(Buffer.concat(inputs))).toBe(true);
    expect(unpackStream(Buffer.concat([STREAM_START, ...blocks]), bare.length)).toBe(null);
    const other = Buffer.from(UNCHECKED);
    other[other.length - 1]! ^= 1; // a chunk like any other that is skipped
    expect(unpackStream(Buffer.concat([STREAM_START, other, ...blocks]), bare.length)).toBe(null);
  });

  it("hands on what has come of a block that it does not check, and refuses one that is too long", () => {
    const bare = Buffer.concat([
      STREAM_START,
      UNCHECKED,
      ...new Packers().pack("uncompressed", [noise(5000)], "left out"),
    ]);
    const whole = bare.length;
    expect(unpackStream(bare.subarray(0, whole - 4000), 300)?.equals(noise(5000).subarray(0, 1000))).toBe(
      true,
    );
    expect(unpackStream(bare, 300, 4999)).toBe(null);
    const reader = new StreamUnpacker(5000);
    reader.feed(bare.subarray(0, whole - 4000));
    expect([reader.next(), reader.isPlain]).toEqual([1000, true]);
  });

  it("refuses a block that is longer than it may be before anything is unpacked, and keeps no more of it", () => {
    const packed = stream("fast", Buffer.alloc(65_536));
    expect(unpackStream(packed, 1, 65_536)).toHaveLength(65_536);
    expect(unpackStream(packed, 1, 65_535)).toBe(null);
    const plain = stream("uncompressed", noise(5000));
    expect(unpackStream(plain.subarray(0, STREAM_START.length + 4), 1, 4999)).toBe(null);
    const reader = new StreamUnpacker(1000);
    reader.feed(plain.subarray(0, STREAM_START.length + 3));
    expect(reader.next()).toBe(0);
    reader.keep();
    expect(reader.keptBytes).toBe(3);
  });
});

describe("blocks of S2", () => {
  function unpack(...source: number[]): string | null {
    const target = Buffer.alloc(200_000);
    const length = unpackBlock(Uint8Array.from(source), target);
    return length === BROKEN ? null : target.toString("latin1", 0, length);
  }

  const abcd = [3 << 2, 97, 98, 99, 100];

  it("copies, and repeats from as far back as the last copy in each form", () => {
    expect(unpack(4, ...abcd)).toBe("abcd");
    expect(unpack(8, ...abcd, 0x01, 4)).toBe("abcdabcd");
    expect(unpack(7, ...abcd, (2 << 2) | 2, 1, 0)).toBe("abcdddd");
    expect(unpack(6, ...abcd, (1 << 2) | 3, 2, 0, 0, 0)).toBe("abcdcd");
    expect(unpack(12, ...abcd, 0x01, 4, 0x01, 0)).toBe("abcdabcdabcd");
    const repeated = (code: number, ...extra: number[]): number | undefined => {
      const length =
        code < 5 ? code + 4 : [8, 260, 65_540][code - 5]! + extra.reduceRight((n, b) => n * 256 + b, 0);
      const total = 8 + length;
      const told = [(total & 127) | 128, ((total >> 7) & 127) | 128, total >> 14];
      return unpack(...told, ...abcd, 0x01, 4, (code << 2) | 1, 0, ...extra)?.length;
    };
    expect(repeated(4)).toBe(16);
    expect(repeated(5, 7)).toBe(8 + 15);
    expect(repeated(6, 1, 1)).toBe(8 + 517);
    expect(repeated(7, 0, 1, 1)).toBe(8 + 65_540 + 65_792);
  });

  it("is broken where it reaches out of itself", () => {
    expect(unpack()).toBe(null);
    expect(unpack(0x80)).toBe(null);
    expect(unpack(5, ...abcd)).toBe(null); // too short
    expect(unpack(3, ...abcd)).toBe(null); // too long
    expect(unpack(4, 3 << 2, 97, 98)).toBe(null); // no bytes left
    expect(unpack(8, ...abcd, 0x01, 5)).toBe(null); // before the beginning
    expect(unpack(8, ...abcd, 0x01, 0)).toBe(null); // a repeat of nothing
    expect(unpack(8, ...abcd, 0x01)).toBe(null);
    expect(unpack(8, ...abcd, 0x02, 1)).toBe(null);
    expect(unpack(8, ...abcd, 0x03, 1, 0, 0)).toBe(null);
    expect(unpack(8, ...abcd, (3 << 2) | 3, 0xff, 0xff, 0xff, 0xff)).toBe(null);
    expect(unpack(100, 63 << 2, 0xff, 0xff, 0xff, 0xff)).toBe(null);
    expect(unpack(100, 60 << 2)).toBe(null);
    expect(unpack(100, ...abcd, 0x01, 4, (7 << 2) | 1, 0, 1)).toBe(null);
    expect(unpackedLength(Uint8Array.of(0x81, 0x80, 0x80, 0x02))).toBe(BROKEN); // 4 MiB and 1
    expect(unpackedLength(Uint8Array.of(0x80, 0x80, 0x80, 0x02))).toBe(BLOCK_MAX);
    expect(unpackedLength(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x01))).toBe(BROKEN);
  });

  it.each(LEVELS)("gives back long blocks at level %s, with copies from far back", (level) => {
    const encoder = new BlockEncoder(level);
    const far = Buffer.concat([messages(400), noise(150_000), messages(400), runs()]);
    for (const input of [far, Buffer.alloc(1_000_000), far.subarray(3)]) {
      const packed = Buffer.alloc(packedMax(input.length));
      const length = encoder.pack(input, packed);
      expect(length).toBeGreaterThan(0);
      const target = Buffer.alloc(input.length);
      expect(unpackBlock(packed.subarray(0, length), target)).toBe(input.length);
      expect(target.equals(input)).toBe(true);
    }
  });
});
