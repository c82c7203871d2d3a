/**
 * Messages whose time is over, as the leader of a replicated stream has found: proposed for removal at the end of the turn, those that follow
 * each other together. Bounded by what one turn expires.
 */
import type { Stream } from "../stream/stream.ts";
import { encodeExpired, type DeleteOperation } from "./operations.ts";

/** Returns how many of them there were. */
export function removeAll(stream: Stream, { sequence, count, how }: DeleteOperation): number {
  const { store } = stream;
  const to = sequence + count - 1;
  let gone = 0;
  for (let at = store.next(sequence, null, to); at !== 0; at = store.next(at + 1, null, to))
    if (stream.remove(at, how)) gone++;
  return gone;
}

export class ExpiredRuns {
  private readonly stream: Stream;
  private readonly propose: (operation: Uint8Array) => void;
  private first = 0;
  private last = 0;

  constructor(stream: Stream, propose: (operation: Uint8Array) => void) {
    this.stream = stream;
    this.propose = propose;
  }

  add(sequence: number): void {
    const { store, host } = this.stream;
    if (this.last !== 0 && sequence > this.last && store.next(this.last + 1, null, sequence) === sequence) {
      this.last = sequence;
      return;
    }
    this.flush();
    this.first = this.last = sequence;
    host.afterwards(() => this.flush());
  }

  /** The leadership is over. */
  clear(): void {
    this.first = this.last = 0;
  }

  private flush(): void {
    const { first, last, stream } = this;
    this.clear();
    if (first > 0) this.propose(encodeExpired(stream.config.name, first, last - first + 1));
  }
}
