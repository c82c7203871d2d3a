/** Workloads on JetStream, and what is expected of each. Each prepares what it needs, and then does `count` messages as fast as the server lets it. */
import { getting, mixing, pulling, pushing } from "./consuming.ts";
import { beside, publish, publishingOf, subjects } from "./publishing.ts";
import { makeStream, type Bar, type Workload } from "./target.ts";

const ONE_IN_FLIGHT: Bar = { throughput: 1.3, cpu: 1 / 1.7, p50: 0.75, p99: 0.8 };
const WINDOW: Bar = { throughput: 3, cpu: 1 / 4 };
const ACKNOWLEDGED: Bar = { throughput: 3, cpu: 1 / 5 };
const REPLAY: Bar = { throughput: 2.5, cpu: 1 / 3 };
const KEYS: Bar = { throughput: 2.5, cpu: 1 / 3 };
const EACH = "each awaited";
const IN_WINDOW = "1000 unacknowledged at most";

/** A key-value store keeps the last message of each subject. */
function putting(name: string, about: string, count: number, bar: Bar, window: number): Workload {
  return {
    name,
    about,
    count,
    bar,
    prepare: (target) =>
      makeStream(target, { max_msgs_per_subject: 1, discard: "new", allow_rollup_hdrs: true }),
    run: (target) => publish(target, { bytes: 128, window, subjectOf: subjects(1000) }),
  };
}

export const WORKLOADS: readonly Workload[] = [
  publishingOf("sync16", `publish 16 B, ${EACH}`, 4000, ONE_IN_FLIGHT, { bytes: 16, window: 1 }),
  publishingOf("sync128", `publish 128 B, ${EACH}`, 4000, ONE_IN_FLIGHT, { bytes: 128, window: 1 }),
  publishingOf("sync1k", `publish 1 KB, ${EACH}`, 4000, ONE_IN_FLIGHT, { bytes: 1024, window: 1 }),
  putting("put1", `put 128 B, 1000 keys, ${EACH}`, 4000, ONE_IN_FLIGHT, 1),
  getting("get1", `direct get of the last of 1000 keys, ${EACH}`, 6000, ONE_IN_FLIGHT, 1000, 1),
  pulling("fetch1", `fetch one of 128 B, ${EACH}`, 4000, 128, ONE_IN_FLIGHT, { batch: 1, acks: "explicit" }),
  {
    name: "beside",
    about: `publish 128 B, ${EACH}, beside a flood of 16 KB`,
    count: 1500,
    bar: { p99: 1 },
    prepare: (target) => makeStream(target),
    run: beside,
  },
  publishingOf("async16", `publish 16 B, ${IN_WINDOW}`, 200_000, WINDOW, { bytes: 16, window: 1000 }),
  publishingOf("async128", `publish 128 B, ${IN_WINDOW}`, 200_000, WINDOW, { bytes: 128, window: 1000 }),
  publishingOf("async1k", `publish 1 KB, ${IN_WINDOW}`, 100_000, WINDOW, { bytes: 1024, window: 1000 }),
  publishingOf("subjects1k", `publish 128 B, 1000 subjects, ${IN_WINDOW}`, 200_000, WINDOW, {
    bytes: 128,
    window: 1000,
    subjectOf: subjects(1000),
  }),
  publishingOf("subjects100k", `publish 16 B, 100,000 subjects, ${IN_WINDOW}`, 200_000, WINDOW, {
    bytes: 16,
    window: 1000,
    subjectOf: subjects(100_000),
  }),
  publishingOf("publishers32", "publish 128 B, 32 publishers, 64 unacknowledged each", 192_000, WINDOW, {
    bytes: 128,
    window: 64,
    publishers: 32,
  }),
  publishingOf("ids", `publish 128 B with ids, ${IN_WINDOW}`, 100_000, WINDOW, {
    bytes: 128,
    window: 1000,
    withIds: true,
  }),
  publishingOf(
    "memory",
    `publish 128 B to memory, ${IN_WINDOW}`,
    200_000,
    WINDOW,
    { bytes: 128, window: 1000 },
    { storage: "memory" },
  ),
  pulling("pull128", "pull 128 B in batches of 500, each acknowledged", 200_000, 128, ACKNOWLEDGED, {
    batch: 500,
    acks: "explicit",
  }),
  pulling(
    "pullall",
    "pull 128 B in batches of 500, all of a batch acknowledged",
    200_000,
    128,
    ACKNOWLEDGED,
    {
      batch: 500,
      acks: "all",
    },
  ),
  pushing("push128", "push 128 B, each acknowledged", 200_000, 128, ACKNOWLEDGED, "explicit"),
  mixing("mix", "publish and pull 128 B at once, each acknowledged", 100_000, ACKNOWLEDGED, "limits"),
  mixing("workqueue", "the same on a work queue", 100_000, ACKNOWLEDGED, "workqueue"),
  pulling("pullnone", "pull 128 B in batches of 500, not acknowledged", 200_000, 128, REPLAY, {
    batch: 500,
    acks: "none",
  }),
  pushing("replay", "replay 128 B to a push consumer, not acknowledged", 300_000, 128, REPLAY, "none"),
  publishingOf(
    "async16k",
    "publish 16 KB, 256 unacknowledged at most",
    10_000,
    { throughput: 1.2, cpu: 1 / 1.5 },
    {
      bytes: 16_384,
      window: 256,
    },
  ),
  pulling(
    "pull16k",
    "pull 16 KB in batches of 100, each acknowledged",
    8000,
    16_384,
    { throughput: 1.8, cpu: 1 / 2.5 },
    {
      batch: 100,
      acks: "explicit",
    },
  ),
  putting("put", `put 128 B, 1000 keys, ${IN_WINDOW}`, 100_000, KEYS, 1000),
  getting("get64", "direct get of the last of 1000 keys, 64 under way", 100_000, KEYS, 1000, 64),
  pulling("filter", "pull one of 1000 subjects, for each message of it", 300_000, 128, KEYS, {
    batch: 200,
    acks: "none",
    oneOf: 1000,
  }),
  publishingOf(
    "always1",
    `publish 128 B, ${EACH}, both sync first`,
    600,
    { throughput: 0.9, cpu: 1 },
    { bytes: 128, window: 1 },
    { policy: "always" },
  ),
  publishingOf(
    "always16",
    `publish 128 B, 16 publishers, ${EACH}, both sync first`,
    1600,
    { throughput: 3, cpu: 1 / 2 },
    { bytes: 128, window: 1, publishers: 16 },
    { policy: "always" },
  ),
  publishingOf(
    "always1000",
    `publish 128 B, ${IN_WINDOW}, both sync first`,
    5000,
    { throughput: 3, cpu: 1 / 2 },
    { bytes: 128, window: 1000 },
    { policy: "always" },
  ),
];
