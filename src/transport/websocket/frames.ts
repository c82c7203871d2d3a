/**
 * Frames of WebSocket (RFC 6455) on their way in. Payloads lose their masks in the read window and move together there, so that what
 * one read brought is handed on in one piece, however many frames it had:
 *
 *     | head | payload | head | payload | head of the ne      what came
 *     | payload | payload |                                   what is handed on; the rest waits for the next read
 *
 * Where compression is agreed on, what came is moved out of the window first (AREA.framed), since messages grow when they are
 * inflated into it; they are handed on piece by piece, and wait where the receiver does.
 *
 * Bounds: FRAME_REST_MAX bytes of a head or control frame between reads; `messageMax()` bytes of a compressed message, and of what it
 * grows to; what had been read when the receiver began to wait.
 */
import { assertOwn } from "../../base/assert.ts";
import { AREA, FRAME_REST_MAX, READ_SIZE, READ_START } from "../../slab/layout.ts";
import { bytes, copyLong, slice, words } from "../../slab/memory.ts";
import { rotated, unmask } from "../../slab/unmask.ts";
import { CLOSE, isCloseStatus, PROTOCOL_ERROR, TOO_BIG, WRONG_DATA } from "./close-status.ts";
import { Inflation, type Deflate } from "./deflate.ts";
import { Utf8Check } from "./utf8.ts";

export interface FrameHost {
  /** `length` bytes of data lie at READ_START. False: the receiver waits. */
  onData(length: number): boolean;
  onPing(payload: Uint8Array): void;
  /** The peer says that it ends the connection; `status` is CLOSE.none where it does not say why. */
  onClose(status: number, reason: Uint8Array): void;
  /** The peer broke the rules; nothing is read any more. */
  onFailure(status: number, reason: string): void;
  /** A message is complete, and all of it handed on. Absent: where messages end does not matter, as in the protocol of NATS. */
  onMessageEnd?(kind: "text" | "binary"): void;
  /** Bytes that one compressed message may have, and may grow to. */
  messageMax(): number;
}

export interface FrameRules {
  /** Frames must be masked; else they must not be. */
  readonly isMasked: boolean;
  /** Frames that go out are masked, as those of clients; absent: they are not. */
  readonly masksOwn?: boolean;
  /** null: messages are not compressed. */
  readonly deflate: Deflate | null;
}

const FINAL = 0x80;
const COMPRESSED = 0x40;
const RESERVED = 0x30;
const MASKED = 0x80;
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSING = 8;
const PING = 9;
const PONG = 10;
const CONTROL_MAX = 125;
/** Longest payload of a frame. It is not kept, but passes through. */
const PAYLOAD_MAX = 1024 * 1024 * 1024;
/** A head is not complete, or the peer is at fault: see `takeHead`. */
const INCOMPLETE = -1;
const OVER = -2;

export class FrameReader {
  private rest: Uint8Array | null = null;
  private restLength = 0;
  /** The data frame under way: bytes to come, the mask as it stands, whether it ends its message. */
  private left = 0;
  private key = 0;
  private isFinal = true;
  /** A message has begun, and more of its frames are to come. */
  private isInMessage = false;
  private isCompressed = false;
  /** null: the message is not text. */
  private text: Utf8Check | null = null;
  /** The compressed message under way, as far as it has come. */
  private collected: Uint8Array[] = [];
  private collectedLength = 0;
  private inflation: Inflation | null = null;
  private inflatedLength = 0;
  /** Bytes that were read while the receiver waits. */
  private kept: Uint8Array[] = [];
  private isWaiting = false;
  private isOver = false;
  /** Bytes of data at READ_START that are to be handed on. */
  private out = 0;
  private readonly rules: FrameRules;
  private readonly host: FrameHost;

  constructor(rules: FrameRules, host: FrameHost) {
    this.rules = rules;
    this.host = host;
  }

  /** Takes the `length` fresh bytes at READ_START. Returns false while the receiver waits. */
  read(length: number): boolean {
    if (this.isOver) return true;
    if (this.rules.deflate === null) {
      this.parse(READ_START, READ_START + length);
      return this.handOn();
    }
    if (this.isWaiting) {
      this.kept.push(slice(READ_START, length).slice());
      return false;
    }
    copyLong(AREA.framed.at, READ_START, length);
    return this.parseMoved(length);
  }

  /** The receiver continues. Returns false if it waits again. */
  resume(): boolean {
    if (!this.isWaiting || this.isOver) return true;
    this.isWaiting = false;
    if (this.inflation !== null && !this.inflate(this.inflation)) return this.isOver;
    while (this.kept.length > 0) {
      const piece = this.kept.shift()!;
      bytes.set(piece, AREA.framed.at);
      if (!this.parseMoved(piece.length)) return false;
      if (this.isOver) return true;
    }
    return this.handOn();
  }

