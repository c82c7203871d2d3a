import { beforeEach, describe, expect, it } from "vitest";
import { maskedCrc } from "../../../src/compress/crc32c.ts";
import { Packers, STREAM_START, UNCHECKED, type Framing } from "../../../src/compress/stream-packer.ts";
import { StreamUnpacker } from "../../../src/compress/stream-unpacker.ts";
import { releaseChunk, takeChunk } from "../../../src/slab/chunks.ts";
import { READ_SIZE, READ_START } from "../../../src/slab/layout.ts";
import { bytes, slice } from "../../../src/slab/memory.ts";
import { MemoryWire } from "../../../src/transport/memory.ts";
import { S2Wires } from "../../../src/transport/s2-wire.ts";
import type { Wire, WireReceiver } from "../../../src/transport/wire.ts";
import { messages, noise } from "../compress/inputs.ts";

const STRANGER_MAX = 1000;
const FRAMINGS: readonly Framing[] = ["uncompressed", "fast", "better", "best"];

class Far implements WireReceiver {
  readonly pieces: Buffer[] = [];
  waits = false;
  writtenCount = 0;
  closedFor: string | null = null;

  get received(): Buffer {
    return Buffer.concat(this.pieces);
  }

  onBytes(length: number): boolean {
    this.pieces.push(Buffer.from(slice(READ_START, length)));
    return !this.waits;
  }

  onWritten(): void {
    this.writtenCount++;
  }

  onClosed(problem: string): void {
    this.closedFor = problem;
  }
}

let below: MemoryWire;
let wire: Wire;
let far: Far;

beforeEach(() => {
  below = new MemoryWire();
  far = new Far();
  wire = new S2Wires().over(below, STRANGER_MAX);
  wire.start(far);
});

function packed(framing: Framing, ...pieces: Uint8Array[]): Buffer {
  return Buffer.concat([STREAM_START, ...new Packers().pack(framing, pieces)]);
}

function unpacked(stream: Uint8Array): Buffer {
  const reader = new StreamUnpacker(100_000);
  reader.feed(stream);
  const blocks: Buffer[] = [];
  for (let length = reader.next(); length > 0; length = reader.next()) {
    const block = Buffer.alloc(length);
    expect(reader.take(block)).toBe(true);
    blocks.push(block);
  }
  return Buffer.concat(blocks);
}

