/** Syncs a log that may not be written yet, since the block before is on its way to the disk: what follows that is written once it is there. */
import type { BlockLog } from "./block-log.ts";
import { DiskError } from "./disk.ts";

interface HeldStore {
  readonly log: Pick<BlockLog, "syncs" | "isClosed">;
  /** Throws `DiskError`. */
  flush(): void;
  sync(done: (error: DiskError | null) => void): void;
}

/** Never calls back where the log is closed meanwhile. */
export function syncBehind(store: HeldStore, done: (error: DiskError | null) => void): void {
  store.log.syncs.whenReleased((error) => {
    if (store.log.isClosed) return;
    const failure = error ?? failureOf(store);
    if (failure === null) store.sync(done);
    else done(failure);
  });
}

function failureOf(store: HeldStore): DiskError | null {
  try {
    store.flush();
    return null;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return error;
  }
}
