/** How long a message is kept: the header `Nats-TTL`, and the header of markers for deleted subjects. */
import { durationFromText } from "../../base/duration.ts";
import type { MessageHeaders } from "../headers.ts";
import { goDuration } from "../time.ts";

/** The message is kept, whatever `max_age` says. */
export const TTL_NEVER = -1;

/** Seconds; 0: no limit of its own; `TTL_NEVER`; null: it cannot be read. `text`: a Go duration of a second or more, seconds, or "never". */
export function readTtl(text: string | null): number | null {
  if (text === null || text === "") return 0;
  if (text.toLowerCase() === "never") return TTL_NEVER;
  if (/^0*[1-9]\d{0,14}$/.test(text)) return Number(text);
  const ms = durationFromText(text);
  if (ms === null || ms < 1000) return null;
  return Math.floor(ms / 1000);
}

/** Whether the message says that its subject was deleted: no marker follows it when it goes. */
export function isMarker(headers: MessageHeaders): boolean {
  return (headers.get("Nats-Marker-Reason") ?? "") !== "" || headers.get("KV-Operation") === "PURGE";
}

/** The headers of the message that stands for a subject whose last message has expired. */
export function markerHeaders(ttlSeconds: number): string {
  return `NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: ${goDuration(ttlSeconds * 1e9)}\r\nNats-Rollup: sub\r\n\r\n`;
}
