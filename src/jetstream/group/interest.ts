/**
 * Retention by interest in a replicated stream: a message goes once no consumer needs it, by what the groups of the consumers have agreed
 * on. The leader of the stream finds that out, since a copy of each consumer is on its server, and its group agrees on the removal.
 *
 *     a consumer's group agrees on an acknowledgement ─▶ its copies ─▶ where the stream is led: does any other need it? ─▶ propose to remove
 *
 * Invariant: where this server may not know of a consumer, or has no copy of it, everything is needed.
 */
import type { Stream } from "../stream/stream.ts";

/** The consumers of a stream that there are, by what was agreed on. */
export interface StreamInterest {
  /** Whether this server knows of all of them. */
  readonly isKnown: boolean;
  /** One of them has yet to deliver the message, or waits for its acknowledgement. */
  needs(sequence: number, subject: string): boolean;
  /** One of them gets messages on the subject. */
  takes(subject: string): boolean;
  /** It is one of them. */
  has(consumer: string): boolean;
}

/** What could not be told is looked at again after this time. */
const AGAIN_MS = 1000;

export interface InterestKeeperOptions {
  readonly stream: Stream;
  readonly interest: StreamInterest;
  /** Proposes to remove a message. */
  readonly remove: (sequence: number) => void;
}

export class InterestKeeper {
  private readonly options: InterestKeeperOptions;
  private timer: Disposable | null = null;

  constructor(options: InterestKeeperOptions) {
    this.options = options;
  }

  get isOn(): boolean {
    return this.options.stream.config.retention === "interest";
  }

  /** Whether a message that is about to be stored is kept. */
  wants(subject: string): boolean {
    const { interest } = this.options;
    return !this.isOn || !interest.isKnown || interest.takes(subject);
  }

  /** A consumer needs the message no longer, or may not. */
  settled(sequence: number): void {
    const { stream, interest, remove } = this.options;
    const { store } = stream;
    if (!stream.serves) return; // the leader finds out by itself
    // a consumer may be led by a server that was told earlier what is agreed on
    if (!interest.isKnown || sequence > store.last) this.lookAgain();
    else if (store.has(sequence) && !interest.needs(sequence, store.subjectOf(sequence))) remove(sequence);
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  private lookAgain(): void {
    const { stream } = this.options;
    this.timer ??= stream.host.clock.setTimer(AGAIN_MS, () => {
      this.timer = null;
      stream.removals.dropUnwanted();
    });
  }
}
