/** Limits of a stream that discards what is old: the oldest messages go until they hold. */
import type { StreamStore } from "../../store/stream-store.ts";
import type { StreamConfig } from "./config.ts";

interface LimitedStream {
  readonly config: StreamConfig;
  readonly store: StreamStore;
  remove(sequence: number): boolean;
}

/** Messages that go at once. */
const AT_ONCE_MAX = 500;

/** Enforces the limit of the subject first; "": of none. "more": there is more than may go at once. */
export function enforceLimits(stream: LimitedStream, subject: string): "done" | "more" {
  const { config, store } = stream;
  if (subject !== "" && enforcePerSubject(stream, subject) === "more") return "more";
  for (let left = AT_ONCE_MAX; isOver(config, store); left--) {
    if (left === 0) return "more";
    stream.remove(store.first);
  }
  return "done";
}

function isOver({ maxMessages, maxBytes }: StreamConfig, store: StreamStore): boolean {
  if (maxMessages > 0 && store.messages > maxMessages) return true;
  return maxBytes > 0 && store.bytes > maxBytes && store.messages > 0;
}

function enforcePerSubject(stream: LimitedStream, subject: string): "done" | "more" {
  const { config, store } = stream;
  if (config.maxPerSubject <= 0) return "done";
  for (let left = AT_ONCE_MAX; store.countOf(subject) > config.maxPerSubject; left--) {
    if (left === 0) return "more";
    if (!stream.remove(store.firstOf(subject))) return "done"; // it is damaged
  }
  return "done";
}