  /** Nothing is read any more. */
  stop(): void {
    this.isOver = true;
    this.inflation?.[Symbol.dispose]();
    this.inflation = null;
    this.kept = [];
    this.collected = [];
    this.rest = null;
  }

  private parseMoved(length: number): boolean {
    this.parse(AREA.framed.at, AREA.framed.at + length);
    return this.isWaiting ? false : this.handOn();
  }

  /** Hands on what has been taken out of frames. */
  private handOn(): boolean {
    const { out } = this;
    if (out === 0) return true;
    this.out = 0;
    if (this.host.onData(out)) return true;
    this.isWaiting = true;
    return false;
  }

  private parse(from: number, end: number): void {
    let at = from;
    if (this.restLength > 0) {
      at -= this.restLength;
      bytes.set(this.rest!.subarray(0, this.restLength), at);
      this.restLength = 0;
    }
    while (at < end && !this.isOver) {
      if (this.left > 0) at = this.takePayload(at, end);
      else {
        const behind = this.takeHead(at, end);
        if (behind === OVER) return;
        if (behind === INCOMPLETE) return this.keepRest(at, end);
        at = behind;
      }
      if (this.isWaiting) {
        if (at < end) this.kept.unshift(slice(at, end - at).slice());
        return;
      }
    }
  }

  private keepRest(at: number, end: number): void {
    assertOwn(end - at <= FRAME_REST_MAX, "what is left of a head or control frame is within its bound");
    this.rest ??= new Uint8Array(FRAME_REST_MAX);
    this.rest.set(slice(at, end - at));
    this.restLength = end - at;
  }

  // ---- heads ----

  /** Returns the position behind the head, and behind all of a control frame; INCOMPLETE; or OVER. */
  private takeHead(at: number, end: number): number {
    if (end - at < 2) return INCOMPLETE;
    const first = bytes[at]!;
    const second = bytes[at + 1]!;
    const problem = this.headProblem(first, second);
    if (problem !== null) return this.fail(PROTOCOL_ERROR, problem);
    let length = second & 0x7f;
    let behind = at + 2;
    if (length === 126) behind += 2;
    else if (length === 127) behind += 8;
    const keyAt = behind;
    if (this.rules.isMasked) behind += 4;
    if (behind > end) return INCOMPLETE;
    if (length === 126) length = words.getUint16(at + 2);
    else if (length === 127) {
      const high = words.getUint32(at + 2);
      if (high >= 2 ** 31) return this.fail(PROTOCOL_ERROR, "invalid 64-bit payload length");
      length = high * 2 ** 32 + words.getUint32(at + 6);
      if (length > PAYLOAD_MAX) return this.fail(TOO_BIG, "frame is too large");
    }
    this.key = this.rules.isMasked ? words.getInt32(keyAt, true) : 0;
    const opcode = first & 0x0f;
    if (opcode >= CLOSING) {
      if (behind + length > end) return INCOMPLETE;
      return this.takeControl(opcode, behind, length);
    }
    return this.beginFrame(first, behind, length);
  }

  /** In the words of nats-server. */
  private headProblem(first: number, second: number): string | null {
    const opcode = first & 0x0f;
    const isFinal = (first & FINAL) !== 0;
    const isCompressed = (first & COMPRESSED) !== 0;
    if ((first & RESERVED) !== 0) return "RSV2 and RSV3 must be clear";
    if (isCompressed && this.rules.deflate === null)
      return "compressed frame received without negotiated permessage-deflate";
    if (this.rules.isMasked && (second & MASKED) === 0) return "mask bit missing";
    if (!this.rules.isMasked && (second & MASKED) !== 0) return "mask bit set";
    switch (opcode) {
      case CLOSING:
      case PING:
      case PONG:
        if ((second & 0x7f) > CONTROL_MAX)
          return `control frame length bigger than maximum allowed of ${CONTROL_MAX} bytes`;
        if (!isFinal) return "control frame does not have final bit set";
        return isCompressed ? "control frame must not be compressed" : null;
      case TEXT:
      case BINARY:
        return this.isInMessage
          ? "new message started before final frame for previous message was received"
          : null;
      case CONTINUATION:
        return !this.isInMessage || isCompressed ? "invalid continuation frame" : null;
      default:
        return `unknown opcode ${opcode}`;
    }
  }

  private beginFrame(first: number, behind: number, length: number): number {
    const opcode = first & 0x0f;
    this.isFinal = (first & FINAL) !== 0;
    this.isInMessage = !this.isFinal;
    if (opcode !== CONTINUATION) {
      this.isCompressed = (first & COMPRESSED) !== 0;
      this.text = opcode === TEXT ? new Utf8Check() : null;
    }
    this.left = length;
    if (length === 0 && this.isFinal && !this.endMessage()) return this.isOver ? OVER : behind;
    return behind;
  }

