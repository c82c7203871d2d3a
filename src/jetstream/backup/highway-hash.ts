/**
 * HighwayHash with a result of 64 bits, the checksum of nats-server's blocks. Its state is four vectors of four numbers of 64 bits, kept
 * as halves of 32 bits. Input is taken in packets of 32 bytes, the last of which may be shorter. It keeps nothing between two calls of
 * `hash`.
 */
import { assert } from "../../base/assert.ts";

const KEY_BYTES = 32;
const PACKET = 32;
const LANES = 4;
/** Numbers of the state. */
const NUMBERS = 16;
const V0 = 0;
const V1 = 4;
const MUL0 = 8;
const MUL1 = 12;
const FINAL_ROUNDS = 4;
/** What `MUL0` and `MUL1` begin with. */
const START_LOW = [
  0xfe4cce2f, 0x299f31d0, 0x03707344, 0x85a308d3, 0xcb0ef593, 0xb5f18a8c, 0x34e90c6c, 0x38d01377,
];
const START_HIGH = [
  0xdbe6d5d5, 0xa4093822, 0x13198a2e, 0x243f6a88, 0x3bd39e10, 0xc0acf169, 0xbe5466cf, 0x452821e6,
];

export class HighwayHash {
  private readonly startLow = new Int32Array(NUMBERS);
  private readonly startHigh = new Int32Array(NUMBERS);
  private readonly low = new Int32Array(NUMBERS);
  private readonly high = new Int32Array(NUMBERS);
  private readonly packet = Buffer.alloc(PACKET);
  /** Low and high halves in turns; every machine that Node.js runs on keeps the lowest byte first. */
  private readonly packetHalves = new Int32Array(this.packet.buffer, this.packet.byteOffset, PACKET / 4);
  private filled = 0;

  constructor(key: Buffer) {
    assert(key.length === KEY_BYTES, "a key of HighwayHash has 32 bytes");
    for (let i = 0; i < LANES; i++) {
      const keyLow = key.readInt32LE(8 * i);
      const keyHigh = key.readInt32LE(8 * i + 4);
      for (const [mul, v, a, b] of [
        [MUL0, V0, keyLow, keyHigh],
        [MUL1, V1, keyHigh, keyLow],
      ] as const) {
        this.startLow[mul + i] = START_LOW[mul - MUL0 + i]!;
        this.startHigh[mul + i] = START_HIGH[mul - MUL0 + i]!;
        this.startLow[v + i] = this.startLow[mul + i]! ^ a;
        this.startHigh[v + i] = this.startHigh[mul + i]! ^ b;
      }
    }
  }

  /** The hash of the pieces, one behind the other: 8 bytes, the lowest first. */
  hash(pieces: readonly Uint8Array[]): Buffer {
    this.low.set(this.startLow);
    this.high.set(this.startHigh);
    this.filled = 0;
    for (const piece of pieces) this.write(piece);
    if (this.filled > 0) this.writeRest();
    for (let i = 0; i < FINAL_ROUNDS; i++) this.finalRound();
    const { low, high } = this;
    let sumLow = 0;
    let sumHigh = 0;
    for (const at of [V0, V1, MUL0, MUL1]) {
      const sum = (sumLow >>> 0) + (low[at]! >>> 0);
      sumLow = sum | 0;
      sumHigh = (sumHigh + high[at]! + (sum > 0xffffffff ? 1 : 0)) | 0;
    }
    const result = Buffer.alloc(8);
    result.writeInt32LE(sumLow, 0);
    result.writeInt32LE(sumHigh, 4);
    return result;
  }

  private write(piece: Uint8Array): void {
    const { packet } = this;
    let at = 0;
    while (at < piece.length) {
      const length = Math.min(PACKET - this.filled, piece.length - at);
      packet.set(piece.subarray(at, at + length), this.filled);
      this.filled += length;
      at += length;
      if (this.filled < PACKET) return;
      this.takePacket();
      this.filled = 0;
    }
  }

  private takePacket(): void {
    const { packetHalves: halves } = this;
    for (let i = 0; i < LANES; i++) this.mix(i, halves[2 * i]!, halves[2 * i + 1]!);
    this.zip();
  }

