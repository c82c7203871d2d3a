/**
 * S2 over another wire, from the moment both ends have agreed on it: until then bytes pass as they are. What comes is moved out of the read
 * window (AREA.framed), since it grows when it is unpacked into it, unless its blocks go as they are and need no check; what goes out is
 * packed a write at a time.
 *
 *     | INFO in plaintext | compress(): a stream of S2 ...        either way, and not at the same time
 *
 * Bounds: `strangerMaxBytes`, or BLOCK_MAX once the peer is admitted, of a block before anything is unpacked; one block that is not handed on yet; what had been
 * read when the receiver began to wait. A stream that breaks the rules ends the connection.
 */
import { BLOCK_MAX } from "../compress/block-decoder.ts";
import {
  BLOCK_HEAD,
  Packers,
  STREAM_START,
  sumOf,
  UNCHECKED,
  writePlainHead,
  type Framing,
  type Sums,
} from "../compress/stream-packer.ts";
import { INCOMPLETE, StreamUnpacker } from "../compress/stream-unpacker.ts";
import { CHUNK_SIZE, hasFrameRoom } from "../slab/chunks.ts";
import { AREA, FRAME_ROOM, READ_SIZE, READ_START } from "../slab/layout.ts";
import { assert, assertOwn } from "../base/assert.ts";
import { bytes, copyLong, slice } from "../slab/memory.ts";
import type { Endpoint, EndReason, Opening, Security, Wire, WireReceiver } from "./wire.ts";

assert(BLOCK_HEAD <= FRAME_ROOM, "the head of a block fits in front of a chunk");

/** All compression of connections of one server. */
export class S2Wires {
  private readonly packers = new Packers();

  /** A wire that can compress. Before the peer is admitted its blocks have at most `strangerMaxBytes`. */
  over(below: Wire, strangerMaxBytes: number): Wire {
    return new S2Wire(below, this.packers, Math.min(strangerMaxBytes, BLOCK_MAX));
  }
}

class S2Wire implements Wire, WireReceiver {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly negotiate?: (opening: Opening) => void;
  private receiver: WireReceiver | null = null;
  private isAdmitted = false;
  /** null: nothing is packed. */
  private framing: Framing | null = null;
  private hasBegun = false;
  /** So much of what is written next goes in plaintext. */
  private plainBytes = 0;
  /** null: what comes is not packed. */
  private reader: StreamUnpacker | null = null;
  /** Bytes at READ_START that are to be handed on. */
  private out = 0;
  /** A block that is longer than the window, as far as it is not handed on. */
  private large: Uint8Array | null = null;
  private isWaiting = false;
  private isOver = false;
  private failure = "";
  private readonly below: Wire;
  private readonly packers: Packers;
  private readonly strangerMaxBytes: number;

  constructor(below: Wire, packers: Packers, strangerMaxBytes: number) {
    this.below = below;
    this.packers = packers;
    this.strangerMaxBytes = strangerMaxBytes;
    this.remote = below.remote;
    this.local = below.local;
    if (below.negotiate !== undefined) this.negotiate = (opening) => below.negotiate?.(opening);
  }

  get security(): Security | null {
    return this.below.security;
  }

  get isGathering(): boolean {
    return this.below.isGathering === true;
  }

  /** From now on what comes is packed, and what is written behind the next `plainBytes`. Again: at another level. */
  compress(framing: Framing, plainBytes: number): void {
    this.framing = framing;
    if (this.reader !== null) return;
    this.plainBytes = plainBytes;
    this.reader = new StreamUnpacker(this.blockMax);
  }

  /** A peer that checks no sums needs none. */
  private get sums(): Sums {
    return this.reader?.isUnchecked === true ? "left out" : "written";
  }

  admitted(): void {
    this.isAdmitted = true;
    if (this.reader !== null) this.reader.blockMax = this.blockMax;
    this.below.admitted?.();
  }

  private get blockMax(): number {
    return this.isAdmitted ? BLOCK_MAX : this.strangerMaxBytes;
  }

  start(receiver: WireReceiver): void {
    this.receiver = receiver;
    this.below.start(this);
  }

  // ---- what goes out ----

  write(piece: Uint8Array): boolean {
    const { framing } = this;
    if (framing === null) return this.below.write(piece);
    const isInPlace = framing === "uncompressed" && this.hasBegun && this.plainBytes === 0;
    if (!isInPlace || !hasHeadRoom(piece)) return this.writePacked(framing, [piece]);
    const from = piece.byteOffset - BLOCK_HEAD;
    writePlainHead(bytes, from, piece.length, this.sums === "written" ? sumOf(piece) : 0);
    return this.below.write(slice(from, BLOCK_HEAD + piece.length));
  }

  writeMany(pieces: readonly Uint8Array[]): boolean {
    const { framing } = this;
    return framing === null ? this.below.writeMany(pieces) : this.writePacked(framing, pieces);
  }