  private takeControl(opcode: number, from: number, length: number): number {
    unmask(from, from, length, this.key);
    const payload = slice(from, length);
    if (opcode === PING) this.host.onPing(payload);
    else if (opcode === CLOSING) return this.takeClose(payload);
    return this.isOver ? OVER : from + length;
  }

  private takeClose(payload: Uint8Array): number {
    if (payload.length === 1) return this.fail(PROTOCOL_ERROR, "close frame payload cannot be 1 byte");
    const status = payload.length === 0 ? CLOSE.none : (payload[0]! << 8) | payload[1]!;
    if (payload.length > 0 && !isCloseStatus(status))
      return this.fail(PROTOCOL_ERROR, `invalid close status code ${status}`);
    const reason = payload.slice(2);
    const check = new Utf8Check();
    if (payload.length > 2 && !(check.accepts(payload.byteOffset + 2, reason.length) && check.isComplete))
      return this.fail(WRONG_DATA, "invalid utf8 body in close frame");
    this.handOn();
    const wasOver = this.isOver; // the receiver may have ended the connection
    this.stop();
    if (!wasOver) this.host.onClose(status, reason);
    return OVER;
  }

  // ---- payloads ----

  /** Returns the position behind what was taken. */
  private takePayload(at: number, end: number): number {
    const length = Math.min(this.left, end - at);
    // Messages that grew may have filled the window.
    if (!this.isCompressed && this.out + length > READ_SIZE && (!this.handOn() || this.isOver)) return at;
    this.left -= length;
    const to = this.isCompressed ? at : READ_START + this.out;
    if (this.rules.isMasked) {
      unmask(to, at, length, this.key);
      this.key = rotated(this.key, length);
    } else if (to !== at) copyLong(to, at, length);
    const isEnd = this.left === 0 && this.isFinal;
    if (this.isCompressed) {
      if (!this.collect(at, length, isEnd) || !isEnd) return at + length;
    } else if (this.isText(to, length)) this.out += length;
    else return at + length;
    if (isEnd) this.endMessage();
    return at + length;
  }

  /** Whether what came of a text is one so far. */
  private isText(from: number, length: number): boolean {
    if (this.text === null || this.text.accepts(from, length)) return true;
    this.fail(WRONG_DATA, "text is not UTF-8");
    return false;
  }

  private collect(from: number, length: number, isEnd: boolean): boolean {
    this.collectedLength += length;
    if (this.collectedLength > this.host.messageMax()) {
      this.fail(TOO_BIG, "compressed message is too large");
      return false;
    }
    const piece = slice(from, length);
    // What came whole is inflated where it lies.
    this.collected.push(isEnd && this.collected.length === 0 ? piece : piece.slice());
    return true;
  }

  /** Returns false where the receiver waits, or the message makes no sense. */
  private endMessage(): boolean {
    if (this.isCompressed) {
      const { collected } = this;
      const payload = collected.length === 1 ? collected[0]! : Buffer.concat(collected);
      this.collected = [];
      this.collectedLength = 0;
      this.inflatedLength = 0;
      const { deflate } = this.rules;
      assertOwn(deflate !== null, "a compressed frame is refused where compression was not agreed on");
      this.inflation = new Inflation(deflate, payload);
      return this.inflate(this.inflation);
    }
    return this.endText();
  }

  private endText(): boolean {
    if (this.text?.isComplete === false) return this.failMessage(WRONG_DATA, "text is not UTF-8");
    if (this.host.onMessageEnd === undefined) return true;
    const goesOn = this.handOn();
    this.host.onMessageEnd(this.text === null ? "binary" : "text");
    return goesOn;
  }

  private inflate(inflation: Inflation): boolean {
    while (!inflation.isDone) {
      const to = READ_START + this.out;
      const length = inflation.pull(bytes, to, READ_SIZE - this.out);
      if (length < 0) return this.failMessage(PROTOCOL_ERROR, "compressed message makes no sense");
      this.inflatedLength += length;
      if (this.inflatedLength > this.host.messageMax())
        return this.failMessage(TOO_BIG, "message is too large");
      if (!this.isText(to, length)) return false;
      this.out += length;
      if (this.out < READ_SIZE) continue;
      const goesOn = this.handOn();
      if (this.isOver) return false;
      if (goesOn) continue;
      inflation.keep();
      return false;
    }
    this.inflation = null;
    inflation[Symbol.dispose]();
    return this.endText();
  }

  private failMessage(status: number, reason: string): false {
    this.fail(status, reason);
    return false;
  }

  private fail(status: number, reason: string): typeof OVER {
    if (this.isOver) return OVER;
    this.handOn();
    const wasOver = this.isOver as boolean;
    this.stop();
    if (!wasOver) this.host.onFailure(status, reason);
    return OVER;
  }
}
