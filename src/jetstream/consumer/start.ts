/** Where a new consumer begins. */
import { timeNsOf } from "../time.ts";
import type { Stream } from "../stream/stream.ts";
import { filtersOf, type ConsumerConfig } from "./config.ts";

/** The first sequence that it looks at. */
export function startOf(config: ConsumerConfig, stream: Stream): number {
  const { store } = stream;
  switch (config.deliverPolicy) {
    case "all":
      return store.first;
    case "last_per_subject":
      return lastOfEach(config, stream, 0)[0] ?? store.last + 1;
    case "new":
      return store.last + 1;
    case "last": {
      const last = Math.max(0, ...patternsOf(config).map((filter) => store.lastMatching(filter)));
      return last === 0 ? store.last + 1 : last;
    }
    case "by_start_sequence":
      return Math.min(Math.max(config.startSequence, store.first), store.last + 1);
    case "by_start_time":
      return store.atTime(timeNsOf(config.startTime));
  }
}

/** For `last_per_subject`: the last message of each subject that a filter covers, from a sequence on, ascending. */
export function lastOfEach(config: ConsumerConfig, { store }: Stream, from: number): number[] {
  const found = new Set<number>();
  for (const filter of patternsOf(config)) {
    for (const { last } of store.subjectsMatching(filter)) if (last >= from) found.add(last);
  }
  return [...found].sort((a, b) => a - b);
}

function patternsOf(config: ConsumerConfig): readonly string[] {
  const filters = filtersOf(config);
  return filters.length === 0 ? [">"] : filters;
}
