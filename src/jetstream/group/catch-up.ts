/**
 * A copy of a stream that a snapshot has found behind: gets the messages that it lacks from the leader, as nats-server does it. There a
 * message says its own sequence, and not the one that it follows on. What the group agrees on meanwhile waits; where too much does, the
 * leader is asked for that, too.
 *
 *     {"peer", "first_seq", "last_seq"} ─▶ sync subject of the stream      messages, ranges of deleted ones, an empty message ─▶ inbox
 *
 * Bounded by HELD_BYTES_MAX of operations that wait.
 */
import { randomToken } from "../../base/base62.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { Stream } from "../stream/stream.ts";
import type { GroupTransport } from "./group.ts";
import { decodeJson, decodeMessage, isSkip, OperationCode, sequenceIn } from "./operations.ts";
import { operationOf } from "./replayed.ts";

const HELD_BYTES_MAX = 64 * 1024 * 1024;
/** The leader has sent nothing for so long: another is asked, if it leads by now. */
const STALLED_MS = 3000;
const NOTHING = new Uint8Array(0);

export interface CatchUpHost {
  readonly stream: Stream;
  readonly self: PeerId;
  readonly transport: GroupTransport;
  readonly subject: string;
  /** Messages that were agreed on before and have no sequence. */
  readonly failed: number;
}

export class StreamCatchUp {
  private readonly host: CatchUpHost;
  private readonly done: (rest: readonly Uint8Array[]) => void;
  private target: number;
  private held: Uint8Array[] = [];
  private heldBytes = 0;
  private ear: Disposable | null = null;
  private timer: Disposable | null = null;

  /** `done` gets what has to be applied then. */
  constructor(host: CatchUpHost, target: number, done: (rest: readonly Uint8Array[]) => void) {
    this.host = host;
    this.target = target;
    this.done = done;
    this.ask();
  }

  stop(): void {
    this.ear?.[Symbol.dispose]();
    this.timer?.[Symbol.dispose]();
    this.ear = this.timer = null;
  }

  /** The group has agreed on something more. */
  hold(operation: Uint8Array): void {
    this.held.push(operation);
    this.heldBytes += operation.length;
    if (this.heldBytes <= HELD_BYTES_MAX) return;
    // whoever leads has applied all of this: what it sends says it, too
    for (const one of this.held) this.target = Math.max(this.target, sequenceIn(one) - this.host.failed);
    this.held = [];
    this.heldBytes = 0;
  }

  private ask(): void {
    this.stop();
    const { stream, self, transport, subject } = this.host;
    const inbox = `$JSC.R.${randomToken(stream.host.random)}`;
    this.ear = transport.listen(inbox, (_subject, reply, payload) => this.take(payload, reply));
    const request = {
      peer: self,
      [FIRST]: stream.store.last + 1,
      [LAST]: this.target,
      [RANGES]: true,
    };
    transport.send(subject, inbox, Buffer.from(JSON.stringify(request)));
    this.waitOn();
  }

  private waitOn(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = this.host.stream.host.clock.setTimer(STALLED_MS, () => this.ask());
  }

  private take(payload: Uint8Array, reply: string): void {
    const { stream, transport } = this.host;
    if (payload.length === 0) {
      this.end();
      return;
    }
    this.waitOn();
    if (payload[0] !== OperationCode.DELETE_RANGE) this.store(payload);
    else {
      const { First: first, Num: count } = decodeJson(payload) ?? {};
      if (typeof first === "number" && typeof count === "number" && first === stream.store.last + 1)
        stream.skipTo(first + count - 1);
    }
    if (reply !== "") transport.send(reply, "", NOTHING);
    stream.touch();
  }

  private store(payload: Uint8Array): void {
    const { stream } = this.host;
    const message = decodeMessage(payload);
    if (message === undefined || message.after !== stream.store.last + 1) return;
    if (isSkip(message)) return stream.skipTo(message.after);
    const { config } = stream;
    stream.apply(operationOf(message, { subject: message.subject, config }), message.after);
  }

  private end(): void {
    if (this.host.stream.store.last < this.target) return; // asked again soon
    this.stop();
    this.done(this.held);
  }
}

const FIRST = "first_seq";
const LAST = "last_seq";
const RANGES = "delete_ranges";
