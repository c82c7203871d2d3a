/**
 * Publishes what schedules ask for when they are due. Some in a turn, so that others have theirs. In a replicated stream the leader does,
 * and a schedule goes on once what it has published is agreed on.
 */
import type { Clock } from "../../base/clock.ts";
import { TIMER_MAX_MS } from "../../base/duration.ts";
import type { StreamStore } from "../../store/stream-store.ts";
import { messageOf } from "./schedule.ts";
import type { TimedMessages } from "./timed.ts";

export interface SchedulerHost {
  readonly store: StreamStore;
  readonly timed: TimedMessages;
  readonly clock: Clock;
  /** False: another server publishes. */
  decides(): boolean;
  /** Stores a message. False: it was refused. */
  publish(message: {
    readonly subject: string;
    readonly headers: string;
    readonly payload: Uint8Array;
  }): boolean;
}

const PER_TURN = 256;
/** A message that was refused is tried again after this time. */
const RETRY_MS = 5000;

export class Scheduler {
  private readonly host: SchedulerHost;
  private timer: Disposable | null = null;
  private timerMs = Infinity;
  /** Schedules whose message is not agreed on yet: by subject, when they were due. */
  private readonly fired = new Map<string, number>();

  constructor(host: SchedulerHost) {
    this.host = host;
  }

  /** Something may be due earlier than was known. */
  follow(): void {
    const { clock, timed } = this.host;
    const { nextMs } = timed.schedules;
    if (!this.host.decides() || nextMs >= this.timerMs) return;
    this.timer?.[Symbol.dispose]();
    this.timerMs = nextMs;
    const waitMs = Math.min(TIMER_MAX_MS, Math.max(0, Math.ceil(nextMs - clock.nowMs())));
    this.timer = clock.setTimer(waitMs, () => this.run());
  }

  /** It publishes from here on, what was due before included. */
  begin(): void {
    this.host.timed.gatherSchedules();
    this.follow();
  }

  /** It does not any more, or has ended. */
  yield(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
    this.timerMs = Infinity;
    this.fired.clear();
  }

  private run(): void {
    const { clock, timed } = this.host;
    for (const [subject, atMs] of this.fired)
      if (timed.scheduleTimeOf(subject) !== atMs) this.fired.delete(subject);
    for (let i = 0; i < PER_TURN; i++) {
      const due = timed.schedules.take(clock.nowMs());
      if (due === null) break;
      this.fire(due.sequence, due.atMs);
    }
    this.timer = null;
    this.timerMs = Infinity;
    this.follow();
  }

  private fire(sequence: number, atMs: number): void {
    const { store, timed, clock } = this.host;
    if (!store.has(sequence)) return;
    const subject = store.subjectOf(sequence);
    if (timed.scheduleOn(subject, sequence)?.atMs !== atMs) return; // it was set to another time, or ended
    if (this.fired.get(subject) === atMs) return;
    const view = store.read(sequence);
    if (view === null) return;
    const message = messageOf(view, atMs, clock.nowMs(), (of) => {
      const last = store.lastOf(of);
      return last === 0 ? null : store.read(last);
    });
    if (message === null) timed.endSchedule(subject);
    else if (!this.host.publish(message)) timed.postpone(subject, clock.nowMs() + RETRY_MS);
    else if (timed.scheduleTimeOf(subject) === atMs) this.fired.set(subject, atMs);
  }
}
