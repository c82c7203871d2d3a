/** Workloads on JetStream, and what is expected of each. Each prepares what it needs, and then does `count` messages as fast as the server lets it. */
import { getting, mixing, pulling, pushing } from "./consuming.ts";
import { beside, publishing, putting } from "./publishing.ts";
import type { Bar, Doing, Workload } from "./target.ts";

const ONE_IN_FLIGHT: Bar = { throughput: 1.3, cpu: 1 / 1.7, p50: 0.75, p99: 0.8 };
const WINDOW: Bar = { throughput: 3, cpu: 1 / 4 };
const ACKNOWLEDGED: Bar = { throughput: 3, cpu: 1 / 5 };
const REPLAY: Bar = { throughput: 2.5, cpu: 1 / 3 };
const KEYS: Bar = { throughput: 2.5, cpu: 1 / 3 };
const EACH = "each awaited";
const IN_WINDOW = "1000 unacknowledged at most";

function workload(
  name: string,
  about: string,
  count: number,
  bar: Bar,
  doing: Doing & Pick<Workload, "policy" | "storage">,
): Workload {
  return { name, about, count, bar, ...doing };
}

const REPLICATED: Bar = { throughput: 2.5, cpu: 1 / 4 };
const REPLICATED_ALONE: Bar = { throughput: 1.5, cpu: 1 / 1.7, p50: 0.6 };

const synced = (doing: Doing): Doing & Pick<Workload, "policy"> => ({ ...doing, policy: "always" });

