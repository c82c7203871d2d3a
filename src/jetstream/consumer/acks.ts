/** What acknowledgements do: each becomes an entry of the consumer's state, and the stream hears of messages that are settled. */
import type { Clock } from "../../base/clock.ts";
import type { Advise } from "../advisories.ts";
import type { StreamConfig } from "../stream/config.ts";
import type { ConsumerConfig } from "./config.ts";
import type { Redelivery } from "./redelivery.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Journal } from "./journal.ts";
import { readAck } from "./requests.ts";
import type { Pending } from "./pending.ts";
import { ConsumerState } from "./state.ts";

export interface AcksHost {
  readonly about: Parameters<Advise>[2];
  readonly state: ConsumerState;
  readonly again: Redelivery;
  readonly clock: Clock;
  readonly advise: Advise;
  /** null: messages that are given up go nowhere. */
  deadLetters(): DeadLetters | null;
  config(): ConsumerConfig;
  /** Applies entries and has them written. */
  readonly journal: Journal;
  readonly stream: {
    readonly config: Pick<StreamConfig, "retention">;
    readonly removals: { settleAll(sequences: Float64Array): void };
    /** The consumer needs the message no longer. */
    settled(sequence: number): void;
  };
  /** A message that waits is being acknowledged. */
  measure(sequence: number, pending: Pending): void;
}

const NONE = new Float64Array(0);

export class Acks {
  /** When something was acknowledged last, milliseconds; 0: never. */
  ackedMs = 0;
  private readonly host: AcksHost;

  constructor(host: AcksHost) {
    this.host = host;
  }

  /** Takes an acknowledgement. Returns the request that came with it, null, or "later": `reply` is answered when it counts. */
  take(sequence: number, payload: string, reply: string): { readonly next: string } | "later" | null {
    const { state, clock } = this.host;
    const ack = readAck(payload);
    const isPending = state.pending.has(sequence);
    switch (ack.kind) {
      case "ack":
      case "next":
        this.takePlain(sequence, clock.nowMs());
        return ack.kind === "next" ? { next: ack.request } : null;
      case "term":
        if (isPending && this.leave(sequence, ack.reason, reply)) return "later";
        if (isPending) this.terminated(sequence, ack.reason);
        this.settle(sequence);
        return null;
      case "nak":
        if (isPending) this.refuse(sequence, ack.delayMs);
        return null;
      case "progress":
        if (isPending) this.host.journal.note(ConsumerState.later(sequence, clock.nowMs()));
        return null;
      case "unknown":
        return null;
    }
  }

  /** Most acknowledgements say no more than that. */
  takePlain(sequence: number, nowMs: number): void {
    this.measure(sequence);
    this.ackedMs = nowMs;
    this.settleUpTo(sequence, nowMs);
  }

  settle(sequence: number, nowMs = this.host.clock.nowMs()): void {
    const { host } = this;
    if (!host.state.pending.has(sequence)) return;
    host.again.remove(sequence);
    host.journal.acked(sequence, nowMs);
    host.stream.settled(sequence);
  }

  /** Tells whoever listens that the message is not delivered again. */
  terminated(sequence: number, reason: string): void {
    const more = reason === "" ? {} : { reason };
    this.advise("CONSUMER.MSG_TERMINATED", "terminated", sequence, more);
  }

  /** True: the message is given up once its dead letter is kept. */
  private leave(sequence: number, reason: string, reply: string): boolean {
    const letters = this.host.deadLetters();
    letters?.terminate(sequence, reason, reply);
    return letters !== null;
  }

  /** True: the message was delivered as often as it may be, and is not again. It stays in the stream. */
  isGivenUp(sequence: number): boolean {
    const { state, clock } = this.host;
    const letters = this.host.deadLetters();
    if (letters !== null) return letters.takes(sequence);
    const { maxDeliver } = this.host.config();
    const count = state.pending.get(sequence)?.count ?? 0;
    if (maxDeliver <= 0 || count < maxDeliver) return false;
    this.exhausted(sequence);
    this.host.journal.note(ConsumerState.giveUp(sequence, clock.nowMs()));
    return true;
  }

  /** Tells whoever listens that the message was delivered as often as it may be. */
  exhausted(sequence: number): void {
    const { state, advise, about } = this.host;
    const deliveries = state.pending.get(sequence)?.count ?? 0;
    advise("CONSUMER.MAX_DELIVERIES", "max_deliver", about, { streamSeq: sequence, deliveries });
  }

  private measure(sequence: number): void {
    const { sampleFrequency, ackPolicy } = this.host.config();
    if (sampleFrequency === "") return;
    const pending = this.host.state.pending.get(sequence);
    if (ackPolicy === "explicit" && pending !== undefined) this.host.measure(sequence, pending);
  }

  /** With the policies `all` and `flow_control` everything before it, too. */
  settleUpTo(sequence: number, nowMs: number): void {
    const { state } = this.host;
    const { ackPolicy } = this.host.config();
    if (ackPolicy !== "all" && ackPolicy !== "flow_control") {
      this.settle(sequence, nowMs);
      return;
    }
    const { pending } = state;
    if (pending.size === 0 || pending.sequenceAt(pending.first) > sequence) return;
    const { stream, journal } = this.host;
    const settled = stream.config.retention === "limits" ? NONE : pending.upTo(sequence);
    journal.acked(sequence, nowMs);
    stream.removals.settleAll(settled);
  }

  private refuse(sequence: number, delayMs: number): void {
    const { state, again, clock } = this.host;
    this.advise("CONSUMER.MSG_NAKED", "nak", sequence, {});
    if (delayMs === 0) {
      again.add(sequence);
      return;
    }
    again.remove(sequence);
    const count = state.pending.get(sequence)?.count ?? 1;
    this.host.journal.note(ConsumerState.later(sequence, clock.nowMs() + delayMs - again.waitMs(count)));
  }

  private advise(subject: string, type: string, sequence: number, more: Record<string, unknown>): void {
    const { state, advise, about } = this.host;
    const pending = state.pending.get(sequence);
    if (pending === undefined) return;
    const { consumerSequence, count } = pending;
    const fields = { consumerSeq: consumerSequence, streamSeq: sequence, deliveries: count, ...more };
    advise(subject, type, about, fields);
  }
}
