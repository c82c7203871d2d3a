/**
 * The subject where a delivered message is acknowledged, written as bytes: one object for each consumer, set for one message after the
 * other.
 *
 *     $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>
 */
import { SplitTime } from "../../slab/nanoseconds.ts";
import { bytes, copyIn, digitsOf, writeNumber } from "../../slab/memory.ts";

const DOT = 0x2e;
const DIGIT_0 = 0x30;
/** Digits of the numbers, with the dots between them. */
const REST_MAX = 16 + 16 + 16 + 20 + 16 + 4;
const NS_PER_S = 1_000_000_000n;
const NS_DIGITS = 9;

export interface AckedDelivery {
  readonly deliveries: number;
  readonly sequence: number;
  readonly consumerSequence: number;
  /** Nanoseconds since the epoch, in two words. */
  readonly timeLow: number;
  readonly timeHigh: number;
  readonly pending: number;
}

export class AckReply {
  /** Bytes that it takes at most. */
  readonly lengthMax: number;
  private readonly prefix: string;
  private readonly prefixBytes: Uint8Array;
  private readonly prefixView: DataView;
  private deliveries = 0;
  private sequence = 0;
  private consumerSequence = 0;
  private readonly time = new SplitTime();
  private pending = 0;

  /** `names`: `<stream>.<consumer>`. */
  constructor(names: string) {
    this.prefix = `$JS.ACK.${names}.`;
    this.prefixBytes = Buffer.from(this.prefix, "latin1");
    this.prefixView = new DataView(
      this.prefixBytes.buffer,
      this.prefixBytes.byteOffset,
      this.prefixBytes.length,
    );
    this.lengthMax = this.prefix.length + REST_MAX;
  }

  set(delivery: AckedDelivery): void {
    this.deliveries = delivery.deliveries;
    this.sequence = delivery.sequence;
    this.consumerSequence = delivery.consumerSequence;
    this.pending = delivery.pending;
    this.time.set(delivery.timeLow, delivery.timeHigh);
  }

  get length(): number {
    const { prefix, deliveries, sequence, consumerSequence, pending } = this;
    const numbers =
      digitsOf(deliveries) + digitsOf(sequence) + digitsOf(consumerSequence) + digitsOf(pending);
    return prefix.length + numbers + this.timeLength + 4;
  }

  /** Writes it into the slab and returns the offset behind it. */
  write(at: number): number {
    const { prefixBytes, prefixView } = this;
    let end = copyIn(at, prefixBytes, prefixView, 0, prefixBytes.length);
    end = writeNumber(end, this.deliveries);
    bytes[end++] = DOT;
    end = writeNumber(end, this.sequence);
    bytes[end++] = DOT;
    end = writeNumber(end, this.consumerSequence);
    bytes[end++] = DOT;
    end = this.writeTime(end);
    bytes[end++] = DOT;
    return writeNumber(end, this.pending);
  }

  toString(): string {
    const { prefix, deliveries, sequence, consumerSequence, pending } = this;
    const { seconds, nanoseconds } = this.time;
    const time = BigInt(seconds) * NS_PER_S + BigInt(nanoseconds);
    return `${prefix}${deliveries}.${sequence}.${consumerSequence}.${time}.${pending}`;
  }

  private get timeLength(): number {
    return this.time.seconds === 0
      ? digitsOf(this.time.nanoseconds)
      : digitsOf(this.time.seconds) + NS_DIGITS;
  }

  private writeTime(at: number): number {
    const { seconds, nanoseconds } = this.time;
    if (seconds === 0) return writeNumber(at, nanoseconds);
    const from = writeNumber(at, seconds);
    const end = from + NS_DIGITS;
    let rest = nanoseconds;
    for (let i = end - 1; i >= from; i--) {
      const next = (rest / 10) | 0;
      bytes[i] = DIGIT_0 + (rest - next * 10);
      rest = next;
    }
    return end;
  }
}