  private writePacked(framing: Framing, pieces: readonly Uint8Array[]): boolean {
    const plain: Uint8Array[] = [];
    const rest: Uint8Array[] = [];
    for (const piece of pieces) {
      const length = Math.min(piece.length, this.plainBytes);
      this.plainBytes -= length;
      if (length > 0) plain.push(piece.subarray(0, length));
      if (length < piece.length) rest.push(piece.subarray(length));
    }
    if (rest.length > 0 && !this.hasBegun) {
      this.hasBegun = true;
      plain.push(STREAM_START, UNCHECKED);
    }
    const framed = this.packers.pack(framing, rest, this.sums);
    const isDone = this.below.writeMany(plain.length === 0 ? framed : [...plain, ...framed]);
    if (isDone) this.packers.release(framed);
    return isDone;
  }

  // ---- what comes ----

  onBytes(length: number): boolean {
    const { reader } = this;
    if (reader === null) return this.receiver?.onBytes(length) ?? true;
    if (this.isOver) return true;
    const mayStay = reader.isUnchecked && reader.keptBytes === 0 && this.large === null && !this.isWaiting;
    if (mayStay) this.takePlain(reader, length);
    else {
      copyLong(AREA.framed.at, READ_START, length);
      reader.feed(slice(AREA.framed.at, length));
    }
    const goesOn = !this.isWaiting && this.unpack(reader);
    reader.keep();
    return goesOn;
  }

  /** Blocks that go as they are move together in the window, which they do not outgrow; from the first packed one on, the rest leaves it. */
  private takePlain(reader: StreamUnpacker, length: number): void {
    assertOwn(this.out === 0, "all that came before has been handed on");
    reader.feed(slice(READ_START, length));
    for (;;) {
      const found = reader.next();
      if (found <= 0 || !reader.isPlain) break;
      reader.take(slice(READ_START + this.out, found));
      this.out += found;
    }
    const rest = reader.keptBytes;
    if (rest === 0) return;
    copyLong(AREA.framed.at, READ_START + length - rest, rest);
    reader.moved(slice(AREA.framed.at, rest));
  }

  /** Returns false while the receiver waits. */
  private unpack(reader: StreamUnpacker): boolean {
    for (;;) {
      if (this.large !== null && !this.handOnLarge(this.large)) return false;
      if (this.isOver) return true;
      const length = reader.next();
      if (length === INCOMPLETE) return this.handOn();
      if (length < 0) return this.fail();
      if (length > READ_SIZE - this.out && !this.handOn()) return false;
      if (this.isOver) return true;
      if (length > READ_SIZE) this.large = new Uint8Array(length);
      const target = this.large ?? slice(READ_START + this.out, length);
      if (!reader.take(target)) return this.fail();
      if (this.large === null) this.out += length;
    }
  }

  private handOn(): boolean {
    const { out } = this;
    if (out === 0 || this.isOver) return true;
    this.out = 0;
    if (this.receiver?.onBytes(out) !== false) return true;
    this.isWaiting = true;
    return false;
  }

  private handOnLarge(block: Uint8Array): boolean {
    const piece = block.subarray(0, READ_SIZE);
    this.large = piece.length < block.length ? block.subarray(READ_SIZE) : null;
    bytes.set(piece, READ_START);
    this.out = piece.length;
    if (!this.handOn()) return false;
    return this.large === null || this.isOver || this.handOnLarge(this.large);
  }

  /** Ends the connection, after the blocks that came before the broken one are handed on. */
  private fail(): boolean {
    this.handOn();
    this.failure = "what came is no S2";
    this.stop();
    this.below.destroy();
    return true;
  }

  private stop(): void {
    this.isOver = true;
    this.large = null;
    this.out = 0;
    if (this.reader !== null) this.reader = new StreamUnpacker(0);
  }

  pause(): void {
    this.below.pause();
  }

  resume(): void {
    const { reader } = this;
    if (this.isWaiting && reader !== null) {
      this.isWaiting = false;
      const goesOn = this.unpack(reader);
      reader.keep();
      if (!goesOn) return;
    }
    this.below.resume();
  }

  onWritten(): void {
    this.receiver?.onWritten();
  }

  // ---- the end ----

  onClosed(problem: string): void {
    this.stop();
    this.receiver?.onClosed(this.failure === "" ? problem : this.failure);
    this.receiver = null;
  }

  end(reason?: EndReason): void {
    this.stop();
    this.below.end(reason);
  }

  endWriting(patienceMs: number): void {
    this.below.endWriting(patienceMs);
  }

  destroy(): void {
    this.stop();
    this.below.destroy();
  }
}

/** In front of a chunk of the slab there is room for a head; a chunk makes one block. */
function hasHeadRoom({ buffer, byteOffset, length }: Uint8Array): boolean {
  return buffer === bytes.buffer && length <= CHUNK_SIZE && hasFrameRoom(byteOffset);
}
