/**
 * What a stream's messages say about time: those that expire by themselves, and those that are schedules. Known from the messages alone,
 * so that a restart finds it again. Messages that are gone are found out when their time comes. Bounded by the messages that there are.
 */
import type { RecordView } from "../../store/record.ts";
import { Deadlines } from "../deadlines.ts";
import { MessageHeaders } from "../headers.ts";
import type { StreamConfig } from "./config.ts";
import { scheduleOf, type Schedule } from "./schedule.ts";
import { readTtl } from "./ttl.ts";

/** Deadlines beside those of messages that are there, before they are looked through. */
const SLACK = 1024;

interface ScheduleEntry {
  readonly sequence: number;
  readonly atMs: number;
}

export class TimedMessages {
  readonly expiries = new Deadlines();
  readonly schedules = new Deadlines();
  private readonly bySubject = new Map<string, ScheduleEntry>();

  /** A message was stored. `ttlSeconds`: above 0. */
  expires(sequence: number, storedNs: bigint, ttlSeconds: number): void {
    this.expiries.add(sequence, Number(storedNs / 1_000_000n) + ttlSeconds * 1000);
  }

  /** A message was stored on the subject. Without a schedule it ends the one that was there, unless a schedule made it. */
  scheduled(subject: string, sequence: number, schedule: Schedule | null): void {
    if (schedule === null) this.bySubject.delete(subject);
    else if (schedule.kind === "set") this.set(subject, sequence, schedule.atMs);
    else if (schedule.kind === "next") this.postpone(schedule.scheduler, schedule.atMs);
    else this.bySubject.delete(schedule.scheduler);
  }

  /** The schedule on the subject, if this is the message that set it. */
  scheduleOn(subject: string, sequence: number): ScheduleEntry | null {
    const there = this.bySubject.get(subject);
    return there?.sequence === sequence ? there : null;
  }

  postpone(subject: string, atMs: number): void {
    const there = this.bySubject.get(subject);
    if (there !== undefined) this.set(subject, there.sequence, atMs);
  }

  endSchedule(subject: string): void {
    this.bySubject.delete(subject);
  }

  /** A message that was found on the disk, in the order in which it was stored. */
  recall(view: RecordView, config: StreamConfig, nowNs: bigint): void {
    const { sequence, timeNs } = view;
    const headers = view.headerLength === 0 ? null : MessageHeaders.of(view.body, view.headerLength);
    if (config.allowMessageTtl && headers !== null) {
      const ttl = readTtl(headers.get("Nats-TTL")) ?? 0;
      if (ttl > 0) this.expires(sequence, timeNs, ttl);
    }
    if (!config.allowSchedules) return;
    const schedule = headers === null ? null : scheduleOf(headers, timeNs, nowNs);
    this.scheduled(view.subject, sequence, schedule);
  }

  /** When the schedule on the subject is due; Infinity: there is none. */
  scheduleTimeOf(subject: string): number {
    return this.bySubject.get(subject)?.atMs ?? Infinity;
  }

  /** All schedules are to be looked at again when they are due, and nothing besides. */
  gatherSchedules(): void {
    this.schedules.clear();
    for (const { sequence, atMs } of this.bySubject.values()) this.schedules.add(sequence, atMs);
  }

  /** Throws out what became of messages that are gone, when there is much of it. */
  trim(messages: number, holds: (sequence: number) => boolean): void {
    this.expiries.trim(messages, holds);
    const most = 2 * messages + SLACK;
    if (this.bySubject.size > most)
      for (const [subject, { sequence }] of this.bySubject)
        if (!holds(sequence)) this.bySubject.delete(subject);
    // one that repeats leaves a deadline behind each time, where another server publishes
    if (this.schedules.size > most) this.gatherSchedules();
  }

  private set(subject: string, sequence: number, atMs: number): void {
    this.bySubject.set(subject, { sequence, atMs });
    this.schedules.add(sequence, atMs);
  }
}
