/**
 * Slows down a connection whose messages pile up for slower connections: it is not read from until all of those have room again, or until
 * a time is over. That time is proportional to what was read, so a small message causes a short wait, and it is limited by the patience with
 * each of the slower connections (`patience.ts`).
 */
import type { Clock } from "../../base/clock.ts";
import type { Wire } from "../../transport/wire.ts";
import type { Outbox } from "./outbox.ts";

/** Shorter waits add up until they are worth a timer. */
const STALL_MIN_MS = 1;

export class ReadStall implements Disposable {
  /** Congested outboxes of the current stall. An outbox of an earlier stall may report as well and end this one early. */
  private awaited = 0;
  /** What the reads since the last stall are worth. */
  private owedMs = 0;
  private readonly drained = (): void => {
    if (this.timer !== null && --this.awaited === 0) this.finish();
  };
  private timer: Disposable | null = null;
  private readonly wire: Wire;
  private readonly clock: Clock;

  constructor(wire: Wire, clock: Clock) {
    this.wire = wire;
    this.clock = clock;
  }

  /** Returns whether it begins: the wire has to pause. */
  begin(congested: readonly Outbox[]): boolean {
    let worthMs = 0;
    for (const outbox of congested) worthMs = Math.max(worthMs, outbox.stallWorthMs);
    this.owedMs += worthMs;
    if (this.owedMs < STALL_MIN_MS) return false;
    let stallMs = 0;
    for (const outbox of congested) stallMs = Math.max(stallMs, outbox.grantStall(this.owedMs));
    this.owedMs = 0;
    if (stallMs < STALL_MIN_MS) return false;
    this.awaited = congested.length;
    for (const outbox of congested) outbox.onceDrained(this.drained);
    this.timer?.[Symbol.dispose]();
    this.timer = this.clock.setTimer(stallMs, () => this.finish());
    return true;
  }

  [Symbol.dispose](): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  private finish(): void {
    this[Symbol.dispose]();
    this.wire.resume();
  }
}