  /** A packet that is not full: its length goes in as well, and its last bytes to places of their own. */
  private writeRest(): void {
    const { low, high, packet, filled } = this;
    for (let i = 0; i < LANES; i++) {
      add(low, high, V0 + i, filled, filled);
      low[V1 + i] = rotated(low[V1 + i]!, filled);
      high[V1 + i] = rotated(high[V1 + i]!, filled);
    }
    const rest = Buffer.from(packet.subarray(0, filled));
    const whole = filled & ~3;
    const odd = filled & 3;
    packet.fill(0);
    rest.copy(packet, 0, 0, whole);
    if ((filled & 16) !== 0) rest.copy(packet, 28, filled - 4, filled);
    else if (odd > 0) {
      packet[16] = rest[whole]!;
      packet[17] = rest[whole + (odd >> 1)]!;
      packet[18] = rest[whole + odd - 1]!;
    }
    this.takePacket();
  }

  /** Takes the first vector for a packet, with its numbers and their halves in another order. */
  private finalRound(): void {
    const { low, high } = this;
    const [low0, low1, high0, high1] = [low[V0]!, low[V0 + 1]!, high[V0]!, high[V0 + 1]!];
    this.mixTwo(0, high[V0 + 2]!, low[V0 + 2]!, high[V0 + 3]!, low[V0 + 3]!);
    this.mixTwo(2, high0, low0, high1, low1);
    this.zip();
  }

  private mixTwo(lane: number, aLow: number, aHigh: number, bLow: number, bHigh: number): void {
    this.mix(lane, aLow, aHigh);
    this.mix(lane + 1, bLow, bHigh);
  }

  private mix(lane: number, inputLow: number, inputHigh: number): void {
    const { low, high } = this;
    const v0 = V0 + lane;
    const v1 = V1 + lane;
    const mul0 = MUL0 + lane;
    const mul1 = MUL1 + lane;
    add(low, high, v1, inputLow, inputHigh);
    add(low, high, v1, low[mul0]!, high[mul0]!);
    low[mul0]! ^= Math.imul(low[v1]!, high[v0]!);
    high[mul0]! ^= highProduct(low[v1]!, high[v0]!);
    add(low, high, v0, low[mul1]!, high[mul1]!);
    low[mul1]! ^= Math.imul(low[v0]!, high[v1]!);
    high[mul1]! ^= highProduct(low[v0]!, high[v1]!);
  }

  private zip(): void {
    const { low, high } = this;
    zipInto(low, high, V0, V1);
    zipInto(low, high, V0 + 2, V1 + 2);
    zipInto(low, high, V1, V0);
    zipInto(low, high, V1 + 2, V0 + 2);
  }
}

function add(low: Int32Array, high: Int32Array, at: number, otherLow: number, otherHigh: number): void {
  const sum = (low[at]! >>> 0) + (otherLow >>> 0);
  low[at] = sum | 0;
  high[at] = (high[at]! + otherHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
}

/** The upper half of the product of two numbers of 32 bits. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const one = aHigh * bLow + ((aLow * bLow) >>> 16);
  const two = aLow * bHigh + (one & 0xffff);
  return (aHigh * bHigh + (one >>> 16) + (two >>> 16)) | 0;
}

function rotated(value: number, bits: number): number {
  return bits === 0 ? value : (value << bits) | (value >>> (32 - bits));
}

/**
 * Adds to two numbers at `to` the sixteen bytes of the two at `from` in this order: 3 12 2 5 14 1 15 0, and 11 4 10 13 9 6 8 7. So that
 * each byte meets bytes of another number.
 */
function zipInto(low: Int32Array, high: Int32Array, to: number, from: number): void {
  const a = low[from]!;
  const b = high[from]!;
  const c = low[from + 1]!;
  const d = high[from + 1]!;
  const firstLow = (a >>> 24) | ((d & 0xff) << 8) | (a & 0xff0000) | ((b & 0xff00) << 16);
  const firstHigh = ((d >>> 16) & 0xff) | (a & 0xff00) | ((d >>> 8) & 0xff0000) | (a << 24);
  const secondLow = (c >>> 24) | ((b & 0xff) << 8) | (c & 0xff0000) | ((d & 0xff00) << 16);
  const secondHigh = ((c >>> 8) & 0xff) | ((b >>> 8) & 0xff00) | ((c & 0xff) << 16) | (b & 0xff000000);
  add(low, high, to, firstLow, firstHigh);
  add(low, high, to + 1, secondLow, secondHigh);
}
