/**
 * The way to one subject for many messages that the server makes, one after the other. Where one client of this server alone gets
 * them, they are written straight into what it is sent next: nothing is staged, planned or copied twice. All others are sent as usual.
 *
 * The receivers are looked up when interest has changed, not for each message.
 */
import { assertOwn } from "../base/assert.ts";
import { hashBytes } from "../slab/hash.ts";
import { AREA, LINE_MAX } from "../slab/layout.ts";
import { bytes, copyIn, words, writeNumber, writeText } from "../slab/memory.ts";
import type { Interest } from "./interest.ts";
import type { Plan } from "./plan.ts";
import { assertOutsideDelivery } from "./router.ts";
import type { Subscription } from "./subscription.ts";

const BLANK = 0x20;
const DOT = 0x2e;
const CRLF = 0x0a0d;
/** Digits of the sizes of an answer, and the line ends. */
const SIZES_MAX = 36;
/** `MSG ` and `HMSG`. */
const PLAIN_VERB = 0x2047534d;
const HEADED_VERB = 0x47534d48;
/** Beside the subject that is shown and the sid: the verb, and blanks. */
const HEAD_REST = 6;
/** Longest sid that is written by words, with the blank behind it. */
const SID_MAX = 8;

export class StraightLane {
  readonly subject: string;
  private readonly interest: Interest;
  private version = -1;
  private awaited = false;
  private only: Subscription | null = null;

  constructor(interest: Interest, subject: string) {
    this.interest = interest;
    this.subject = subject;
  }

  /** Whether anybody would get a message. */
  get isAwaited(): boolean {
    if (this.version !== this.interest.version) this.follow();
    return this.awaited;
  }

  /**
   * Room for a message that takes `length` bytes beside its verb and its sid, as an offset in the slab; 0: it has to be sent in another
   * way. The caller writes the head by `writeVerb`, the subject that the client is shown with a blank behind it, `writeSid`, and the rest
   * up to the closing CRLF, and then calls `end`, before anything else is sent.
   */
  begin(length: number, kind: "plain" | "headed"): number {
    if (this.version !== this.interest.version) this.follow();
    const { only } = this;
    if (only === null) return 0;
    assertOutsideDelivery();
    return only.owner.room?.(length + HEAD_REST + SID_MAX, kind) ?? 0;
  }

  writeSid(at: number): number {
    const { only } = this;
    assertOwn(only !== null, "a message is written where there is room for it");
    words.setInt32(at, only.sidLow, true);
    words.setInt32(at + 4, only.sidHigh, true);
    return at + only.sidLength;
  }

  /** `size`: of headers and payload. */
  end(at: number, size: number): void {
    const { only } = this;
    assertOwn(only !== null, "a message ends where it was begun");
    only.owner.wrote?.(only, at, size);
  }

  private follow(): void {
    const { interest, subject } = this;
    this.version = interest.version;
    this.only = null;
    this.awaited = interest.isAwaited(subject);
    if (!this.awaited || subject.length > LINE_MAX) return;
    const { at } = AREA.hashed;
    const { length } = subject;
    writeText(at, subject);
    this.only = straightReceiver(interest.planOfServer(at, length, hashBytes(at, length)));
  }
}

/** A piece of memory outside the slab; `words` is all of `memory`. */
interface OutsidePiece {
  readonly memory: Uint8Array;
  readonly words: DataView;
  readonly at: number;
  readonly length: number;
}

/**
 * The way to inboxes, for many answers: their subjects differ in the last token, and the one that answers one question often answers the
 * next. Who gets what is sent below a prefix is looked up when interest has changed, or the prefix is another one.
 */
export class InboxLane {
  private readonly interest: Interest;
  private version = -1;
  private only: Subscription | null = null;
  private prefix = Buffer.alloc(0);
  /** 0: none is remembered. */
  private prefixLength = 0;

  constructor(interest: Interest) {
    this.interest = interest;
  }

  /**
   * Room for an answer, with its head up to the headers and the payload of `size` bytes: the offset in the slab where those begin. 0: it
   * has to be sent in another way. Its closing CRLF is the caller's, who then calls `end`.
   */
  begin(subject: OutsidePiece, size: number, headerLength = 0): number {
    const { memory, words: view, at, length } = subject;
    let from = length;
    while (from > 0 && memory[at + from - 1] !== DOT) from--;
    if (this.version !== this.interest.version || !this.isRemembered(memory, at, from) || from === length)
      this.follow(subject, from);
    const { only } = this;
    if (only === null) return 0;
    assertOutsideDelivery();
    const kind = headerLength > 0 ? "headed" : "plain";
    const start = only.owner.room?.(length + HEAD_REST + SID_MAX + SIZES_MAX + size, kind) ?? 0;
    if (start === 0) return 0;
    let to = copyIn(writeVerb(start, kind), memory, view, at, length);
    bytes[to++] = BLANK;
    words.setInt32(to, only.sidLow, true);
    words.setInt32(to + 4, only.sidHigh, true);
    to += only.sidLength;
    if (headerLength > 0) {
      to = writeNumber(to, headerLength);
      bytes[to++] = BLANK;
    }
    to = writeNumber(to, size);
    words.setInt16(to, CRLF, true);
    return to + 2;
  }

  /** `size`: of headers and payload. */
  end(at: number, size: number): void {
    const { only } = this;
    assertOwn(only !== null, "an answer ends where it was begun");
    only.owner.wrote?.(only, at, size);
  }

  private isRemembered(memory: Uint8Array, at: number, length: number): boolean {
    if (length !== this.prefixLength || length === 0) return false;
    const { prefix } = this;
    for (let i = length - 1; i >= 0; i--) if (prefix[i] !== memory[at + i]) return false;
    return true;
  }

  private follow({ memory, at, length }: OutsidePiece, prefixLength: number): void {
    const { interest } = this;
    this.version = interest.version;
    this.only = null;
    this.prefixLength = 0;
    if (length === 0 || length > LINE_MAX) return;
    const { at: to } = AREA.hashed;
    bytes.set(memory.subarray(at, at + length), to);
    const plan = interest.planOfServer(to, length, hashBytes(to, length));
    this.only = straightReceiver(plan);
    if (!interest.standsForPrefix(plan)) return;
    this.prefixLength = prefixLength;
    this.prefix = Buffer.from(memory.subarray(at, at + prefixLength));
  }
}

/** The one client of this server that gets what is sent, where it takes what is written as it is; null: it is another way. */
function straightReceiver({ single }: Plan): Subscription | null {
  if (single === null || single.filter !== null || single.sidLength > SID_MAX) return null;
  return single.owner.room === undefined ? null : single;
}

/** Returns the offset behind the verb and its blank. */
export function writeVerb(at: number, kind: "plain" | "headed"): number {
  if (kind === "plain") {
    words.setInt32(at, PLAIN_VERB, true);
    return at + 4;
  }
  words.setInt32(at, HEADED_VERB, true);
  bytes[at + 4] = BLANK;
  return at + 5;
}
