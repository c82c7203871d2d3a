/**
 * Messages of a work queue that a consumer of this server needs no longer, until they are gone here. Whoever leads the stream is told, and
 * what it is told may be lost with its leadership or on the way: so what is still there after a while is told again.
 *
 * Bounded by OPEN_MAX. What comes beyond that is told once, and the next leader of the consumer finds out whether it went.
 */
import type { Stream } from "../stream/stream.ts";

const OPEN_MAX = 1 << 18;
const AGAIN_MS = 2000;

export class OpenRemovals {
  private readonly stream: Stream;
  private readonly tell: (sequence: number) => void;
  /** When each was told, milliseconds. */
  private readonly open = new Map<number, number>();
  private timer: Disposable | null = null;

  constructor(stream: Stream, tell: (sequence: number) => void) {
    this.stream = stream;
    this.tell = tell;
  }

  add(sequence: number): void {
    if (this.open.size < OPEN_MAX) this.open.set(sequence, this.stream.host.clock.nowMs());
    this.timer ??= this.later();
    this.tell(sequence);
  }

  stop(): void {
    this.open.clear();
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  private later(): Disposable {
    return this.stream.host.clock.setTimer(AGAIN_MS, () => {
      this.timer = null;
      this.lookAgain();
      if (this.open.size > 0) this.timer = this.later();
    });
  }

  private lookAgain(): void {
    const { store, host } = this.stream;
    const nowMs = host.clock.nowMs();
    for (const [sequence, toldMs] of this.open) {
      if (!store.has(sequence)) this.open.delete(sequence);
      else if (nowMs - toldMs >= AGAIN_MS) {
        this.open.set(sequence, nowMs);
        this.tell(sequence);
      }
    }
  }
}
