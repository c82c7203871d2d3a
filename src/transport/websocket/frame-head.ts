/** Frames on their way out: with a mask where this server is the client, which dials another one as its leaf node; without one else. */
import { randomFillSync } from "node:crypto";
import { bytes, words } from "../../slab/memory.ts";

export const FIRST_BINARY = 0x82;
export const FIRST_BINARY_COMPRESSED = 0xc2;
const FIRST_CLOSE = 0x88;
const FIRST_PONG = 0x8a;
const CONTROL_MAX = 125;
const ELLIPSIS = "...";

function headLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 65_536 ? 4 : 10;
}

/** Writes the head of a final frame in front of `at` in the slab, and returns where it begins. */
export function writeHead(at: number, first: number, payloadLength: number): number {
  const from = at - headLength(payloadLength);
  bytes[from] = first;
  if (payloadLength < 126) bytes[from + 1] = payloadLength;
  else if (payloadLength < 65_536) {
    bytes[from + 1] = 126;
    words.setUint16(from + 2, payloadLength);
  } else {
    bytes[from + 1] = 127;
    words.setUint32(from + 2, Math.floor(payloadLength / 2 ** 32));
    words.setUint32(from + 6, payloadLength >>> 0);
  }
  return from;
}

/** The same in separate memory. */
export function ownHead(first: number, payloadLength: number): Uint8Array {
  if (payloadLength < 126) return Uint8Array.of(first, payloadLength);
  if (payloadLength < 65_536) return Uint8Array.of(first, 126, payloadLength >> 8, payloadLength & 0xff);
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(payloadLength), 2);
  return head;
}

export function pongFrame(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(FIRST_PONG, payload.length), payload]);
}

/** null: without a status. A reason that is too long is cut, as in nats-server. */
export function closeFrame(status: number | null, reason: Uint8Array | string = ""): Uint8Array {
  if (status === null) return Uint8Array.of(FIRST_CLOSE, 0);
  let text = typeof reason === "string" ? Buffer.from(reason) : Buffer.from(reason);
  if (text.length > CONTROL_MAX - 2)
    text = Buffer.concat([text.subarray(0, CONTROL_MAX - 2 - ELLIPSIS.length), Buffer.from(ELLIPSIS)]);
  return Buffer.concat([Uint8Array.of(FIRST_CLOSE, text.length + 2, status >> 8, status & 0xff), text]);
}

const MASKED = 0x80;
const KEY_LENGTH = 4;

/** A final frame with a mask, in memory of its own. */
export function maskedFrame(first: number, pieces: readonly Uint8Array[]): Uint8Array {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const head = ownHead(first, length);
  const from = head.length + KEY_LENGTH;
  const frame = Buffer.allocUnsafe(from + length);
  frame.set(head);
  frame[1]! |= MASKED;
  randomFillSync(frame, head.length, KEY_LENGTH);
  let at = from;
  for (const piece of pieces) {
    frame.set(piece, at);
    at += piece.length;
  }
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const key = view.getInt32(head.length);
  let done = from;
  for (; done + KEY_LENGTH <= frame.length; done += KEY_LENGTH)
    view.setInt32(done, view.getInt32(done) ^ key);
  for (; done < frame.length; done++) frame[done]! ^= frame[head.length + ((done - from) & 3)]!;
  return frame;
}

/** A short frame again, with a mask. */
export function withMask(frame: Uint8Array): Uint8Array {
  return maskedFrame(frame[0]!, [frame.subarray(2)]);
}
