/** Where a new consumer begins. */
import { timeNsOf } from "../time.ts";
import type { Stream } from "../stream/stream.ts";
import { filtersOf, type ConsumerConfig } from "./config.ts";
import type { Lookahead } from "./lookahead.ts";
import type { ConsumerState } from "./state.ts";

/** The first sequence that it looks at. */
export function startOf(config: ConsumerConfig, stream: Stream): number {
  const { store } = stream;
  switch (config.deliverPolicy) {
    case "all":
      return store.first;
    case "last_per_subject":
      if (hasManySubjects(config, stream)) return store.first;
      return lastOfEach(config, stream, 0)[0] ?? store.last + 1;
    case "new":
      return store.last + 1;
    case "last": {
      const last = Math.max(0, ...patternsOf(config).map((filter) => store.lastMatching(filter)));
      return last === 0 ? store.last + 1 : last;
    }
    case "by_start_sequence":
      return Math.max(config.startSequence, store.first);
    case "by_start_time":
      return store.atTime(timeNsOf(config.startTime));
  }
}

/** A consumer begins, or goes on after a start: finds out what lies ahead of it. */
export function lookAhead(
  ahead: Lookahead,
  config: ConsumerConfig,
  stream: Stream,
  { delivered }: ConsumerState,
): void {
  const from = delivered.stream + 1;
  if (config.deliverPolicy !== "last_per_subject" || delivered.consumer > 0) ahead.recount();
  else if (hasManySubjects(config, stream)) ahead.beginWithLasts(from);
  else ahead.beginWith(lastOfEach(config, stream, from));
}

/** Whether the last messages of the subjects are looked for in steps. */
function hasManySubjects(config: ConsumerConfig, { store }: Stream): boolean {
  return !store.isCountedAtOnce(store.first, patternsOf(config));
}

/** For `last_per_subject`: the last message of each subject that a filter covers, from a sequence on, ascending. */
function lastOfEach(config: ConsumerConfig, { store }: Stream, from: number): number[] {
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
