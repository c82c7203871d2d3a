/**
 * Slows down a reader whose messages pile up in front of slower connections: reading stops until all of those have room
 * again, or for as long as they are worth it (`stallMs`), whichever comes first. A dead subscriber thus costs its
 * publishers a bounded share of their speed until it is cut, and nobody else anything.
 */
import type { Clock } from "../base/clock.ts";
import type { Wire } from "../transport/wire.ts";
import type { Outbox } from "./outbox.ts";

export class ReadStall implements Disposable {
  /** Of the stall under way. An outbox of an earlier one may report as well, and end it before its time. */
  private awaited = 0;
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

  /** Returns false, for the wire to pause. */
  begin(congested: readonly Outbox[]): false {
    this.awaited = congested.length;
    for (const outbox of congested) outbox.onceDrained(this.drained);
    this.timer?.[Symbol.dispose]();
    let stallMs = 0;
    for (const outbox of congested) stallMs = Math.max(stallMs, outbox.stallMs);
    this.timer = this.clock.setTimer(stallMs, () => this.finish());
    return false;
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
