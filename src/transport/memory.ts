/**
 * A wire without a network, for tests and fuzzing: the far end is whoever holds it. Bytes arrive through the slab's read window as
 * they do from sockets. Pieces of a write that is held back are read when it completes, so that memory which was reused
 * too early shows.
 */
import { READ_SIZE, READ_START } from "../slab/layout.ts";
import { bytes } from "../slab/memory.ts";
import type { Endpoint, Wire, WireReceiver } from "./wire.ts";

/** What becomes of what the wire carries; without one, whoever holds the wire takes it by `take`. */
export interface FarEnd {
  /** Bytes that are no longer in use here. */
  onOutput(data: Uint8Array): void;
  /** Nothing more will be written: this side ends the connection in good order. */
  onEnd(): void;
  /** This side is gone at once. */
  onDestroyed(): void;
}

export interface MemoryWireOptions {
  readonly remote?: Endpoint;
  readonly local?: Endpoint;
  readonly far?: FarEnd;
}

const HERE: Endpoint = { address: "127.0.0.1", port: 4222 };
const THERE: Endpoint = { address: "127.0.0.1", port: 54321 };

export class MemoryWire implements Wire {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly security = null;
  /** `closing`: this side has ended it, and the far end does not know yet. */
  state: "open" | "closing" | "closed" = "open";
  isPaused = false;
  /** This side will write no more, and still receives. */
  hasEndedWriting = false;
  /** Writes are under way until `completeWrite`. */
  holdsWrites = false;
  /** Only what ends the connection may be written while a write is under way. */
  private hasLastWords = false;
  private underWay: readonly Uint8Array[] = [];
  private readonly out: Uint8Array[] = [];
  private arrived: Uint8Array[] = [];
  private receiver: WireReceiver | null = null;
  private readonly far: FarEnd | null;

  constructor({ remote = THERE, local = HERE, far }: MemoryWireOptions = {}) {
    this.remote = remote;
    this.local = local;
    this.far = far ?? null;
  }

  start(receiver: WireReceiver): void {
    this.receiver = receiver;
  }

  write(piece: Uint8Array): boolean {
    return this.writeMany([piece]);
  }

  writeMany(pieces: readonly Uint8Array[]): boolean {
    if (this.state === "closed") return true;
    if (this.underWay.length > 0) {
      if (this.hasLastWords) throw new Error("bug: one more write while one is under way");
      this.hasLastWords = true;
    }
    this.underWay = [...this.underWay, ...pieces];
    // This write may make the far end hold the next one.
    const isDone = !this.holdsWrites;
    if (isDone) this.takeUnderWay();
    return isDone;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    const { arrived } = this;
    this.arrived = [];
    for (const data of arrived) this.receive(data);
  }

  end(): void {
    if (this.state !== "open") return;
    this.state = "closing";
    this.saysEnd();
  }

  endWriting(): void {
    this.hasEndedWriting = true;
    this.saysEnd();
  }

  destroy(): void {
    const wasClosed = this.state === "closed";
    if (!wasClosed) this.state = "closing";
    this.underWay = [];
    if (!wasClosed) this.far?.onDestroyed();
  }

  // ---- the far end ----

  /** Bytes from the far end, in pieces no larger than the read window. While reading is paused they wait. */
  receive(data: Uint8Array): void {
    for (let from = 0; from < data.length; from += READ_SIZE) {
      if (this.state !== "open") return;
      const piece = data.subarray(from, from + READ_SIZE);
      if (this.isPaused) {
        this.arrived.push(piece);
        continue;
      }
      bytes.set(piece, READ_START);
      if (this.receiver?.onBytes(piece.length) === false) this.isPaused = true;
    }
  }

  receiveText(text: string): void {
    this.receive(Buffer.from(text, "latin1"));
  }

  /** The output since the last call. */
  take(): Buffer {
    return Buffer.concat(this.out.splice(0));
  }

  takeText(): string {
    return this.take().toString("latin1");
  }

  get isWriting(): boolean {
    return this.underWay.length > 0;
  }

  completeWrite(): void {
    if (this.underWay.length === 0) return;
    this.takeUnderWay();
    this.receiver?.onWritten();
  }

  /** The connection is gone; also the last word after this side has ended it. */
  hangUp(problem = ""): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.underWay = [];
    this.receiver?.onClosed(problem);
    this.receiver = null;
  }

  private takeUnderWay(): void {
    const pieces = this.underWay;
    this.underWay = [];
    for (const piece of pieces) {
      if (this.far === null) this.out.push(piece.slice());
      else this.far.onOutput(piece.slice());
    }
    if (this.state === "closing" || this.hasEndedWriting) this.saysEnd();
  }

  /** Once what was written is out. */
  private saysEnd(): void {
    if (this.underWay.length === 0) this.far?.onEnd();
  }
}
