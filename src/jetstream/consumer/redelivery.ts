/** Which messages are to be delivered again: those refused, and those not acknowledged in time. In the order of the stream. */
import type { ConsumerConfig } from "./config.ts";
import type { ConsumerState } from "./state.ts";

export class Redelivery {
  config: ConsumerConfig;
  private readonly state: ConsumerState;
  private due: number[] = [];
  private readonly isDue = new Set<number>();
  private isSorted = true;

  constructor(state: ConsumerState, config: ConsumerConfig) {
    this.state = state;
    this.config = config;
  }

  get size(): number {
    return this.isDue.size;
  }

  /** At once. */
  add(sequence: number): void {
    if (this.isDue.has(sequence)) return;
    this.isDue.add(sequence);
    if (this.due.length > 0 && sequence < this.due.at(-1)!) this.isSorted = false;
    this.due.push(sequence);
  }

  remove(sequence: number): void {
    if (this.isDue.size > 0) this.isDue.delete(sequence);
  }

  /** Removes those of which `isTaken` says so. They may be handed to `remove` meanwhile. */
  removeWhere(isTaken: (sequence: number) => boolean): void {
    for (const sequence of [...this.isDue]) if (isTaken(sequence)) this.isDue.delete(sequence);
  }

  clear(): void {
    this.due = [];
    this.isDue.clear();
  }

  /** The lowest sequence that is due and still pending; it is due no longer. 0: there is none. */
  take(): number {
    if (this.due.length === 0) return 0;
    if (!this.isSorted) this.due.sort((a, b) => a - b);
    this.isSorted = true;
    let taken = 0;
    let looked = 0;
    while (taken === 0 && looked < this.due.length) {
      const sequence = this.due[looked++]!;
      if (this.isDue.delete(sequence) && this.state.pending.has(sequence)) taken = sequence;
    }
    this.due = looked === this.due.length ? [] : this.due.slice(looked);
    return taken;
  }

  /** Notes what was not acknowledged in time. */
  collect(nowMs: number): void {
    if (this.isNever) return;
    const { pending, isInOrder } = this.state;
    for (let at = pending.first; at < pending.end; at = pending.after(at)) {
      if (pending.timeAt(at) + this.waitMs(pending.countAt(at)) <= nowMs) this.add(pending.sequenceAt(at));
      else if (isInOrder) return; // none of the others is due
    }
  }

  /** When the next message will be due; Infinity: none will. */
  get nextMs(): number {
    if (this.isNever) return Infinity;
    let nextMs = Infinity;
    const { pending, isInOrder } = this.state;
    for (let at = pending.first; at < pending.end; at = pending.after(at)) {
      if (this.isDue.size > 0 && this.isDue.has(pending.sequenceAt(at))) continue;
      nextMs = Math.min(nextMs, pending.timeAt(at) + this.waitMs(pending.countAt(at)));
      if (isInOrder) break;
    }
    return nextMs;
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
