/** Which messages are to be delivered again: those refused, and those not acknowledged in time. In the order of the stream. */
import type { ConsumerConfig } from "./config.ts";
import type { ConsumerState } from "./state.ts";

/** Messages that one look goes through. */
const LOOKED_AT_ONCE = 1024;

export class Redelivery {
  private readonly state: ConsumerState;
  private config: ConsumerConfig;
  /** `removeWhere` has seen what is due below this sequence. */
  private seenTo = 0;

  constructor(state: ConsumerState, config: ConsumerConfig) {
    this.state = state;
    this.config = config;
    this.configure(config);
  }

  configure(config: ConsumerConfig): void {
    this.config = config;
    this.state.pending.setWaits((count) => this.waitMs(count));
  }

  get size(): number {
    return this.state.pending.dueCount;
  }

  /** At once. */
  add(sequence: number): void {
    const { pending } = this.state;
    const place = pending.find(sequence);
    if (place < 0) return;
    pending.markDue(place);
    this.seenTo = Math.min(this.seenTo, sequence);
  }

  remove(sequence: number): void {
    const { pending } = this.state;
    if (pending.dueCount === 0) return;
    const place = pending.find(sequence);
    if (place >= 0) pending.clearDue(place);
  }

  /**
   * Removes those of which `isTaken` says so. They may be handed to `remove` meanwhile. "more": there are others, which the next call
   * goes through.
   */
  removeWhere(isTaken: (sequence: number) => boolean): "done" | "more" {
    const { pending } = this.state;
    let left = LOOKED_AT_ONCE;
    const from = this.seenTo === 0 ? 0 : pending.placeFrom(this.seenTo);
    for (let at = pending.nextDue(from); at >= 0; at = pending.nextDue(at + 1)) {
      const sequence = pending.sequenceAt(at);
      this.seenTo = sequence;
      if (left-- === 0) return "more";
      if (isTaken(sequence)) this.remove(sequence);
    }
    this.seenTo = Infinity;
    return "done";
  }

  clear(): void {
    this.seenTo = 0;
  }

  /** The lowest sequence that is due; it is due no longer. 0: there is none. */
  take(): number {
    const { pending } = this.state;
    const place = pending.nextDue();
    if (place < 0) return 0;
    pending.clearDue(place);
    return pending.sequenceAt(place);
  }

  /** Notes what was not acknowledged in time. */
  collect(nowMs: number): void {
    if (this.isNever) return;
    const { pending } = this.state;
    const before = pending.dueCount;
    pending.collectDue(nowMs);
    if (pending.dueCount > before) this.seenTo = 0;
  }

  /** When the next message will be due; Infinity: none will. */
  get nextMs(): number {
    return this.isNever ? Infinity : this.state.pending.nextDueMs;
  }

  private get isNever(): boolean {
    return this.config.ackPolicy === "none" || this.config.ackPolicy === "flow_control";
  }

  /** How long the acknowledgement of a message that was delivered so often may take. */
  waitMs(count: number): number {
    const { backoffNs, ackWaitNs } = this.config;
    return (backoffNs[Math.min(count, backoffNs.length) - 1] ?? ackWaitNs) / 1e6;
  }
}
