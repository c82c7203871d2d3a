/** Messages that are schedules: what their headers have to say, and what is published when one is due. */
import type { RecordView } from "../../store/record.ts";
import { isValidLiteralSubject, subjectsMeet } from "../../subject/subject.ts";
import { apiErrors } from "../api-error.ts";
import { withHeader, withoutHeader, withoutPrefix } from "../header-edits.ts";
import { MessageHeaders } from "../headers.ts";
import { isTime, timeNsOf } from "../time.ts";
import type { StreamConfig } from "./config.ts";
import type { JudgedStore } from "./judged-store.ts";
import { nextTime, type ScheduledTime } from "./schedule-pattern.ts";
import { readTtl } from "./ttl.ts";
import { isZone } from "./zoned-time.ts";

/** What a message says about a schedule. */
export type Schedule =
  /** It is one. */
  | { readonly kind: "set"; readonly atMs: number }
  /** The schedule on that subject made it, and is due again. */
  | { readonly kind: "next"; readonly scheduler: string; readonly atMs: number }
  /** The schedule on that subject is over. */
  | { readonly kind: "purge"; readonly scheduler: string };

const NEXT = "Nats-Schedule-Next";
const PURGE = "purge";

/** Whether the message of a client is a schedule. Throws `ApiError`. */
export function judgeSchedule(
  headers: MessageHeaders,
  subject: string,
  { config, store }: { readonly config: StreamConfig; readonly store: JudgedStore },
  nowNs: bigint,
): boolean {
  const pattern = headers.get("Nats-Schedule") ?? "";
  const zone = headers.get("Nats-Schedule-Time-Zone");
  const refusal =
    zone !== null && !isZone(zone)
      ? apiErrors.scheduleZoneInvalid()
      : pattern !== "" && timeOf(headers, msOf(nowNs), msOf(nowNs)) === null
        ? apiErrors.schedulePatternInvalid()
        : null;
  if (refusal !== null) throw config.allowSchedules ? refusal : apiErrors.schedulesDisabled();
  if (pattern !== "") judgeOwn(headers, subject, config);
  judgePurge(headers, subject, config, store);
  return pattern !== "";
}

/** What an accepted message says; null: nothing. */
export function scheduleOf(headers: MessageHeaders, storedNs: bigint, nowNs = storedNs): Schedule | null {
  const time = timeOf(headers, msOf(storedNs), msOf(nowNs));
  if (time !== null) return { kind: "set", atMs: time.atMs };
  const scheduler = headers.get("Nats-Scheduler") ?? "";
  const next = headers.get(NEXT) ?? "";
  if (scheduler === "" || next === "") return null;
  if (next === PURGE) return { kind: "purge", scheduler };
  return isTime(next) ? { kind: "next", scheduler, atMs: msOf(timeNsOf(next)) } : null;
}

/** The message that is published for a schedule that is due; null: it cannot be understood any more. */
export function messageOf(
  schedule: RecordView,
  dueMs: number,
  nowMs: number,
  last: (subject: string) => RecordView | null,
): { readonly subject: string; readonly headers: string; readonly payload: Buffer } | null {
  const own = MessageHeaders.of(schedule.body, schedule.headerLength);
  const scheduler = schedule.subject;
  const time = timeOf(own, dueMs, nowMs);
  const target = own.get("Nats-Schedule-Target") ?? "";
  const ttl = own.get("Nats-Schedule-TTL") ?? "";
  if (time === null || target === "" || readTtl(ttl) === null) return null;
  const rollup = own.get("Nats-Schedule-Rollup") ?? "";
  const source = own.get("Nats-Schedule-Source") ?? "";
  const content = contentOf((source === "" ? null : last(source)) ?? schedule);
  let headers = stripped(content.headers);
  headers = withHeader(headers, "Nats-Scheduler", scheduler);
  headers = withHeader(headers, NEXT, time.repeats ? time.text : PURGE);
  if (ttl !== "") headers = withHeader(headers, "Nats-TTL", ttl);
  if (rollup !== "") headers = withHeader(headers, "Nats-Rollup", rollup);
  return { subject: target, headers, payload: content.payload };
}

