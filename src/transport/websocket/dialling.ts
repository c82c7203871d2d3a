/**
 * A connection that this server has dialled, on its way to WebSocket: the request, and the answer to it. What comes behind the answer, which
 * the other side may send at once, waits for the receiver of the WebSocket wire.
 *
 * Bounds: HEAD_MAX bytes of the answer; the caller bounds the time.
 */
import { randomBytes } from "node:crypto";
import { READ_SIZE, READ_START } from "../../slab/layout.ts";
import { bytes, slice } from "../../slab/memory.ts";
import type { Wire, WireReceiver } from "../wire.ts";
import type { Deflate } from "./deflate.ts";
import { HEAD_MAX, readAnswer, upgradeRequest, type UpgradeWish } from "./request.ts";
import { WebSocketWire, type MessageLimits } from "./wire.ts";

const END_OF_HEAD = "\r\n\r\n";

export interface DiallingHost {
  /** Its receiver is to be started. */
  onUpgrade(wire: Wire): void;
  onFailed(problem: string): void;
}

export class Dialling implements WireReceiver {
  private head: Buffer = Buffer.alloc(0);
  /** Came behind the answer. */
  private rest: Buffer = Buffer.alloc(0);
  private next: WebSocketWire | null = null;
  private isOver = false;
  private readonly key = randomBytes(16).toString("base64");
  private readonly below: Wire;
  private readonly wish: UpgradeWish;
  private readonly deflate: Deflate | null;
  private readonly limits: MessageLimits;
  private readonly host: DiallingHost;

  constructor(
    below: Wire,
    wish: UpgradeWish,
    terms: { readonly deflate: Deflate | null; readonly limits: MessageLimits },
    host: DiallingHost,
  ) {
    this.below = below;
    this.wish = { ...wish, compression: wish.compression && terms.deflate !== null };
    this.deflate = terms.deflate;
    this.limits = terms.limits;
    this.host = host;
  }

  begin(): void {
    this.below.start(this);
    this.below.write(Buffer.from(upgradeRequest(this.wish, this.key), "latin1"));
  }

  onBytes(length: number): boolean {
    if (this.next === null) return this.collect(length);
    if (this.next.isStarted) return this.next.onBytes(length);
    this.rest = Buffer.concat([this.rest, slice(READ_START, length)]);
    return false;
  }

  onWritten(): void {
    this.next?.onWritten();
  }

  onClosed(problem: string): void {
    if (this.next === null)
      this.fail(problem === "" ? "the connection has ended before the answer" : problem);
    else this.next.onClosed(problem);
  }

  /** Nobody waits for it any more. */
  giveUp(): void {
    this.isOver = true;
    this.below.destroy();
  }

  private collect(length: number): boolean {
    if (this.isOver) return true;
    this.head = Buffer.concat([this.head, slice(READ_START, length)]);
    const end = this.head.indexOf(END_OF_HEAD, 0, "latin1");
    if (end > HEAD_MAX || (end < 0 && this.head.length > HEAD_MAX)) this.fail("the answer is too long");
    if (end < 0 || this.isOver) return true;
    const headLength = end + END_OF_HEAD.length;
    const answer = readAnswer(this.head.toString("latin1", 0, headLength), this.wish, this.key);
    this.rest = Buffer.from(this.head.subarray(headLength));
    this.head = Buffer.alloc(0);
    if (typeof answer === "string") {
      this.fail(answer);
      return true;
    }
    const rules = {
      isMasked: false,
      masksOwn: answer.masks,
      deflate: answer.compression ? this.deflate : null,
    };
    this.next = new WebSocketWire(this.below, rules, this.limits, () => this.handOn());
    this.host.onUpgrade(this.next);
    return false;
  }

  /** The receiver has been started: what came before that is handed on. */
  private handOn(): void {
    const { rest, next } = this;
    this.rest = Buffer.alloc(0);
    let goesOn = true;
    for (let from = 0; from < rest.length; from += READ_SIZE) {
      const piece = rest.subarray(from, from + READ_SIZE);
      bytes.set(piece, READ_START);
      goesOn = next?.onBytes(piece.length) ?? false;
    }
    if (goesOn) this.below.resume();
  }

  private fail(problem: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.below.destroy();
    this.host.onFailed(problem);
  }
}
