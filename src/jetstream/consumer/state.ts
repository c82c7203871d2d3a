/**
 * What a consumer has delivered and what has been acknowledged: a state machine without time and chance of its own. Every change is
 * an entry, which replicas and a restart apply alike.
 *
 * Invariants: sequences never go back; the floor never passes what was delivered; what is pending lies above the floor.
 */
import { assert } from "../../base/assert.ts";
import type { ConsumerEntry } from "../../store/consumer-entries.ts";
import { PendingMessages, type Pending, type Run } from "./pending.ts";

export const DELIVERED = 1;
export const ACKED = 2;
export const SKIPPED = 3;
const REDELIVERED_LATER = 4;
export const GIVEN_UP = 5;
/** `count` messages that follow each other, in the stream and in what the consumer delivered. */
export const DELIVERED_RUN = 6;
export const ACKED_RUN = 7;
const GONE_UP_TO = 8;

interface Floor {
  consumer: number;
  stream: number;
}

export class ConsumerState {
  readonly delivered: Floor;
  readonly floor: Floor;
  readonly pending = new PendingMessages();
  /** Where it was told to begin ahead of the stream's end: it waits for what comes behind. 0: nowhere. */
  private placed = 0;
  private readonly policy: "none" | "all" | "explicit";

  /** `last`: of the stream. */
  constructor(policy: "none" | "all" | "explicit", startSequence: number, last: number) {
    this.policy = policy;
    this.delivered = { consumer: 0, stream: 0 };
    this.floor = { consumer: 0, stream: 0 };
    this.place(startSequence, last);
  }

  /** Entries for what a consumer decides; `apply` carries them out. */
  static delivery(stream: number, consumer: number, count: number, timeMs: number): ConsumerEntry {
    return { kind: DELIVERED, streamSequence: stream, consumerSequence: consumer, count, timeMs };
  }
  static deliveries(stream: number, consumer: number, count: number, timeMs: number): ConsumerEntry {
    return { kind: DELIVERED_RUN, streamSequence: stream, consumerSequence: consumer, count, timeMs };
  }
  static acks(stream: number, count: number, timeMs: number): ConsumerEntry {
    return { kind: ACKED_RUN, streamSequence: stream, consumerSequence: 0, count, timeMs };
  }
  static ack(stream: number, timeMs: number): ConsumerEntry {
    return { kind: ACKED, streamSequence: stream, consumerSequence: 0, count: 0, timeMs };
  }
  /** Messages up to here are not for this consumer, or gone. */
  static skip(stream: number, timeMs: number): ConsumerEntry {
    return { kind: SKIPPED, streamSequence: stream, consumerSequence: 0, count: 0, timeMs };
  }
  /** It was refused: its time counts from `timeMs`. */
  static later(stream: number, timeMs: number): ConsumerEntry {
    return { kind: REDELIVERED_LATER, streamSequence: stream, consumerSequence: 0, count: 0, timeMs };
  }
  static giveUp(stream: number, timeMs: number): ConsumerEntry {
    return { kind: GIVEN_UP, streamSequence: stream, consumerSequence: 0, count: 0, timeMs };
  }

  /** The stream has no messages up to here any more. */
  static gone(stream: number, timeMs: number): ConsumerEntry {
    return { kind: GONE_UP_TO, streamSequence: stream, consumerSequence: 0, count: 0, timeMs };
  }

  apply(entry: ConsumerEntry): void {
    const { kind, streamSequence, consumerSequence, count, timeMs } = entry;
    if (kind === DELIVERED && count > 1) this.deliverAgain(entry);
    else if (kind === DELIVERED) this.deliver(streamSequence, consumerSequence, timeMs);
    else if (kind === DELIVERED_RUN)
      for (let i = 0; i < count; i++) this.deliver(streamSequence + i, consumerSequence + i, timeMs);
    else if (kind === ACKED) this.settle(streamSequence);
    else if (kind === ACKED_RUN) for (let i = 0; i < count; i++) this.settle(streamSequence + i);
    else if (kind === SKIPPED) this.pass(streamSequence);
    else if (kind === REDELIVERED_LATER) {
      const place = this.pending.find(streamSequence);
      if (place >= 0) this.pending.setTime(place, timeMs);
    } else if (kind === GIVEN_UP) this.drop(streamSequence);
    else if (kind === GONE_UP_TO && this.pending.removeUpTo(streamSequence) > 0) this.raiseFloor();
    assert(this.floor.stream <= this.delivered.stream, "the floor never passes what was delivered");
    assert(this.floor.consumer <= this.delivered.consumer, "the floor never passes what was delivered");
  }

  /** A message is delivered for the first time. */
  deliver(sequence: number, consumerSequence: number, timeMs: number): void {
    const { delivered, pending, floor } = this;
    delivered.consumer = Math.max(delivered.consumer, consumerSequence);
    if (sequence <= delivered.stream) return; // a replay
    delivered.stream = sequence;
    if (this.policy === "none") {
      floor.stream = sequence;
      floor.consumer = consumerSequence;
    } else pending.add(sequence, consumerSequence, 1, timeMs);
  }

