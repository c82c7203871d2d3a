/** Limits of a stream that discards what is old: the oldest messages go until they hold. */
import type { StreamStore } from "../../store/stream-store.ts";
import type { StreamConfig } from "./config.ts";

interface LimitedStream {
  readonly config: StreamConfig;
  readonly store: StreamStore;
  remove(sequence: number): boolean;
}

/** Of the subject first; "": of none. */
export function enforceLimits(stream: LimitedStream, subject: string): void {
  const { config, store } = stream;
  if (subject !== "") enforcePerSubject(stream, subject);
  while (config.maxMessages > 0 && store.messages > config.maxMessages) stream.remove(store.first);
  while (config.maxBytes > 0 && store.bytes > config.maxBytes && store.messages > 0)
    stream.remove(store.first);
}

export function enforcePerSubject(stream: LimitedStream, subject: string): void {
  const { config, store } = stream;
  if (config.maxPerSubject <= 0) return;
  while (store.countOf(subject) > config.maxPerSubject) stream.remove(store.firstOf(subject));
}
