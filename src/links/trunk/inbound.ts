/**
 * The bytes of one connection on their way in: keeps the rest of a partial frame between two reads. A small rest goes back
 * in front of the read window; a frame larger than CARRY_MAX is collected in memory of its own, so that no byte is copied
 * again and again. Idle connections hold nothing.
 */
import { assertOwn } from "../../base/assert.ts";
import { AREA, CARRY_MAX, READ_SIZE, READ_START } from "../../slab/layout.ts";
import { bytes, slice } from "../../slab/memory.ts";

/** The parsers of clients and routes, as this file sees them. */
export interface FrameParser {
  /** Position of the first byte not consumed (complete frames, too, where the session waits), or -1 when the connection has ended. */
  parse(at: number, end: number): number;
  /** Total bytes of the frame at that position (0: unknown yet), and the bytes of its head. */
  readonly needed: number;
  readonly neededHead: number;
  /** A frame whose head lies at `at`, and the rest in `body`. Returns false when the connection has ended. */
  parseLarge(at: number, body: Uint8Array): boolean;
}

const CARRY_STEP = 4096;
/** What may be kept for a session that waits. Fits in front of the read window. */
const HELD_MAX = 4 * READ_SIZE;

export class Inbound {
  private carry: Uint8Array | null = null;
  private carryLength = 0;
  /** Bytes that the frame in `carry` takes; 0: not known. */
  private needed = 0;
  private large: Uint8Array | null = null;
  private largeLength = 0;
  private largeHead = 0;
  private readonly parser: FrameParser;

  constructor(parser: FrameParser) {
    this.parser = parser;
  }

  /** Bytes held back; bounded by the largest message. */
  get heldBytes(): number {
    return this.carryLength + this.largeLength;
  }

  /**
   * Keeps the `length` fresh bytes for later: the session waits, and they were on their way before the wire paused. Returns
   * false when they are too many.
   */
  hold(length: number): boolean {
    if (this.carryLength + length > HELD_MAX) return false;
    this.keep(READ_START, length);
    return true;
  }

  /** Takes the `length` fresh bytes in the read window (0: what was kept). Returns false when the connection has ended. */
  take(length: number): boolean {
    const end = READ_START + length;
    let at = READ_START;
    if (this.large !== null) {
      at = this.collect(this.large, at, end);
      if (at < 0) return false;
      if (at === end) return true;
    } else if (this.carryLength > 0) {
      if (this.carryLength + length < this.needed) {
        this.keep(at, length);
        return true;
      }
      at -= this.carryLength;
      assertOwn(at >= AREA.headroom.at, "the rest of a frame fits in front of the read window");
      bytes.set(this.carry!.subarray(0, this.carryLength), at);
      this.carryLength = 0;
    }
    const rest = this.parser.parse(at, end);
    if (rest < 0) return false;
    this.setAside(rest, end);
    return true;
  }

  private setAside(at: number, end: number): void {
    this.needed = this.parser.needed;
    if (at === end) {
      if (this.carry !== null && this.carry.length > CARRY_STEP) this.carry = null;
      return;
    }
    if (this.needed <= CARRY_MAX) {
      this.keep(at, end - at);
      return;
    }
    this.large = new Uint8Array(this.needed);
    this.largeLength = end - at;
    this.largeHead = this.parser.neededHead;
    this.large.set(slice(at, end - at));
  }

  private keep(at: number, length: number): void {
    const total = this.carryLength + length;
    if (this.carry === null || this.carry.length < total) {
      const larger = new Uint8Array(Math.ceil(Math.max(total, this.needed) / CARRY_STEP) * CARRY_STEP);
      if (this.carryLength > 0) larger.set(this.carry!.subarray(0, this.carryLength));
      this.carry = larger;
    }
    this.carry.set(slice(at, length), this.carryLength);
    this.carryLength = total;
  }

  /** Returns the position behind what was collected, or -1 when the connection has ended. */
  private collect(large: Uint8Array, at: number, end: number): number {
    const length = Math.min(end - at, large.length - this.largeLength);
    large.set(slice(at, length), this.largeLength);
    this.largeLength += length;
    if (this.largeLength < large.length) return end;
    this.large = null;
    this.largeLength = 0;
    const headAt = READ_START - this.largeHead;
    assertOwn(headAt >= AREA.headroom.at, "the head of a large frame fits in front of the read window");
    bytes.set(large.subarray(0, this.largeHead), headAt);
    return this.parser.parseLarge(headAt, large.subarray(this.largeHead)) ? at + length : -1;
  }
}
