/** A message of a log, as the stream applies it: what its headers ask for is read again, as the leader read it. */
import { MessageHeaders } from "../headers.ts";
import type { StreamConfig } from "../stream/config.ts";
import type { Operation } from "../stream/judge.ts";
import { scheduleOf } from "../stream/schedule.ts";
import { readTtl } from "../stream/ttl.ts";
import type { MessageOperation } from "./operations.ts";

/** `subject`: the one that it is stored under. */
export function operationOf(
  { headerLength, body, timeNs, isUnwanted = false }: MessageOperation,
  { subject, config }: { readonly subject: string; readonly config: StreamConfig },
): Operation {
  const plain = { subject, headerLength, body, timeNs, value: null, isUnwanted };
  if (headerLength === 0) return { ...plain, id: null, rollup: null, ttlSeconds: 0, schedule: null };
  const headers = MessageHeaders.of(body, headerLength);
  const rollup = (headers.get("Nats-Rollup") ?? "").toLowerCase();
  const isAllowed = config.allowRollup && !config.denyPurge;
  return {
    ...plain,
    id: headers.get("Nats-Msg-Id") || null,
    rollup: isAllowed && (rollup === "sub" || rollup === "all") ? rollup : null,
    ttlSeconds: readTtl(headers.get("Nats-TTL")) ?? 0,
    schedule: config.allowSchedules ? scheduleOf(headers, timeNs) : null,
  };
}

/** What the leader has judged, at the time that the log gives it. Its body is a copy, which the caller may have. */
export function takenAt(
  judged: Operation,
  timeNs: bigint,
  body: Uint8Array = new Uint8Array(judged.body),
): Operation {
  const { subject, headerLength, id, rollup, ttlSeconds, value } = judged;
  const isMoved = timeNs !== judged.timeNs && judged.schedule?.kind === "set";
  const schedule = isMoved ? scheduleOf(MessageHeaders.of(body, headerLength), timeNs) : judged.schedule;
  return { subject, headerLength, body, timeNs, id, rollup, ttlSeconds, value, schedule };
}
