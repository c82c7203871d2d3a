/**
 * WebSocket over another wire, from its upgrade on: unframes what comes, and writes what goes out as one binary frame a write. Data
 * outlives neither a Close frame that came nor one that went.
 *
 * The head of a frame stands in the spare bytes in front of a chunk of the slab, so that one write takes both. Bounds: one PONG
 * waits while a write is under way; a connection that ends has LINGER_MS to take what is written.
 */
import { systemClock } from "../../base/clock.ts";
import { hasFrameRoom } from "../../slab/chunks.ts";
import { bytes, slice } from "../../slab/memory.ts";
import type { Endpoint, EndReason, Security, Wire, WireReceiver } from "../wire.ts";
import { CLOSE } from "./close-status.ts";
import type { Deflate } from "./deflate.ts";
import {
  closeFrame,
  FIRST_BINARY,
  FIRST_BINARY_COMPRESSED,
  maskedFrame,
  ownHead,
  pongFrame,
  withMask,
  writeHead,
} from "./frame-head.ts";
import { FrameReader, type FrameHost, type FrameRules } from "./frames.ts";

/** What the port allows a client to send. */
export interface MessageLimits {
  /** Bytes that a compressed message may have, and may grow to, before the client is admitted and after. */
  readonly strangerMaxBytes: number;
  readonly admittedMaxBytes: number;
}

/** How long a connection that ends may take to take what is written. */
const LINGER_MS = 2000;
/** Shorter messages are not worth it, as in nats-server. */
const COMPRESS_MIN = 65;
const NONE: readonly Uint8Array[] = [];

export class WebSocketWire implements Wire, WireReceiver, FrameHost {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly security: Security | null;
  private receiver: WireReceiver | null = null;
  private readonly reader: FrameReader;
  private isAdmitted = false;
  /** The wire below is at it. */
  private isWriting = false;
  /** What waits for the wire below: the receiver's, a PONG, and the last words. */
  private held: readonly Uint8Array[] = NONE;
  private pong: Uint8Array | null = null;
  private lastWords: Uint8Array | null = null;
  /** Nothing but the last words goes out any more. */
  private isEnding: "no" | "after the peer" | "yes" = "no";
  private failure = "";
  private readonly below: Wire;
  private readonly rules: FrameRules;
  private readonly limits: MessageLimits;
  private readonly onStarted: () => void;

  /** `below` delivers to this receiver from the upgrade on. `onStarted`: what came since is wanted now. */
  constructor(
    below: Wire,
    rules: FrameRules,
    limits: MessageLimits,
    onStarted: () => void = () => undefined,
  ) {
    this.onStarted = onStarted;
    this.below = below;
    this.rules = rules;
    this.limits = limits;
    this.remote = below.remote;
    this.local = below.local;
    this.security = below.security;
    this.reader = new FrameReader(rules, this);
  }

  // ---- for the session ----

  get isGathering(): boolean {
    return this.below.isGathering === true;
  }

  /** The wire below was started with the request. */
  start(receiver: WireReceiver): void {
    this.receiver = receiver;
    this.onStarted();
  }

  get isStarted(): boolean {
    return this.receiver !== null;
  }

  /** The client is known: it may send larger messages. */
  admitted(): void {
    this.isAdmitted = true;
  }

  write(piece: Uint8Array): boolean {
    if (this.isEnding !== "no") return true;
    const { deflate } = this.rules;
    if (deflate !== null && piece.length >= COMPRESS_MIN) return this.writeCompressed(deflate, [piece]);
    if (this.rules.masksOwn === true || piece.buffer !== bytes.buffer || !hasFrameRoom(piece.byteOffset))
      return this.writeBelow(this.framed(FIRST_BINARY, [piece]));
    const from = writeHead(piece.byteOffset, FIRST_BINARY, piece.length);
    const frame = slice(from, piece.byteOffset + piece.length - from);
    if (this.isWriting) return this.writeBelow([frame]);
    return this.settle(this.below.write(frame));
  }

  writeMany(pieces: readonly Uint8Array[]): boolean {
    if (pieces.length === 1) return this.write(pieces[0]!);
    if (this.isEnding !== "no") return true;
    const length = lengthOf(pieces);
    const { deflate } = this.rules;
    if (deflate !== null && length >= COMPRESS_MIN) return this.writeCompressed(deflate, pieces);
    return this.writeBelow(this.framed(FIRST_BINARY, pieces));
  }

