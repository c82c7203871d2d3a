/** A message of a log, as the stream applies it: what its headers ask for is read again, as the leader read it. */
import { MessageHeaders } from "../headers.ts";
import type { StreamConfig } from "../stream/config.ts";
import type { Operation } from "../stream/judge.ts";
import { scheduleOf } from "../stream/schedule.ts";
import { readTtl } from "../stream/ttl.ts";
import type { MessageOperation } from "./operations.ts";

/** `subject`: the one that it is stored under. */
export function operationOf(
  { headerLength, body, timeNs }: MessageOperation,
  { subject, config }: { readonly subject: string; readonly config: StreamConfig },
): Operation {
  const plain = { subject, headerLength, body, timeNs, value: null };
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
