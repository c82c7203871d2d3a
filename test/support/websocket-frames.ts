/** Frames as clients write them, and as they read those of a server; connections over memory. */
import { READ_START } from "../../src/slab/layout.ts";
import { slice } from "../../src/slab/memory.ts";
import { MemoryWire } from "../../src/transport/memory.ts";
import { Deflate } from "../../src/transport/websocket/deflate.ts";
import { WebSocketWire } from "../../src/transport/websocket/wire.ts";

export const TEXT = 1;
export const BINARY = 2;
export const CLOSING = 8;
export const PING = 9;
export const PONG = 10;

export interface FrameParts {
  readonly opcode?: number;
  readonly payload?: Uint8Array | string;
  /** Absent: the last of its message. */
  readonly isFinal?: boolean;
  /** The bits of the first byte that are usually clear. */
  readonly reserved?: number;
  /** null: not masked. */
  readonly mask?: readonly [number, number, number, number] | null;
  /** What the head says of the length; absent: the truth. */
  readonly told?: bigint;
  /** Bytes of the length; absent: as few as it takes. */
  readonly lengthBytes?: 0 | 2 | 8;
}

export function frame({
  opcode = BINARY,
  payload = "",
  isFinal = true,
  reserved = 0,
  mask = [1, 2, 3, 4],
  told,
  lengthBytes,
}: FrameParts = {}): Buffer {
  const data = Buffer.from(payload as string);
  const length = told ?? BigInt(data.length);
  const bytesOfLength = lengthBytes ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const head = Buffer.alloc(2 + bytesOfLength);
  head[0] = (isFinal ? 0x80 : 0) | reserved | opcode;
  const short = bytesOfLength === 0 ? Number(length) : bytesOfLength === 2 ? 126 : 127;
  head[1] = (mask === null ? 0 : 0x80) | short;
  if (bytesOfLength === 2) head.writeUInt16BE(Number(length), 2);
  if (bytesOfLength === 8) head.writeBigUInt64BE(length, 2);
  if (mask === null) return Buffer.concat([head, data]);
  return Buffer.concat([head, Buffer.from(mask), data.map((byte, i) => byte ^ mask[i & 3]!)]);
}

export function closeWith(status: number, reason: string | Uint8Array = ""): FrameParts {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(status);
  return { opcode: CLOSING, payload: Buffer.concat([head, Buffer.from(reason as string)]) };
}

export interface ReadFrame {
  readonly opcode: number;
  readonly isCompressed: boolean;
  readonly payload: Buffer;
}

/** What a server has written. Throws where that is not whole frames, or a frame is masked. */
export function readFrames(data: Buffer): ReadFrame[] {
  const frames: ReadFrame[] = [];
  for (let at = 0; at < data.length;) {
    const first = data[at]!;
    const short = data[at + 1]!;
    if ((short & 0x80) !== 0) throw new Error("a server does not mask");
    if ((first & 0x80) === 0) throw new Error("a server does not fragment");
    at += 2;
    let length = short;
    if (short === 126) length = data.readUInt16BE(at);
    if (short === 127) length = Number(data.readBigUInt64BE(at));
    at += short === 126 ? 2 : short === 127 ? 8 : 0;
    if (at + length > data.length) throw new Error("half a frame");
    const payload = data.subarray(at, at + length);
    frames.push({ opcode: first & 0x0f, isCompressed: (first & 0x40) !== 0, payload });
    at += length;
  }
  return frames;
}

export interface PairOptions {
  readonly isMasked?: boolean;
  readonly compression?: boolean;
  readonly strangerMaxBytes?: number;
  readonly admittedMaxBytes?: number;
}

/** As a port has one for all its connections. */
const DEFLATE = Deflate.open();

/** A WebSocket wire on one over memory, and a receiver that keeps what comes. */
export class WebSocketPair {
  readonly below = new MemoryWire();
  readonly wire: WebSocketWire;
  /** The bytes that were handed on, and in how many pieces. */
  received: Buffer[] = [];
  written = 0;
  /** null: open. */
  closedFor: string | null = null;
  /** The receiver waits after the next piece. */
  waits = false;

  constructor({ isMasked = true, compression = false, ...limits }: PairOptions = {}) {
    const deflate = compression ? DEFLATE : null;
    const most = { strangerMaxBytes: 65_536, admittedMaxBytes: 8_388_608, ...limits };
    this.wire = new WebSocketWire(this.below, { isMasked, deflate }, most);
    this.below.start(this.wire);
    this.wire.start({
      onBytes: (length) => {
        this.received.push(Buffer.from(slice(READ_START, length)));
        return !this.waits;
      },
      onWritten: () => void this.written++,
      onClosed: (problem) => (this.closedFor = problem),
    });
  }

  get text(): string {
    return Buffer.concat(this.received).toString("latin1");
  }

  send(...frames: readonly FrameParts[]): void {
    this.below.receive(Buffer.concat(frames.map((parts) => frame(parts))));
  }

  /** The same in pieces of one byte. */
  sendByBytes(...frames: readonly FrameParts[]): void {
    const all = Buffer.concat(frames.map((parts) => frame(parts)));
    for (let i = 0; i < all.length; i++) this.below.receive(all.subarray(i, i + 1));
  }

  /** What the server has written since the last call. */
  frames(): ReadFrame[] {
    return readFrames(this.below.take());
  }

  /** Of its Close frame; null: there is none. */
  closing(): { readonly status: number | null; readonly reason: string } | null {
    const last = this.frames().at(-1);
    if (last?.opcode !== CLOSING) return null;
    if (last.payload.length === 0) return { status: null, reason: "" };
    return { status: last.payload.readUInt16BE(0), reason: last.payload.toString("utf8", 2) };
  }
}

/** Sends the frames both ways, to a connection of its own each time. */
export function inBothWays(
  frames: readonly FrameParts[],
  options: PairOptions,
  check: (pair: WebSocketPair) => void,
): void {
  const whole = new WebSocketPair(options);
  whole.send(...frames);
  check(whole);
  const single = new WebSocketPair(options);
  single.sendByBytes(...frames);
  check(single);
}
