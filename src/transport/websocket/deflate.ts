/**
 * permessage-deflate (RFC 7692) without context takeover: each message is a stream of its own, so that all connections share one
 * deflater and a few inflaters, and an idle connection holds none. Both work at once and in place by the handles behind Node's
 * streams, whose own way takes an event and several objects for each message. Where Node's internals do not allow that, compression is
 * not offered.
 *
 * Bounds: a message inflates no further than it is asked for, piece by piece; OUTPUT_SIZE bytes of output and INFLATERS_MAX idle inflaters
 * are kept for reuse.
 */
import zlib from "node:zlib";
import { assertOwn } from "../../base/assert.ts";

interface ZlibHandle {
  onerror: () => void;
  reset(): void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputFrom: number,
    inputLength: number,
    output: Uint8Array,
    outputFrom: number,
    outputLength: number,
  ): void;
}

interface Engine {
  readonly handle: ZlibHandle;
  /** After each write: room left in the output, bytes left of the input. */
  readonly left: Uint32Array;
  hasFailed: boolean;
}

/** Ends every message in the stream; senders leave it out, receivers put it back. */
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);
const OUTPUT_SIZE = 64 * 1024;
/** Idle inflaters that are kept. */
const INFLATERS_MAX = 4;
const { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_BEST_SPEED } = zlib.constants;

function engineOf(stream: unknown): Engine | null {
  const { _handle: handle, _writeState: left } = stream as {
    _handle?: ZlibHandle;
    _writeState?: Uint32Array;
  };
  if (typeof handle?.writeSync !== "function" || typeof handle.reset !== "function") return null;
  if (!(left instanceof Uint32Array)) return null;
  const engine = { handle, left, hasFailed: false };
  handle.onerror = () => (engine.hasFailed = true);
  return engine;
}

/** All compression of one port. */
export class Deflate {
  private readonly deflater: Engine;
  private readonly idleInflaters: Engine[];
  private spare: Uint8Array | null = null;

  private constructor(deflater: Engine, inflater: Engine) {
    this.deflater = deflater;
    this.idleInflaters = [inflater];
  }

  /** null: this Node.js does not allow it. */
  static open(): Deflate | null {
    const deflater = engineOf(zlib.createDeflateRaw({ level: Z_BEST_SPEED }));
    const inflater = engineOf(zlib.createInflateRaw());
    return deflater === null || inflater === null ? null : new Deflate(deflater, inflater);
  }

  takeInflater(): Engine {
    const engine = this.idleInflaters.pop() ?? engineOf(zlib.createInflateRaw());
    assertOwn(engine !== null, "what this Node.js allowed it allows again");
    return engine;
  }

  giveBack(engine: Engine): void {
    if (engine.hasFailed || this.idleInflaters.length >= INFLATERS_MAX) return;
    engine.handle.reset();
    this.idleInflaters.push(engine);
  }

  /** Compresses the pieces to one message. What is returned may be given back by `release` when nobody reads it any more. */
  deflate(pieces: readonly Uint8Array[]): Uint8Array[] {
    const { handle, left } = this.deflater;
    const outputs: Uint8Array[] = [];
    let output = this.spare ?? new Uint8Array(OUTPUT_SIZE);
    this.spare = null;
    let at = 0;
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i]!;
      const flush = i === pieces.length - 1 ? Z_SYNC_FLUSH : Z_NO_FLUSH;
      let from = 0;
      for (;;) {
        handle.writeSync(flush, piece, from, piece.length - from, output, at, output.length - at);
        const [roomLeft = 0, inputLeft = 0] = left;
        from = piece.length - inputLeft;
        at = output.length - roomLeft;
        if (roomLeft > 0) break;
        outputs.push(output);
        output = new Uint8Array(OUTPUT_SIZE);
        at = 0;
      }
    }
    handle.reset();
    outputs.push(output.subarray(0, at));
    return withoutTail(outputs);
  }

  /** The memory may be used again. */
  release(outputs: readonly Uint8Array[]): void {
    const [only] = outputs;
    if (outputs.length === 1 && only !== undefined && only.buffer.byteLength === OUTPUT_SIZE)
      this.spare = new Uint8Array(only.buffer as ArrayBuffer);
  }
}

/** One message on its way out of its compressed form. */
export class Inflation implements Disposable {
  private input: Uint8Array;
  private from = 0;
  private readonly engine: Engine;
  private readonly deflate: Deflate;
  /** The rest of the tail; the payload comes first. */
  private tailFrom = 0;
  isDone = false;

  /** `payload` is read until the inflation is done, or kept by `keep`. */
  constructor(deflate: Deflate, payload: Uint8Array) {
    this.deflate = deflate;
    this.input = payload;
    this.engine = deflate.takeInflater();
  }

  /** Writes at most `room` bytes; returns how many, or -1 where the payload makes no sense. Less than `room`: it is done. */
  pull(output: Uint8Array, from: number, room: number): number {
    let written = 0;
    while (written < room && !this.isDone) {
      const isTail = this.from === this.input.length;
      const source = isTail ? TAIL : this.input;
      const at = isTail ? this.tailFrom : this.from;
      const { handle, left } = this.engine;
      handle.writeSync(Z_SYNC_FLUSH, source, at, source.length - at, output, from + written, room - written);
      if (this.engine.hasFailed) return -1;
      const [roomLeft = 0, inputLeft = 0] = left;
      written = room - roomLeft;
      if (isTail) {
        this.tailFrom = TAIL.length - inputLeft;
        this.isDone = roomLeft > 0;
      } else if (inputLeft > 0 && roomLeft > 0) {
        this.isDone = true; // the stream says that it ends here
      } else this.from = this.input.length - inputLeft;
    }
    return written;
  }

  /** The payload is needed for longer than its memory lasts. */
  keep(): void {
    this.input = this.input.slice(this.from);
    this.from = 0;
  }

  [Symbol.dispose](): void {
    this.deflate.giveBack(this.engine);
  }
}

function withoutTail(outputs: Uint8Array[]): Uint8Array[] {
  let missing = TAIL.length;
  while (missing > 0) {
    const last = outputs.pop();
    assertOwn(last !== undefined, "a deflated message ends with the tail of its flush");
    if (last.length > missing) outputs.push(last.subarray(0, last.length - missing));
    missing -= Math.min(missing, last.length);
  }
  return outputs;
}
