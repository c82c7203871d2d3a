/**
 * Carries out what a consumer decides on its state, and has it written. Deliveries and acknowledgements of messages that follow each
 * other become one entry for all of them: most turns write one or two entries, however many messages there were.
 *
 * Open entries have not been written: `settle` comes before the log is flushed.
 */
import type { ConsumerEntry } from "../../store/consumer-entries.ts";
import type { EntryLog } from "../../store/consumer-log.ts";
import { ConsumerState } from "./state.ts";

const NONE = 0;
const DELIVERIES = 1;
const ACKS = 2;

export class Journal {
  private readonly state: ConsumerState;
  readonly log: EntryLog;
  /** What follows each other; NONE: nothing is open. */
  private open = NONE;
  private from = 0;
  private fromConsumer = 0;
  private count = 0;
  private timeMs = 0;

  constructor(state: ConsumerState, log: EntryLog) {
    this.state = state;
    this.log = log;
  }

  delivered(sequence: number, consumerSequence: number, count: number, timeMs: number): void {
    if (count > 1) {
      this.note(ConsumerState.delivery(sequence, consumerSequence, count, timeMs));
      return;
    }
    this.state.deliver(sequence, consumerSequence, timeMs);
    if (this.log.isInMemory) return;
    if (
      this.open === DELIVERIES &&
      sequence === this.from + this.count &&
      consumerSequence === this.fromConsumer + this.count &&
      timeMs === this.timeMs
    ) {
      this.count++;
      return;
    }
    this.begin(DELIVERIES, sequence, timeMs);
    this.fromConsumer = consumerSequence;
  }

  acked(sequence: number, timeMs: number): void {
    this.state.settle(sequence);
    if (this.log.isInMemory) return;
    if (this.open === ACKS && sequence === this.from + this.count) this.count++;
    else this.begin(ACKS, sequence, timeMs);
  }

  /** Anything else. */
  note(entry: ConsumerEntry): void {
    this.settle();
    this.state.apply(entry);
    this.log.append(entry);
  }

  /** Hands what is open to the log. */
  settle(): void {
    const { open, from, fromConsumer, count, timeMs } = this;
    if (open === NONE) return;
    this.open = NONE;
    this.log.append(
      open === DELIVERIES
        ? ConsumerState.deliveries(from, fromConsumer, count, timeMs)
        : ConsumerState.acks(from, count, timeMs),
    );
  }

  /** Replaces what was written by the state as it is now. */
  fold(): void {
    this.open = NONE;
    this.log.fold();
  }

  private begin(what: number, sequence: number, timeMs: number): void {
    this.settle();
    this.open = what;
    this.from = sequence;
    this.count = 1;
    this.timeMs = timeMs;
  }
}
