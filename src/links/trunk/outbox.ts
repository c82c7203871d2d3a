/**
 * The outbox of a connection: bytes on their way out. Deliveries are copied into a chunk of the slab; at the end of the turn
 * (all that one read brought in) the chunk goes out in one write. While a write is under way, chunks fill up and queue.
 *
 *     reserve -> [chunk being filled] -> queue of full chunks -> in flight -> wire
 *                '---------------- pendingBytes ----------------------'
 *
 * Bounds: `maxPendingBytes`, and the time in which pending bytes must be taken; a connection that exceeds one of them is a slow consumer and is closed. An outbox over
 * CONGESTED_BYTES asks the turn to slow down its publishers, for a bounded time (`patience.ts`).
 */
import { assertOwn } from "../../base/assert.ts";
import type { Live } from "../../base/live.ts";
import { CHUNK_SIZE, releaseChunk, takeChunk } from "../../slab/chunks.ts";
import { slice, writeText } from "../../slab/memory.ts";
import type { Wire } from "../../transport/wire.ts";
import { countMessages } from "./dropped.ts";
import { Patience } from "./patience.ts";

/** Above this, publishers to the outbox wait; below half of it, they continue. */
export const CONGESTED_BYTES = 1024 * 1024;
/** As long as nats-server lets a producer wait for each of its reads. */
const STALL_MS = 10;
/** So much in one read is worth the whole wait, less is worth less: the longest read of nats-server. */
const STALL_BYTES = 64 * 1024;
/** A reader that takes longer for a batch has stopped. */
const MOVING_MS = 250;
const WRITE_BATCH_BYTES = 1024 * 1024;
/** What may wait until a read has brought all its pieces: less than fills a record of TLS. */
const GATHERED_MAX_BYTES = 16 * 1024;
/** What nats-server writes under one deadline at most. */
const DUE_MAX_BYTES = 64 * 1024 * 1024;

/** How readers of one kind are waited for. */
export interface ReaderRules {
  /** How long one read makes its sender wait at most, as long as the reader takes what is written. */
  readonly stallMs: number;
  /** A reader that takes so much does not run out of patience. */
  readonly bytesPerMs: number;
  /** The bytes that must be out within the write deadline: all that was pending when the time began, or each batch. */
  readonly due: "pending" | "batch";
}

/** As nats-server, which writes all that is pending under one deadline. */
export const CLIENT_READER: ReaderRules = {
  stallMs: STALL_MS,
  bytesPerMs: STALL_BYTES / STALL_MS,
  due: "pending",
};
/**
 * To cut a route costs everybody what is on its way: it is waited for longer, since many who publish here bring more than one
 * server over there takes, and not cut as long as it moves, as in nats-server.
 */
export const ROUTE_READER: ReaderRules = { stallMs: 1000, bytesPerMs: 1024, due: "batch" };

export interface OutboxLimits {
  readonly maxPendingBytes: number;
  readonly writeDeadlineMs: number;
}

/** The turn as its outboxes see it. */
export interface OutboxTurn {
  nowMs(): number;
  /** The outbox has something to write when the turn ends. */
  touch(outbox: Outbox): void;
  /** A write is under way, whose time is watched. */
  watch(outbox: Outbox): void;
  unwatch(outbox: Outbox): void;
  /** No chunk is left: makes room. 0: there is none. */
  relieve(): number;
}

export type SlowReason = "pending" | "deadline" | "memory";

interface Piece {
  readonly bytes: Uint8Array;
  /** The chunk to give back; 0 for memory of its own. */
  readonly chunk: number;
}

export class Outbox {
  /** Where the next byte goes, and the end of the room; both 0 when there is no chunk. */
  at = 0;
  end = 0;
  isDirty = false;
  /** Since when a write has been under way; 0: none is. */
  writingSinceMs = 0;
  /** When the time began in which `dueBytes` have to be taken; 0: nothing is due. */
  dueSinceMs = 0;
  private dueBytes = 0;
  private start = 0;
  private queue: Piece[] = [];
  private queuedBytes = 0;
  private inFlight: Piece[] = [];
  private inFlightBytes = 0;
  private closed = false;
  /** Callbacks that wait for the outbox to drain: at most one per connection. */
  private waiting = new Set<() => void>();
  /** Bytes that have been queued, in all; how many of them publishers have waited for; and how many the last turn brought. */
  private queuedEver = 0;
  private weighedEver = 0;
  private freshBytes = 0;
  /** null: no publisher has waited yet. */
  private patience: Patience | null = null;
  private readonly rules: ReaderRules;
  private readonly wire: Wire;
  private readonly turn: OutboxTurn;
  readonly limits: Live<OutboxLimits>;
  private readonly onSlow: (reason: SlowReason, pendingBytes: number) => void;