export const WORKLOADS: readonly Workload[] = [
  workload("sync16", `publish 16 B, ${EACH}`, 4000, ONE_IN_FLIGHT, publishing({ bytes: 16, window: 1 })),
  workload("sync128", `publish 128 B, ${EACH}`, 4000, ONE_IN_FLIGHT, publishing({ bytes: 128, window: 1 })),
  workload("sync1k", `publish 1 KB, ${EACH}`, 4000, ONE_IN_FLIGHT, publishing({ bytes: 1024, window: 1 })),
  workload("put1", `put 128 B, 1000 keys, ${EACH}`, 4000, ONE_IN_FLIGHT, putting(1000, 1)),
  workload("get1", `direct get of the last of 1000 keys, ${EACH}`, 6000, ONE_IN_FLIGHT, getting(1000, 1)),
  workload(
    "fetch1",
    `fetch one of 128 B, ${EACH}`,
    4000,
    ONE_IN_FLIGHT,
    pulling(128, { batch: 1, acks: "explicit" }),
  ),
  workload("beside", `publish 128 B, ${EACH}, beside a flood of 16 KB`, 1500, { p99: 1 }, beside),
  workload("async16", `publish 16 B, ${IN_WINDOW}`, 200_000, WINDOW, publishing({ bytes: 16, window: 1000 })),
  workload(
    "async128",
    `publish 128 B, ${IN_WINDOW}`,
    200_000,
    WINDOW,
    publishing({ bytes: 128, window: 1000 }),
  ),
  workload(
    "async1k",
    `publish 1 KB, ${IN_WINDOW}`,
    100_000,
    WINDOW,
    publishing({ bytes: 1024, window: 1000 }),
  ),
  workload(
    "subjects1k",
    `publish 128 B, 1000 subjects, ${IN_WINDOW}`,
    200_000,
    WINDOW,
    publishing({ bytes: 128, window: 1000, subjects: 1000 }),
  ),
  workload(
    "subjects100k",
    `publish 16 B, 100,000 subjects, ${IN_WINDOW}`,
    200_000,
    WINDOW,
    publishing({ bytes: 16, window: 1000, subjects: 100_000 }),
  ),
  workload(
    "publishers32",
    "publish 128 B, 32 publishers, 64 unacknowledged each",
    192_000,
    WINDOW,
    publishing({ bytes: 128, window: 64, publishers: 32 }),
  ),
  workload(
    "ids",
    `publish 128 B with ids, ${IN_WINDOW}`,
    100_000,
    WINDOW,
    publishing({ bytes: 128, window: 1000, withIds: true }),
  ),
  workload("memory", `publish 128 B to memory, ${IN_WINDOW}`, 200_000, WINDOW, {
    ...publishing({ bytes: 128, window: 1000 }),
    storage: "memory",
  }),
  workload(
    "pull128",
    "pull 128 B in batches of 500, each acknowledged",
    200_000,
    ACKNOWLEDGED,
    pulling(128, { batch: 500, acks: "explicit" }),
  ),
  workload(
    "pullall",
    "pull 128 B in batches of 500, all of a batch acknowledged",
    200_000,
    ACKNOWLEDGED,
    pulling(128, { batch: 500, acks: "all" }),
  ),
  workload("push128", "push 128 B, each acknowledged", 200_000, ACKNOWLEDGED, pushing(128, "explicit")),
  workload(
    "mix",
    "publish and pull 128 B at once, each acknowledged",
    100_000,
    ACKNOWLEDGED,
    mixing("limits"),
  ),
  workload("workqueue", "the same on a work queue", 100_000, ACKNOWLEDGED, mixing("workqueue")),
  workload(
    "pullnone",
    "pull 128 B in batches of 500, not acknowledged",
    200_000,
    REPLAY,
    pulling(128, { batch: 500, acks: "none" }),
  ),
  workload(
    "replay",
    "replay 128 B to a push consumer, not acknowledged",
    300_000,
    REPLAY,
    pushing(128, "none"),
  ),
  workload(
    "async16k",
    "publish 16 KB, 256 unacknowledged at most",
    10_000,
    { throughput: 1.2, cpu: 1 / 1.5 },
    publishing({ bytes: 16_384, window: 256 }),
  ),
  workload(
    "pull16k",
    "pull 16 KB in batches of 100, each acknowledged",
    8000,
    { throughput: 1.8, cpu: 1 / 2.5 },
    pulling(16_384, { batch: 100, acks: "explicit" }),
  ),
  workload("put", `put 128 B, 1000 keys, ${IN_WINDOW}`, 100_000, KEYS, putting(1000, 1000)),
  workload("get64", "direct get of the last of 1000 keys, 64 under way", 100_000, KEYS, getting(1000, 64)),
  workload(
    "filter",
    "pull one of 1000 subjects, for each message of it",
    300_000,
    KEYS,
    pulling(128, { batch: 200, acks: "none", oneOf: 1000 }),
  ),
  workload(
    "always1",
    `publish 128 B, ${EACH}, both sync first`,
    600,
    { throughput: 0.9, cpu: 1 },
    synced(publishing({ bytes: 128, window: 1 })),
  ),
  workload(
    "always16",
    `publish 128 B, 16 publishers, ${EACH}, both sync first`,
    1600,
    { throughput: 3, cpu: 1 / 2 },
    synced(publishing({ bytes: 128, window: 1, publishers: 16 })),
  ),
  workload(
    "always1000",
    `publish 128 B, ${IN_WINDOW}, both sync first`,
    5000,
    { throughput: 3, cpu: 1 / 2 },
    synced(publishing({ bytes: 128, window: 1000 })),
  ),
];

/** The same with three replicas on three servers: processor time is that of all three. */
export const REPLICATED_WORKLOADS: readonly Workload[] = [
  workload("r3sync", `publish 128 B, ${EACH}`, 1500, REPLICATED_ALONE, publishing({ bytes: 128, window: 1 })),
  workload(
    "r3sync16",
    `publish 128 B, 16 publishers, ${EACH}`,
    6400,
    { throughput: 1.5, cpu: 1 / 1.7 },
    publishing({ bytes: 128, window: 1, publishers: 16 }),
  ),
  workload(
    "r3async128",
    `publish 128 B, ${IN_WINDOW}`,
    60_000,
    REPLICATED,
    publishing({ bytes: 128, window: 1000 }),
  ),
  workload(
    "r3async1k",
    `publish 1 KB, ${IN_WINDOW}`,
    30_000,
    REPLICATED,
    publishing({ bytes: 1024, window: 1000 }),
  ),
  workload("r3put", `put 128 B, 1000 keys, ${IN_WINDOW}`, 40_000, REPLICATED, putting(1000, 1000)),
  workload(
    "r3pull",
    "pull 128 B in batches of 500, each acknowledged",
    40_000,
    { throughput: 2, cpu: 1 / 3 },
    pulling(128, { batch: 500, acks: "explicit" }),
  ),
];
