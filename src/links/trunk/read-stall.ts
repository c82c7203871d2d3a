/**
 * Slows down a reader whose messages pile up in front of slower connections: reading stops until all of those have room
 * again, or for as long as they are worth it, whichever comes first. How long that is goes by what the reads have brought, so
 * that who sends little waits little, and ends with the patience that each of those connections has (`patience.ts`).
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