describe("a wire with S2", () => {
  it("passes bytes as they are until it is agreed on", () => {
    below.receiveText("INFO {}\r\n");
    wire.write(Buffer.from("CONNECT {}\r\n"));
    wire.writeMany([Buffer.from("PI"), Buffer.from("NG\r\n")]);
    expect(far.received.toString()).toBe("INFO {}\r\n");
    expect(below.takeText()).toBe("CONNECT {}\r\nPING\r\n");
  });

  it.each(FRAMINGS)("packs what is written behind what is plain, at level %s", (framing) => {
    wire.compress?.(framing, 6);
    wire.write(Buffer.from("IN"));
    expect(below.takeText()).toBe("IN");
    wire.writeMany([Buffer.from("FO"), Buffer.from("\r\nPI"), Buffer.from("NG\r\n")]);
    const first = below.take();
    expect(first.toString("latin1", 0, 4)).toBe("FO\r\n");
    const text = messages(20);
    wire.write(text);
    expect(
      unpacked(Buffer.concat([first.subarray(4), below.take()])).equals(
        Buffer.concat([Buffer.from("PING\r\n"), text]),
      ),
    ).toBe(true);
  });

  it("frames a chunk of the slab where it stands, and others besides", () => {
    wire.compress?.("uncompressed", 0);
    const chunk = takeChunk();
    bytes.set(messages(10), chunk);
    wire.write(Buffer.from("first"));
    wire.write(slice(chunk, messages(10).length));
    wire.write(slice(chunk + 1, 4));
    releaseChunk(chunk);
    const expected = Buffer.concat([Buffer.from("first"), messages(10), messages(10).subarray(1, 5)]);
    expect(unpacked(below.take()).equals(expected)).toBe(true);
  });

  it("keeps what a write that is under way has in memory that is not used again", () => {
    wire.compress?.("fast", 0);
    below.holdsWrites = true;
    expect(wire.write(messages(50))).toBe(false);
    wire.end();
    below.holdsWrites = false;
    new S2Wires().over(new MemoryWire(), 1).compress?.("fast", 0);
    below.completeWrite();
    expect(unpacked(below.take()).equals(messages(50))).toBe(true);
  });

  it("writes one after another, with the memory of the one before", () => {
    wire.compress?.("better", 0);
    const all = [messages(5), noise(3000), messages(100), Buffer.alloc(200_000, "ab")];
    for (const piece of all) expect(wire.write(piece)).toBe(true);
    expect(unpacked(below.take()).equals(Buffer.concat(all))).toBe(true);
  });

  it.each(FRAMINGS)("unpacks what comes in any pieces, at level %s", (framing) => {
    wire.compress?.("fast", 0);
    wire.admitted?.();
    const data = Buffer.concat([messages(2000), noise(90_000), messages(7)]);
    const stream = packed(framing, data, Buffer.from("PING\r\n"));
    for (const length of [stream.length, 5000, 1]) {
      far.pieces.length = 0;
      for (let from = 0; from < stream.length; from += length)
        below.receive(stream.subarray(from, from + length));
      expect(far.received.equals(Buffer.concat([data, Buffer.from("PING\r\n")]))).toBe(true);
    }
  });

  it("tells the other side that it checks no sums, and leaves them out where that checks none either", () => {
    wire.compress?.("uncompressed", 0);
    wire.write(Buffer.from("first"));
    const first = below.take();
    expect(first.equals(Buffer.concat([STREAM_START, UNCHECKED, block("first")]))).toBe(true);
    below.receive(Buffer.concat([STREAM_START, UNCHECKED]));
    wire.write(Buffer.from("second"));
    wire.writeMany([Buffer.from("third")]);
    const bare = [Buffer.from("second"), Buffer.from("third")];
    expect(below.take().equals(Buffer.concat(new Packers().pack("uncompressed", bare, "left out")))).toBe(
      true,
    );
  });

  it.each(FRAMINGS)("takes blocks without sums in any pieces, mixed with others, at level %s", (framing) => {
    wire.compress?.("fast", 0);
    wire.admitted?.();
    below.receive(Buffer.concat([STREAM_START, UNCHECKED]));
    const packers = new Packers();
    const pieces = [messages(20), noise(90_000), messages(2000), noise(10), messages(7), noise(READ_SIZE)];
    const framings = [framing, "uncompressed", "uncompressed", framing, "fast", "uncompressed"] as const;
    const blocks = pieces.flatMap((piece, i) => packers.pack(framings[i]!, [piece], "left out").map(copied));
    const stream = Buffer.concat(blocks);
    for (const length of [READ_SIZE, 5000, 9, 1]) {
      far.pieces.length = 0;
      for (let from = 0; from < stream.length; from += length)
        below.receive(stream.subarray(from, from + length));
      expect(far.received.equals(Buffer.concat(pieces))).toBe(true);
    }
  });

  it("waits within a block without a sum where the receiver does", () => {
    wire.compress?.("fast", 0);
    wire.admitted?.();
    below.receive(Buffer.concat([STREAM_START, UNCHECKED]));
    const packedNoise = Buffer.concat(new Packers().pack("uncompressed", [noise(60_000)], "left out"));
    far.waits = true;
    for (let from = 0; from < packedNoise.length; from += 7000) {
      below.isPaused = false; // it was on its way
      below.receive(packedNoise.subarray(from, from + 7000));
    }
    expect(far.received.length).toBe(7000 - 8);
    far.waits = false;
    wire.resume();
    expect(far.received.equals(noise(60_000))).toBe(true);
    below.receive(Buffer.concat(new Packers().pack("fast", [messages(2)], "left out")));
    expect(far.pieces.at(-1)!.equals(messages(2))).toBe(true);
  });

  it("hands on blocks that are longer than the window, and waits where the receiver does", () => {
    wire.compress?.("fast", 0);
    wire.admitted?.();
    const data = Buffer.alloc(3 * READ_SIZE + 17, "0123456789abcdef!");
    const block = Buffer.concat([Buffer.from([0xff, 6, 0, 0]), Buffer.from("S2sTwO"), longBlock(data)]);
    far.waits = true;
    below.receive(Buffer.concat([block, packed("fast", messages(3))]));
    expect(far.received.length).toBe(READ_SIZE);
    expect(below.isPaused).toBe(true);
    below.isPaused = false;
    below.receive(packed("uncompressed", messages(4)));
    for (let count = 2; count <= 6; count++) {
      expect(below.isPaused).toBe(true);
      wire.resume();
    }
    expect(far.received.equals(Buffer.concat([data, messages(3), messages(4)]))).toBe(true);
    expect(far.pieces.every(({ length }) => length <= READ_SIZE)).toBe(true);
    far.waits = false;
    wire.resume();
    expect(below.isPaused).toBe(false);
    below.receive(packed("best", messages(5)));
    expect(far.pieces.at(-1)!.equals(messages(5))).toBe(true);
  });

  it("takes only short blocks of a stranger, and longer ones once it is admitted", () => {
    wire.compress?.("fast", 0);
    below.receive(packed("fast", Buffer.alloc(STRANGER_MAX, "a")));
    expect(far.received.length).toBe(STRANGER_MAX);
    wire.admitted?.();
    below.receive(packed("fast", Buffer.alloc(STRANGER_MAX + 1, "a")));
    expect(far.received.length).toBe(2 * STRANGER_MAX + 1);
    const other = new MemoryWire();
    const stranger = new S2Wires().over(other, STRANGER_MAX);
    const receiver = new Far();
    stranger.start(receiver);
    stranger.compress?.("fast", 0);
    other.receive(packed("fast", Buffer.alloc(STRANGER_MAX + 1, "a")));
    expect([other.state, receiver.received.length]).toEqual(["closing", 0]);
  });

  it("ends the connection at what is no S2, and hands on what was right before it", () => {
    wire.compress?.("fast", 0);
    const damaged = packed("fast", messages(3));
    damaged[damaged.length - 1]! ^= 1;
    below.receive(Buffer.concat([packed("fast", messages(2)), damaged, packed("fast", messages(1))]));
    expect(far.received.equals(messages(2))).toBe(true);
    expect(below.state).toBe("closing");
    below.receive(packed("fast", messages(1)));
    below.hangUp();
    expect(far.received.equals(messages(2))).toBe(true);
    expect(far.closedFor).toBe("what came is no S2");
  });
});

function copied(piece: Uint8Array): Buffer {
  return Buffer.from(piece);
}

/** A block as it is, with its sum. */
function block(text: string): Buffer {
  return Buffer.concat(new Packers().pack("uncompressed", [Buffer.from(text)]));
}

/** All of `data` in one block of repeats: the packers make shorter ones. */
function longBlock(data: Buffer): Buffer {
  const period = 17;
  const length = data.length;
  const told = Buffer.from([(length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14]);
  const rest = length - period - 4 - 65_540;
  const body = Buffer.concat([
    told,
    Buffer.from([(period - 1) << 2]),
    data.subarray(0, period),
    Buffer.from([1, period, (7 << 2) | 1, 0, rest & 255, (rest >> 8) & 255, rest >> 16]),
  ]);
  return Buffer.concat([headOf(body, data), body]);
}

function headOf(body: Buffer, data: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE((body.length + 4) << 8, 0);
  head.writeUInt32LE(maskedCrc(new DataView(data.buffer, data.byteOffset, data.length), 0, data.length), 4);
  return head;
}
