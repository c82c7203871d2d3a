/** When a push consumer that has nothing to deliver tells its subscriber that it is there. */
import type { Clock } from "../../base/clock.ts";
import type { ConsumerConfig } from "./config.ts";

export class IdleHeartbeat {
  private readonly clock: Clock;
  private activeMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.activeMs = clock.nowMs();
  }

  /** A message was delivered. */
  delivered(nowMs: number): void {
    this.activeMs = nowMs;
  }

  /** When the next heartbeat is due; Infinity: the consumer sends none. */
  dueMs({ deliverSubject, heartbeatNs }: ConsumerConfig): number {
    return deliverSubject !== "" && heartbeatNs > 0 ? this.activeMs + heartbeatNs / 1e6 : Infinity;
  }

  /** Whether a heartbeat is due; the next one is due an interval later. */
  take(config: ConsumerConfig): boolean {
    const nowMs = this.clock.nowMs();
    if (this.dueMs(config) > nowMs) return false;
    this.activeMs = nowMs;
    return true;
  }
}