  constructor(
    wire: Wire,
    turn: OutboxTurn,
    limits: Live<OutboxLimits>,
    onSlow: (reason: SlowReason, pendingBytes: number) => void,
    rules: ReaderRules = CLIENT_READER,
  ) {
    this.rules = rules;
    this.wire = wire;
    this.turn = turn;
    this.limits = limits;
    this.onSlow = onSlow;
  }

  get pendingBytes(): number {
    return this.queuedBytes + this.inFlightBytes + this.at - this.start;
  }

  /** How many messages are pending; above 1 MiB an estimate. For when they are lost: it takes time. */
  pendingMessages(): number {
    const pieces = [...this.inFlight, ...this.queue].map((piece) => piece.bytes);
    return countMessages([...pieces, slice(this.start, this.at - this.start)]);
  }

  /** The turn has flushed it, and it is congested: what is new in it was brought by this turn. */
  weigh(): void {
    const total = this.queuedEver + this.at - this.start;
    this.freshBytes = total - this.weighedEver;
    this.weighedEver = total;
  }

  /** How long the publishers that filled it in this turn should wait, in proportion to what they sent. */
  get stallWorthMs(): number {
    const isMoving = this.writingSinceMs !== 0 && this.turn.nowMs() - this.writingSinceMs < MOVING_MS;
    return (isMoving ? this.rules.stallMs : STALL_MS) * Math.min(1, this.freshBytes / STALL_BYTES);
  }

  /** For how long the reader is waited for, `askedMs` at most; 0: it has had its time. */
  grantStall(askedMs: number): number {
    const nowMs = this.turn.nowMs();
    this.patience ??= new Patience(this.rules.bytesPerMs, nowMs);
    return this.patience.grant(Math.min(askedMs, this.rules.stallMs), nowMs);
  }

  /** As nats-server judges who makes clients wait that send. */
  get isNearlyFull(): boolean {
    return this.pendingBytes > (this.limits.current.maxPendingBytes / 4) * 3;
  }

  get isCongested(): boolean {
    return this.pendingBytes > CONGESTED_BYTES;
  }

  /**
   * Room for `length` bytes, at most CHUNK_SIZE, that lie in the slab from the returned offset; -1 when the connection is
   * gone. The writer sets `at` and calls `touch`.
   */
  reserve(length: number): number {
    if (this.at + length <= this.end) return this.at;
    if (this.closed) return -1;
    this.settle();
    if (this.closed) return -1; // it was a slow consumer
    const chunk = takeChunk() || this.turn.relieve();
    if (chunk === 0 || this.closed) {
      if (chunk !== 0) releaseChunk(chunk);
      this.slow("memory");
      return -1;
    }
    this.start = this.at = chunk;
    this.end = chunk + CHUNK_SIZE;
    return chunk;
  }

  /** Has the turn flush this outbox. */
  touch(): void {
    if (!this.isDirty) this.turn.touch(this);
  }

  /** Writes a byte string of any length. */
  writeText(value: string): void {
    for (let from = 0; from < value.length; from += CHUNK_SIZE) {
      const length = Math.min(CHUNK_SIZE, value.length - from);
      const at = this.reserve(length);
      if (at < 0) return;
      this.at = writeText(at, length === value.length ? value : value.slice(from, from + length));
      this.touch();
    }
  }

  /** Queues bytes that no longer change, without copying them. */
  writeOwned(bytes: Uint8Array): void {
    if (this.closed) return;
    this.settle();
    if (this.closed) return;
    this.queue.push({ bytes, chunk: 0 });
    this.queuedBytes += bytes.length;
    this.queuedEver += bytes.length;
    this.touch();
    this.checkPending();
  }

  /** Writes what there is, unless a write is under way. Called by the turn. */
  flush(): void {
    if (this.closed || this.inFlight.length > 0) return;
    if (this.wire.isGathering === true && this.pendingBytes < GATHERED_MAX_BYTES) return;
    if (this.queue.length === 0) this.flushChunk();
    else this.flushQueue();
  }

  /** The wire's word that the write under way is done. */
  onWritten(): void {
    if (this.closed) return;
    this.writingSinceMs = 0;
    this.releaseInFlight();
    this.flush();
    if (this.inFlight.length === 0) this.turn.unwatch(this);
    if (this.waiting.size > 0 && this.pendingBytes <= CONGESTED_BYTES / 2) this.wake();
  }

  /** `drained` is called once when the outbox has room again, or has closed; once even if it waits already. */
  onceDrained(drained: () => void): void {
    this.waiting.add(drained);
  }