  /** A message is acknowledged; with the policy "all" those before it, too. */
  settle(sequence: number): void {
    if (this.policy !== "all") {
      this.drop(sequence);
      return;
    }
    if (this.pending.removeUpTo(sequence) > 0) this.raiseFloor();
  }

  /** Messages delivered more than once that are not settled: how often, beyond the first. */
  *redelivered(): Generator<[sequence: number, times: number]> {
    if (this.pending.redeliveredCount === 0) return;
    for (const [sequence, { count }] of this.pending) if (count > 1) yield [sequence, count - 1];
  }

  /** It begins again at `sequence`: nothing has been delivered. `last`: of the stream. */
  reset(sequence: number, last: number): void {
    this.pending.clear();
    this.place(sequence, last);
    this.delivered.consumer = this.floor.consumer = 0;
  }

  private place(sequence: number, last: number): void {
    this.delivered.stream = this.floor.stream = sequence - 1;
    this.placed = sequence - 1 > last ? sequence - 1 : 0;
  }

  /** The stream's last sequence is lower than what is said here: after damage. True: something had to be mended. */
  clamp(last: number): boolean {
    let isMended = false;
    for (const sequence of [...this.pending.keys()]) {
      if (sequence <= last) continue;
      isMended = this.pending.delete(sequence);
    }
    const most = Math.max(last, this.placed);
    for (const at of [this.delivered, this.floor]) {
      if (at.stream <= most) continue;
      at.stream = most;
      isMended = true;
    }
    if (isMended) this.raiseFloor();
    return isMended;
  }

  /** A million messages that wait are some thousand runs in most cases. */
  toJson(): string {
    const { delivered, floor, placed, pending } = this;
    return JSON.stringify({ delivered, floor, placed, runs: numbersOf(pending.runs()) });
  }

  /** `pending`: one by one, as earlier versions and backups have them. */
  restore(json: string): void {
    const read = JSON.parse(json) as {
      delivered: Floor;
      floor: Floor;
      placed?: number;
      runs?: number[];
      pending?: [number, Pending][];
    };
    Object.assign(this.delivered, read.delivered);
    Object.assign(this.floor, read.floor);
    this.placed = read.placed ?? this.placed;
    for (const run of runsIn(read.runs ?? [])) this.pending.addRun(run);
    for (const [sequence, { consumerSequence, count, timeMs }] of read.pending ?? [])
      this.pending.add(sequence, consumerSequence, count, timeMs);
  }

  private deliverAgain({ streamSequence, consumerSequence, count, timeMs }: ConsumerEntry): void {
    const { delivered, pending } = this;
    delivered.consumer = Math.max(delivered.consumer, consumerSequence);
    const place = pending.find(streamSequence);
    if (place < 0) return;
    pending.setDelivery(place, count, timeMs);
  }

  private drop(sequence: number): void {
    const { pending } = this;
    const place = pending.find(sequence);
    if (place < 0) return;
    pending.removeAt(place);
    this.raiseFloor();
  }

  private pass(sequence: number): void {
    this.delivered.stream = Math.max(this.delivered.stream, sequence);
    if (this.pending.size === 0) this.raiseFloor();
  }

  private raiseFloor(): void {
    const { floor, delivered, pending } = this;
    if (pending.size === 0) {
      floor.stream = delivered.stream;
      floor.consumer = delivered.consumer;
      return;
    }
    const { first } = pending;
    floor.stream = Math.max(floor.stream, pending.sequenceAt(first) - 1);
    floor.consumer = Math.max(floor.consumer, pending.consumerSequenceAt(first) - 1);
  }
}

/** How many numbers a run takes. */
const RUN_NUMBERS = 5;

/** Each told from where the one before it ends, since small numbers are short, and quick to write. */
function numbersOf(runs: Iterable<Run>): number[] {
  const numbers: number[] = [];
  let [sequenceEnd, consumerEnd, lastMs] = [0, 0, 0];
  for (const { sequence, consumerSequence, count, timeMs, length } of runs) {
    numbers.push(sequence - sequenceEnd, consumerSequence - consumerEnd, count, timeMs - lastMs, length);
    sequenceEnd = sequence + length;
    consumerEnd = consumerSequence + length;
    lastMs = timeMs;
  }
  return numbers;
}

function* runsIn(numbers: readonly number[]): Generator<Run> {
  let [sequenceEnd, consumerEnd, lastMs] = [0, 0, 0];
  for (let at = 0; at + RUN_NUMBERS <= numbers.length; at += RUN_NUMBERS) {
    const [gap, consumerGap, count, laterMs, length] = numbers.slice(at, at + RUN_NUMBERS) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const run = {
      sequence: sequenceEnd + gap,
      consumerSequence: consumerEnd + consumerGap,
      count,
      timeMs: lastMs + laterMs,
      length,
    };
    yield run;
    sequenceEnd = run.sequence + length;
    consumerEnd = run.consumerSequence + length;
    lastMs = run.timeMs;
  }
}
