/**
 * The way to one subject for many messages that the server makes, one after the other. Where one client of this server alone gets
 * them, they are written straight into what it is sent next: nothing is staged, planned or copied twice. All others are sent as usual.
 *
 * Who gets them is looked up when interest has changed, and not for each message.
 */
import { assertOwn } from "../base/assert.ts";
import { hashBytes } from "../slab/hash.ts";
import { AREA, LINE_MAX } from "../slab/layout.ts";
import { bytes, words, writeText } from "../slab/memory.ts";
import type { Interest } from "./interest.ts";
import { assertOutsideDelivery } from "./router.ts";
import type { Subscription } from "./subscription.ts";

const BLANK = 0x20;
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
    const { single } = interest.planOfServer(at, length, hashBytes(at, length));
    if (single === null || single.filter !== null || single.sidLength > SID_MAX) return;
    if (single.owner.room !== undefined) this.only = single;
  }
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
