/**
 * The subject where a delivered message is acknowledged, written as bytes: one object for each consumer, set for one message after the
 * other.
 *
 *     $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>
 */
import { bytes, copyIn, digitsOf, writeNumber } from "../../slab/memory.ts";

const DOT = 0x2e;
const DIGIT_0 = 0x30;
/** Digits of the numbers, with the dots between them. */
const REST_MAX = 16 + 16 + 16 + 20 + 16 + 4;
const NS_PER_S = 1_000_000_000;
const NS_DIGITS = 9;
const TWO_32 = 2 ** 32;

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
  private seconds = 0;
  private nanoseconds = 0;
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
    this.setTime(delivery.timeHigh, delivery.timeLow);
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
    const { prefix, deliveries, sequence, consumerSequence, seconds, nanoseconds, pending } = this;
    const time = BigInt(seconds) * BigInt(NS_PER_S) + BigInt(nanoseconds);
    return `${prefix}${deliveries}.${sequence}.${consumerSequence}.${time}.${pending}`;
  }

  /** The quotient may be wrong by one, since a double does not hold all digits; the remainder, taken in 32 bits, says so. */
  private setTime(high: number, low: number): void {
    let seconds = Math.floor((high * TWO_32 + low) / NS_PER_S);
    let nanoseconds = (low - Math.imul(seconds, NS_PER_S)) >>> 0;
    if (nanoseconds >= TWO_32 - NS_PER_S) {
      seconds--;
      nanoseconds = (nanoseconds + NS_PER_S) >>> 0;
    } else if (nanoseconds >= NS_PER_S) {
      seconds++;
      nanoseconds -= NS_PER_S;
    }
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
  }

  private get timeLength(): number {
    return this.seconds === 0 ? digitsOf(this.nanoseconds) : digitsOf(this.seconds) + NS_DIGITS;
  }

  private writeTime(at: number): number {
    if (this.seconds === 0) return writeNumber(at, this.nanoseconds);
    const from = writeNumber(at, this.seconds);
    const end = from + NS_DIGITS;
    let rest = this.nanoseconds;
    for (let i = end - 1; i >= from; i--) {
      const next = (rest / 10) | 0;
      bytes[i] = DIGIT_0 + (rest - next * 10);
      rest = next;
    }
    return end;
  }
}