  /**
   * The connection ends, but what was accepted for it still goes out: all of it is handed to the wire, whose memory it is until
   * the wire has closed.
   */
  finish(): void {
    if (this.closed) return;
    this.settleChunk();
    const { queue } = this;
    const isOut = queue.length === 0 || this.wire.writeMany(queue.map((piece) => piece.bytes));
    const wasIdle = this.inFlight.length === 0;
    this.inFlight = [...this.inFlight, ...queue];
    this.queue = [];
    this.queuedBytes = 0;
    // Else `close` takes what is in flight for written.
    if (!isOut || !wasIdle) this.writingSinceMs ||= this.turn.nowMs();
    this.close();
  }

  /** Releases all memory when the connection is gone. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.settleChunk();
    for (const piece of this.queue) if (piece.chunk !== 0) releaseChunk(piece.chunk);
    this.queue = [];
    this.queuedBytes = 0;
    this.turn.unwatch(this);
    this.wake();
    // Pieces in flight belong to the wire until it says that it has closed.
    if (this.writingSinceMs === 0) this.releaseInFlight();
  }

  /** The wire has closed: nothing of ours is in use any more. */
  afterClosed(): void {
    this.close();
    this.releaseInFlight();
  }

  /** Closes the connection, whose reader is too slow. */
  slow(reason: SlowReason): void {
    if (!this.closed) this.onSlow(reason, this.pendingBytes);
  }

  /** The chunk under the pen is full (or must keep its place before what follows): writes it or queues it. */
  private settle(): void {
    if (this.at > this.start && this.inFlight.length === 0) this.flush();
    if (this.at > this.start) {
      this.settleChunk();
      this.checkPending();
    }
  }

  private settleChunk(): void {
    const { start, at } = this;
    assertOwn(at <= this.end, "what is written to a chunk lies within it");
    this.start = this.at = this.end = 0;
    if (at === start) return;
    this.queue.push({ bytes: slice(start, at - start), chunk: start });
    this.queuedBytes += at - start;
    this.queuedEver += at - start;
  }

  private checkPending(): void {
    if (this.pendingBytes > this.limits.current.maxPendingBytes) this.slow("pending");
  }

  /** The ordinary case: one chunk, written at once, back in the pool. */
  private flushChunk(): void {
    const { start, at } = this;
    if (at === start) return;
    assertOwn(at <= this.end, "what is written to a chunk lies within it");
    const bytes = slice(start, at - start);
    this.start = this.at = this.end = 0;
    if (this.wire.write(bytes)) {
      releaseChunk(start);
      return;
    }
    this.inFlight = [{ bytes, chunk: start }];
    this.inFlightBytes = bytes.length;
    this.queuedEver += bytes.length;
    this.awaitWritten();
  }

  private flushQueue(): void {
    this.settleChunk();
    while (this.queue.length > 0) {
      this.takeBatch();
      if (!this.wire.writeMany(this.inFlight.map((piece) => piece.bytes))) {
        this.awaitWritten();
        return;
      }
      this.releaseInFlight();
      if (this.closed) return;
    }
  }

  private awaitWritten(): void {
    this.writingSinceMs = this.turn.nowMs();
    if (this.dueBytes <= 0) {
      this.dueSinceMs = this.writingSinceMs;
      this.dueBytes =
        this.rules.due === "batch" ? this.inFlightBytes : Math.min(this.pendingBytes, DUE_MAX_BYTES);
    }
    this.turn.watch(this);
  }

  private takeBatch(): void {
    let count = 0;
    let length = 0;
    do length += this.queue[count++]!.bytes.length;
    while (count < this.queue.length && length + this.queue[count]!.bytes.length <= WRITE_BATCH_BYTES);
    this.inFlight = count === this.queue.length ? this.queue : this.queue.slice(0, count);
    this.queue = count === this.queue.length ? [] : this.queue.slice(count);
    this.inFlightBytes = length;
    this.queuedBytes -= length;
    assertOwn(this.queuedBytes >= 0, "queued bytes are counted once");
  }

  private releaseInFlight(): void {
    for (const piece of this.inFlight) if (piece.chunk !== 0) releaseChunk(piece.chunk);
    this.patience?.onTaken(this.inFlightBytes);
    this.dueBytes -= this.inFlightBytes;
    if (this.dueBytes <= 0) this.dueSinceMs = 0;
    this.inFlight = [];
    this.inFlightBytes = 0;
  }

  private wake(): void {
    const { waiting } = this;
    this.patience?.onDrained(this.turn.nowMs());
    this.waiting = new Set();
    for (const drained of waiting) drained();
  }
}