  private framed(first: number, pieces: readonly Uint8Array[]): readonly Uint8Array[] {
    if (this.rules.masksOwn === true) return [maskedFrame(first, pieces)];
    return [ownHead(first, lengthOf(pieces)), ...pieces];
  }

  private own(frame: Uint8Array): Uint8Array {
    return this.rules.masksOwn === true ? withMask(frame) : frame;
  }

  pause(): void {
    this.below.pause();
  }

  resume(): void {
    if (this.reader.resume()) this.below.resume();
  }

  end(reason?: EndReason): void {
    this.conclude(reason?.webSocketStatus ?? CLOSE.goingAway, reason?.reason ?? "");
    this.isEnding = "yes";
    this.reader.stop();
    this.endBelow();
  }

  endWriting(patienceMs: number): void {
    this.conclude(CLOSE.goingAway, "");
    if (this.isEnding === "no") this.isEnding = "after the peer";
    systemClock.setTimer(patienceMs, () => this.below.destroy());
  }

  destroy(): void {
    this.isEnding = "yes";
    this.reader.stop();
    this.below.destroy();
  }

  // ---- from the wire below ----

  onBytes(length: number): boolean {
    return this.reader.read(length);
  }

  onWritten(): void {
    this.isWriting = false;
    const { pong, held, lastWords } = this;
    if (held.length > 0) {
      this.held = NONE;
      if (!this.settle(this.below.writeMany(held))) return;
    }
    if (lastWords !== null) this.sayLastWords(lastWords);
    else if (pong !== null) {
      this.pong = null;
      this.settle(this.below.write(pong));
    }
    this.receiver?.onWritten();
  }

  onClosed(problem: string): void {
    this.reader.stop();
    this.held = NONE;
    this.receiver?.onClosed(this.failure === "" ? problem : this.failure);
    this.receiver = null;
  }

  // ---- from frames ----

  messageMax(): number {
    return this.isAdmitted ? this.limits.admittedMaxBytes : this.limits.strangerMaxBytes;
  }

  onData(length: number): boolean {
    return this.receiver?.onBytes(length) ?? true;
  }

  onPing(payload: Uint8Array): void {
    if (this.isEnding !== "no") return;
    const frame = this.own(pongFrame(payload));
    if (this.isWriting) this.pong = frame;
    else this.settle(this.below.write(frame));
  }

  onClose(status: number, reason: Uint8Array): void {
    this.conclude(status === CLOSE.none ? null : status, reason);
    this.finish();
  }

  onFailure(status: number, reason: string): void {
    this.failure = reason;
    this.conclude(status, reason);
    this.finish();
  }

  // ---- the end ----

  /** Once. */
  private conclude(status: number | null, reason: Uint8Array | string): void {
    if (this.isEnding !== "no") return;
    const frame = this.own(closeFrame(status, reason));
    this.pong = null;
    if (this.isWriting) this.lastWords = frame;
    else this.settle(this.below.write(frame));
  }

  /** The peer has said its last word, or may not say one. */
  private finish(): void {
    this.isEnding = "yes";
    this.endBelow();
  }

  /** Once the last words are said. */
  private endBelow(): void {
    if (this.lastWords === null) return this.below.end();
    systemClock.setTimer(LINGER_MS, () => this.below.destroy());
  }

  private sayLastWords(frame: Uint8Array): void {
    this.lastWords = null;
    this.settle(this.below.write(frame));
    if (this.isEnding === "yes") this.below.end();
  }

  // ---- what goes out ----

  private writeCompressed(deflate: Deflate, pieces: readonly Uint8Array[]): boolean {
    const outputs = deflate.deflate(pieces);
    const isDone = this.writeBelow(this.framed(FIRST_BINARY_COMPRESSED, outputs));
    if (isDone) deflate.release(outputs);
    return isDone;
  }

  /** After what is under way: a PONG, or what the receiver wrote before its last words. */
  private writeBelow(pieces: readonly Uint8Array[]): boolean {
    if (this.isWriting) {
      this.held = [...this.held, ...pieces];
      return false;
    }
    return this.settle(this.below.writeMany(pieces));
  }

  private settle(isDone: boolean): boolean {
    this.isWriting = !isDone;
    return isDone;
  }
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}
