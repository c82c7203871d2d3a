/** Which messages nobody waits for: with interest retention, and in work queues. */
import type { StreamStore } from "../../store/stream-store.ts";
import type { StreamConfig } from "./config.ts";
import type { Reader } from "./reader.ts";

interface ReadStream {
  readonly config: StreamConfig;
  readonly store: StreamStore;
  readonly readers: ReadonlySet<Reader>;
  remove(sequence: number): boolean;
}

/** With interest retention a message that no reader takes is not kept. */
export function isUnwanted(
  { config, readers }: Pick<ReadStream, "config" | "readers">,
  subject: string,
): boolean {
  if (config.retention !== "interest") return false;
  for (const reader of readers) if (reader.takes(subject)) return false;
  return true;
}

/**
 * After a start: a power loss may have kept that a reader was done with a message, and not that the message went. `to`: nobody has got
 * further.
 */
export function dropSettled(stream: ReadStream, to: number): void {
  const { store, config, readers } = stream;
  if (config.retention === "limits") return;
  for (let at = store.next(1, null, to); at !== 0; at = store.next(at + 1, null, to)) {
    const subject = store.subjectOf(at);
    const takers = [...readers].filter((reader) => reader.takes(subject));
    const isTaken = takers.length > 0 || config.retention === "interest";
    if (isTaken && !takers.some((reader) => reader.needs(at, subject))) stream.remove(at);
  }
}