/** Copies: the view holds until the next read. */
function contentOf({ body, headerLength }: RecordView): { headers: string; payload: Buffer } {
  return {
    headers: body.toString("latin1", 0, headerLength),
    payload: Buffer.from(body.subarray(headerLength)),
  };
}

/** Without what belongs to the schedule, or could have the message refused. */
function stripped(headers: string): string {
  let rest = withoutPrefix(withoutPrefix(headers, "Nats-Schedule"), "Nats-Expected-");
  for (const name of ["Nats-Msg-Id", "Nats-TTL", "Nats-Rollup"]) rest = withoutHeader(rest, name);
  return rest;
}

function msOf(ns: bigint): number {
  return Number(ns / 1_000_000n);
}

/** When a schedule is due next, counted from `fromMs`; null: it is none, or cannot be read. */
function timeOf(headers: MessageHeaders, fromMs: number, nowMs: number): ScheduledTime | null {
  const pattern = headers.get("Nats-Schedule") ?? "";
  const zone = headers.get("Nats-Schedule-Time-Zone");
  if (pattern === "" || (zone !== null && !isZone(zone))) return null;
  return nextTime(pattern, zone, fromMs, nowMs);
}

function judgeOwn(headers: MessageHeaders, subject: string, config: StreamConfig): void {
  if (!config.allowSchedules) throw apiErrors.schedulesDisabled();
  const ttl = headers.get("Nats-Schedule-TTL") ?? "";
  if (readTtl(ttl) === null) throw apiErrors.scheduleTtlInvalid();
  const resultRollup = headers.get("Nats-Schedule-Rollup") ?? "";
  if (resultRollup !== "" && resultRollup !== "sub") throw apiErrors.scheduleRollupInvalid();
  if (ttl !== "" && !config.allowMessageTtl) throw apiErrors.ttlDisabled();
  const target = headers.get("Nats-Schedule-Target") ?? "";
  const source = headers.get("Nats-Schedule-Source") ?? "";
  if (!isLiteral(target) || target === subject) throw apiErrors.scheduleTargetInvalid();
  if (source !== "" && (source === target || source === subject || !isLiteral(source)))
    throw apiErrors.scheduleSourceInvalid();
  const isTaken = (one: string): boolean => config.subjects.some((pattern) => subjectsMeet(pattern, one));
  if (!isTaken(target)) throw apiErrors.scheduleTargetInvalid();
  if (source !== "" && !isTaken(source)) throw apiErrors.scheduleSourceInvalid();
  const rollup = (headers.get("Nats-Rollup") ?? "").toLowerCase();
  if (rollup !== "" && rollup !== "sub") throw apiErrors.scheduleRollupInvalid();
}

/** Clients may end a schedule on another subject, and use the headers of results for nothing else. */
function judgePurge(
  headers: MessageHeaders,
  subject: string,
  config: StreamConfig,
  store: JudgedStore,
): void {
  const next = headers.get(NEXT) ?? "";
  const scheduler = headers.get("Nats-Scheduler") ?? "";
  if (next === "") {
    if (scheduler !== "") throw apiErrors.schedulerInvalid();
    return;
  }
  if (next !== PURGE || scheduler === subject || !isLiteral(scheduler)) throw apiErrors.schedulerInvalid();
  if (!config.allowSchedules) throw apiErrors.schedulesDisabled();
  const last = store.lastOf(scheduler);
  const view = last === 0 ? null : store.read(last);
  if (view === null) return;
  const there =
    view.headerLength === 0 ? null : MessageHeaders.of(view.body, view.headerLength).get("Nats-Schedule");
  if ((there ?? "") === "") throw apiErrors.schedulerInvalid();
}

function isLiteral(subject: string): boolean {
  return isValidLiteralSubject(subject) && !/\s/.test(subject);
}
