/**
 * A connection on the port for WebSocket until its request has been answered: it is secured where the port is, and its request read, in
 * a bounded time and up to a bounded length. Whatever comes after that belongs to the WebSocket wire, which stands behind it.
 */
import { READ_START } from "../../slab/layout.ts";
import { slice } from "../../slab/memory.ts";
import { HEAD_MAX, noHead, readRequest, tooLarge, type UpgradeRefusal, type Upgrade } from "./request.ts";
import type { UpgradeTerms } from "./request.ts";
import type { Wire, WireReceiver } from "../wire.ts";

export interface UpgradingHost {
  terms(isSecured: boolean): UpgradeTerms;
  /** What comes from now on is for the receiver that it returns; null: the connection ends. */
  onUpgrade(upgrading: Upgrading, upgrade: Upgrade): WireReceiver | null;
  onRefused(upgrading: Upgrading, refusal: UpgradeRefusal): void;
  /** It has ended, upgraded or not. */
  onClosed(upgrading: Upgrading): void;
}

const LF = 0x0a;
const CR = 0x0d;
const END_OF_HEAD = "\r\n\r\n";

/** Whether a line ends otherwise than by CRLF, so that the end of the head would be where nobody else sees it. */
function hasBareLine(head: Buffer, from: number): boolean {
  for (let at = head.indexOf(LF, from); at >= 0; at = head.indexOf(LF, at + 1))
    if (head[at - 1] !== CR) return true;
  return false;
}

export class Upgrading implements WireReceiver {
  readonly wire: Wire;
  private head: Buffer = Buffer.alloc(0);
  private next: WireReceiver | null = null;
  private isOver = false;
  private readonly host: UpgradingHost;

  constructor(wire: Wire, host: UpgradingHost) {
    this.wire = wire;
    this.host = host;
  }

  get isUpgraded(): boolean {
    return this.next !== null;
  }

  onBytes(length: number): boolean {
    if (this.next !== null) return this.next.onBytes(length);
    if (!this.isOver) this.collect(length);
    return true;
  }

  onWritten(): void {
    this.next?.onWritten();
  }

  onClosed(problem: string): void {
    this.isOver = true;
    this.host.onClosed(this);
    this.next?.onClosed(problem);
  }

  /** Ends it without an answer. */
  giveUp(): void {
    this.isOver = true;
    this.wire.destroy();
  }

  private collect(length: number): void {
    const from = Math.max(0, this.head.length - END_OF_HEAD.length + 1);
    this.head = Buffer.concat([this.head, slice(READ_START, length)]);
    const end = this.head.indexOf(END_OF_HEAD, from, "latin1");
    if (end > HEAD_MAX || (end < 0 && this.head.length > HEAD_MAX)) return this.refuse(tooLarge());
    if (hasBareLine(this.head.subarray(0, end < 0 ? undefined : end), from)) return this.refuse(noHead());
    if (end < 0) return;
    const { head } = this;
    this.head = Buffer.alloc(0);
    const headLength = end + END_OF_HEAD.length;
    const text = head.toString("latin1", 0, headLength);
    const request = readRequest(text, this.host.terms(this.wire.security !== null));
    if (request.kind === "refusal") return this.refuse(request);
    // Nobody may send before it has the answer: what comes with the request may be meant for somebody else.
    if (head.length > headLength) return this.giveUp();
    this.wire.write(Buffer.from(request.answer, "latin1"));
    this.next = this.host.onUpgrade(this, request);
    if (this.next === null) this.giveUp();
  }

  private refuse(refusal: UpgradeRefusal): void {
    this.isOver = true;
    this.head = Buffer.alloc(0);
    this.host.onRefused(this, refusal);
    this.wire.write(Buffer.from(refusal.answer, "latin1"));
    this.wire.end();
  }
}
