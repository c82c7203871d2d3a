/**
 * Which message a consumer delivers next: the lowest that is due again, then the next that lies ahead, as far as the stream has
 * committed. Nothing new is chosen while as many messages as allowed wait for their acknowledgement.
 */
import { assert } from "../../base/assert.ts";
import type { Acks } from "./acks.ts";
import type { ConsumerConfig } from "./config.ts";
import type { Lookahead } from "./lookahead.ts";
import type { Redelivery } from "./redelivery.ts";
import type { ConsumerState } from "./state.ts";

export interface ChoiceOptions {
  readonly state: ConsumerState;
  readonly again: Redelivery;
  readonly ahead: Lookahead;
  readonly acks: Acks;
  readonly config: () => ConsumerConfig;
  /** Sequence up to which the stream has committed. */
  readonly committedTo: number;
  /** Nothing up to this sequence of the stream is for the consumer. */
  readonly passed: (sequence: number) => void;
}

export class Choice {
  private readonly options: ChoiceOptions;
  private committedTo: number;
  /** Nothing was found in what was looked at last, and there is more. */
  isLooking = false;

  constructor(options: ChoiceOptions) {
    this.options = options;
    this.committedTo = options.committedTo;
  }

  committed(sequence: number): void {
    assert(sequence >= this.committedTo, "a stream commits in the order of its sequences");
    this.committedTo = sequence;
  }

  /** 0: there is none now. */
  next(): number {
    const { again, acks, ahead, passed } = this.options;
    for (let sequence = again.take(); sequence !== 0; sequence = again.take()) {
      if (!acks.isGivenUp(sequence)) return sequence;
    }
    if (this.isFull) return 0;
    const next = ahead.next(this.committedTo);
    this.isLooking = next < 0;
    if (next < 0) {
      passed(-next);
      return 0;
    }
    if (next === 0 && ahead.isPast(this.committedTo)) passed(this.committedTo);
    assert(next <= this.committedTo, "only committed messages are delivered");
    return next;
  }

  /** As many messages as allowed wait for their acknowledgement. */
  get isFull(): boolean {
    const { maxAckPending } = this.options.config();
    return maxAckPending > 0 && this.options.state.pending.size >= maxAckPending;
  }

  /** Messages that could be delivered to a request that waits: those ahead, and one that is due again. */
  get waiting(): number {
    return this.options.ahead.count + Math.min(1, this.options.again.size);
  }

  /** There is nothing to deliver. Where messages wait for acknowledgements of others, there is. */
  get isEmpty(): boolean {
    return this.options.again.size === 0 && this.options.ahead.count === 0;
  }
}
