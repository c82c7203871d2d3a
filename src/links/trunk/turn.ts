/**
 * The turn: everything that one read of one connection causes. At its end every outbox that was written to is flushed once. The turn also
 * watches outboxes with writes in progress: a connection whose peer misses the write deadline is closed, and when the slab runs out, so
 * is the connection that holds most of it.
 */
import { assert, halfChanged } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { Chores, type NextRound } from "../../base/chores.ts";
import { Work } from "../../base/work.ts";
import { takeChunk } from "../../slab/chunks.ts";
import type { Outbox, OutboxTurn } from "./outbox.ts";

const SWEEP_MS = 250;
/** Entries of the list of written outboxes that may stay between turns. */
const DIRTY_KEPT = 64;
const NONE: readonly Outbox[] = [];

export class Turn implements OutboxTurn {
  /** Deferred work, such as the removal of closed connections' subscriptions. */
  readonly chores: Chores;
  /** The work that messages have caused in this round. */
  readonly work: Work;
  private readonly dirty: Outbox[] = [];
  private readonly congested: Outbox[] = [];
  private dirtyCount = 0;
  private deferred: (() => void)[] = [];
  private readonly writing = new Set<Outbox>();
  private readonly clock: Clock;
  private sweep: Disposable | null = null;
  private isScheduled = false;
  private depth = 0;
  private readonly flushSoon = (): void => {
    this.isScheduled = false;
    this.flush();
  };

  constructor(clock: Clock, nextRound: NextRound = setImmediate) {
    this.clock = clock;
    const nowMs = (): number => clock.nowMs();
    this.chores = new Chores(nextRound, nowMs);
    this.work = new Work(nextRound, nowMs);
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  /** A read begins: what is written from here on goes out at `leave`. */
  enter(): void {
    this.depth++;
  }

  /**
   * The read is done: flushes. Returns the outboxes that it wrote to and that hold more than is good: their readers are
   * slower than their publishers.
   */
  leave(): readonly Outbox[] {
    if (--this.depth > 0 || (this.dirtyCount === 0 && this.deferred.length === 0)) return NONE;
    return this.flush();
  }

  /** Calls `work` once, before the outboxes of this turn are flushed: no message is being delivered then. */
  defer(work: () => void): void {
    this.deferred.push(work);
    this.scheduleFlush();
  }

  touch(outbox: Outbox): void {
    outbox.isDirty = true;
    this.dirty[this.dirtyCount++] = outbox;
    this.scheduleFlush();
  }

  private scheduleFlush(): void {
    if (this.depth > 0 || this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(this.flushSoon);
  }

  /** Returns the congested outboxes; the next flush replaces the list. */
  private flush(): readonly Outbox[] {
    if (this.deferred.length > 0) this.workOff();
    return this.flushOutboxes();
  }

  private flushOutboxes(): readonly Outbox[] {
    const { congested } = this;
    congested.length = 0;
    for (let i = 0; i < this.dirtyCount; i++) {
      const outbox = this.dirty[i]!;
      outbox.isDirty = false;
      outbox.flush();
      if (!outbox.isCongested) continue;
      outbox.weigh();
      congested.push(outbox);
    }
    assert(this.depth >= 0, "a turn ends once");
    this.dirtyCount = 0;
    if (this.dirty.length > DIRTY_KEPT) this.dirty.length = DIRTY_KEPT;
    return congested;
  }

  /** Does the deferred work, and what that defers. It changes state that connections share, so a fault in it is not this connection's. */
  private workOff(): void {
    try {
      this.depth++;
      while (this.deferred.length > 0) {
        const works = this.deferred;
        this.deferred = [];
        for (const work of works) work();
      }
      this.depth--;
    } catch (error) {
      throw halfChanged(error);
    }
  }

  watch(outbox: Outbox): void {
    this.writing.add(outbox);
    this.sweep ??= this.clock.setTimer(SWEEP_MS, () => this.cutLate());
  }

  unwatch(outbox: Outbox): void {
    this.writing.delete(outbox);
    if (this.writing.size > 0 || this.sweep === null) return;
    this.sweep[Symbol.dispose]();
    this.sweep = null;
  }

  /**
   * The slab is used up: writes what the turn has brought so far, since a message may go to more connections than there are
   * chunks; then cuts the connections that hold most until a chunk is free. 0: there is none.
   */
  relieve(): number {
    this.flushOutboxes(); // a message is being delivered: what was put off has to wait
    const freed = takeChunk();
    if (freed !== 0) return freed;
    for (;;) {
      let largest: Outbox | null = null;
      for (const outbox of this.writing) {
        if (largest === null || outbox.pendingBytes > largest.pendingBytes) largest = outbox;
      }
      if (largest === null) return 0;
      largest.slow("memory");
      this.writing.delete(largest);
      const chunk = takeChunk();
      if (chunk !== 0) return chunk;
    }
  }

  private cutLate(): void {
    this.sweep = this.clock.setTimer(SWEEP_MS, () => this.cutLate());
    const now = this.clock.nowMs();
    for (const outbox of [...this.writing]) {
      const { writeDeadlineMs } = outbox.limits.current;
      if (outbox.dueSinceMs !== 0 && now - outbox.dueSinceMs > writeDeadlineMs) outbox.slow("deadline");
    }
  }
}
