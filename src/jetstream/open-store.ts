/** Makes the store of a stream, and tells what its messages say to those who keep track of it: times to live, schedules, places of sources. */
import type { Birth } from "../store/births.ts";
import type { Disk } from "../store/disk.ts";
import { PackedDisk } from "../store/packed-disk.ts";
import type { RecordView } from "../store/record.ts";
import type { RowCache } from "../store/row-cache.ts";
import { StreamStore } from "../store/stream-store.ts";
import { damageLog } from "./damage.ts";
import type { AccountHost } from "./host.ts";
import type { SyncPolicy } from "./stream/commit.ts";
import type { StreamConfig } from "./stream/config.ts";
import type { OriginPositions } from "./stream/origin-positions.ts";
import type { TimedMessages } from "./stream/timed.ts";

export interface NewStore {
  /** null: nothing new has to become durable. */
  readonly birth: Birth | null;
  /** In memory, with messages already; null: it is made. */
  readonly given: StreamStore | null;
}

export interface OpenStoreOptions {
  readonly config: StreamConfig;
  /** One in memory that has messages already; null: it is made. */
  readonly given: StreamStore | null;
  /** Makes its first files durable; null: they are. */
  readonly birth: Birth | null;
  readonly disk: Disk;
  /** Folder of the stream. */
  readonly path: string;
  readonly policy: SyncPolicy;
  /** A replica gets again from the log of its group what a torn write has damaged: that lies in the last block alone. */
  readonly role: "alone" | "replica";
  readonly timed: TimedMessages;
  readonly positions: OriginPositions;
  readonly host: AccountHost;
  readonly rowCache: RowCache;
}

export function openStore(options: OpenStoreOptions): StreamStore {
  const { config, given, birth, disk, path, policy, role, timed, positions, host, rowCache } = options;
  const { allowSchedules, allowMessageTtl, storage, mirror, sources } = config;
  const isFed = mirror !== null || sources.length > 0;
  const nowNs = host.nowNs();
  const recall = allowSchedules || isFed ? "all" : allowMessageTtl ? "with headers" : "none";
  const onRecovered = (view: RecordView, lost: number): void => {
    timed.recall(view, config, nowNs);
    if (isFed) positions.recall(view, lost);
  };
  if (given !== null) {
    if (recall !== "none") recallAll(given, onRecovered);
    return given;
  }
  const store: StreamStore = new StreamStore({
    onRecovered,
    beforeForgetting: () => positions.save(store),
    onLost: damageLog(host, config.name),
    cache: rowCache,
    seed: Math.floor(host.random.next() * 2 ** 32),
    recall,
    recallAbove: allowSchedules || allowMessageTtl ? 0 : positions.through,
    disk: storage === "file" ? new PackedDisk(disk) : null,
    birth,
    folder: `${path}/msgs`,
    firstSequence: Math.max(1, config.firstSequence),
    damagedTail: role === "replica" || mirror !== null ? "cut" : "kept",
    sealedBlocks: role === "replica" || policy === "sync" ? "synced" : "synced later",
  });
  return store;
}

function recallAll(store: StreamStore, onRecovered: (view: RecordView, lost: number) => void): void {
  for (let at = store.next(1, null, store.last); at !== 0; at = store.next(at + 1, null, store.last)) {
    const view = store.read(at);
    if (view !== null) onRecovered(view, 0);
  }
}
