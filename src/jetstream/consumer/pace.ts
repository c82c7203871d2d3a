/**
 * How fast a consumer delivers: a rate in bits a second, and the pace at which messages were published (replay policy "original"), for
 * those that were there when the consumer began.
 */
import type { Clock } from "../../base/clock.ts";
import type { ConsumerConfig } from "./config.ts";

/** As nats-server does, waits of a millisecond are not kept. */
const SHORTEST_MS = 1;

/** A message; its time is made a number only where that is needed. */
interface Timed {
  readonly timeNs: bigint;
}

export class Pace {
  private readonly clock: Clock;
  private bytesPerMs = 0;
  /** Bytes that may be sent at once. */
  private burst = 0;
  private left = 0;
  private countedMs = 0;
  /** Up to this message the original pace is kept; 0: it is not. */
  private readonly replayTo: number;
  private lastTimeNs = 0n;
  private lastSentMs = 0;
  /** Before this time the message that was looked at last is not delivered. */
  private replayMs = 0;

  /** `lastSequence`: of the stream, now. */
  constructor(clock: Clock, config: ConsumerConfig, lastSequence: number, burst: number) {
    this.clock = clock;
    this.replayTo = config.replayPolicy === "original" ? lastSequence : 0;
    this.configure(config, burst);
  }

  /** `burst`: bytes of the largest message. */
  configure({ rateLimitBps }: ConsumerConfig, burst: number): void {
    const isNew = this.bytesPerMs === 0;
    this.count();
    this.bytesPerMs = rateLimitBps / 8 / 1000;
    this.burst = burst;
    this.left = isNew ? burst : Math.min(this.left, burst);
    this.countedMs = this.clock.nowMs();
  }

  /** When it may deliver again; 0: now. */
  get readyMs(): number {
    if (this.bytesPerMs === 0 && this.replayMs === 0) return 0;
    const nowMs = this.clock.nowMs();
    this.count();
    const rateMs = this.bytesPerMs > 0 && this.left < 0 ? nowMs - this.left / this.bytesPerMs : 0;
    const readyMs = Math.max(rateMs, this.replayMs);
    return readyMs > nowMs ? readyMs : 0;
  }

  /** False: its time has not come; `readyMs` says when it does. */
  isDue(sequence: number, message: Timed): boolean {
    if (sequence > this.replayTo || this.lastTimeNs === 0n) return true;
    const waitMs = Number(message.timeNs - this.lastTimeNs) / 1e6;
    this.replayMs = waitMs > SHORTEST_MS ? this.lastSentMs + waitMs : 0;
    return this.replayMs <= this.clock.nowMs();
  }

  delivered(bytes: number, message: Timed): void {
    this.left -= bytes;
    if (this.replayTo === 0) return;
    this.lastTimeNs = message.timeNs;
    this.lastSentMs = this.clock.nowMs();
  }

  private count(): void {
    if (this.bytesPerMs === 0) return;
    const nowMs = this.clock.nowMs();
    this.left = Math.min(this.burst, this.left + (nowMs - this.countedMs) * this.bytesPerMs);
    this.countedMs = nowMs;
  }
}
