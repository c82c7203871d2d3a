/** A work queue hands each message to one consumer: the filters of its consumers do not meet. */
import { subjectsMeet } from "../../subject/subject.ts";
import { apiErrors } from "../api-error.ts";
import type { StreamConfig } from "../stream/config.ts";
import { filtersOf, type ConsumerConfig } from "./config.ts";

interface Queue {
  readonly stream: { readonly config: StreamConfig };
  readonly consumers: ReadonlyMap<string, Configured>;
}

interface Configured {
  readonly config: ConsumerConfig;
}

/** `own`: the consumer that is changed, or null. Throws `ApiError`. */
export function checkWorkQueue(
  { stream, consumers }: Queue,
  config: ConsumerConfig,
  own: Configured | null,
): void {
  if (stream.config.retention !== "workqueue" || config.direct || config.sourcing) return;
  const filters = filtersOf(config);
  for (const other of consumers.values()) {
    if (other === own || other.config.direct || other.config.sourcing) continue;
    const others = filtersOf(other.config);
    if (filters.length === 0 || others.length === 0) throw apiErrors.workQueueMultiple();
    if (filters.some((one) => others.some((each) => subjectsMeet(one, each))))
      throw apiErrors.workQueueNotUnique();
  }
}
