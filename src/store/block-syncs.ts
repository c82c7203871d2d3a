/** Syncs of the files of a log: what they cover, and in which order. A later sync of one file says nothing of another. */
import type { Disk, DiskError, DiskFile } from "./disk.ts";

export class BlockSyncs {
  private readonly disk: Disk | null;
  private readonly folder: string;
  private areNamesDirty = false;
  /** Of sealed blocks whose sync is under way, or has failed. */
  private readonly unsynced = new Set<DiskFile>();

  constructor(disk: Disk | null, folder: string) {
    this.disk = disk;
    this.folder = folder;
  }

  /** Files were made or removed. */
  namesChanged(): void {
    this.areNamesDirty = true;
  }

  /** Names of new blocks are durable before what is in them counts as synced. */
  syncNames(): void {
    if (!this.areNamesDirty) return;
    this.disk?.syncFolder(this.folder);
    this.areNamesDirty = false;
  }

  /** Calls back when all that is flushed is on the disk: in `file`, and in the blocks before it. */
  sync(file: DiskFile, done: (error: DiskError | null) => void): void {
    this.syncNames();
    if (this.unsynced.size === 0) file.sync(done);
    else this.syncAll([...this.unsynced, file], done);
  }

  syncNow(file: DiskFile): void {
    this.syncNames();
    for (const sealed of this.unsynced) sealed.syncNow();
    this.unsynced.clear();
    file.syncNow();
  }

  /** In the background. Where that fails, the next sync tries again, and says so. */
  syncLater(file: DiskFile): void {
    this.unsynced.add(file);
    file.sync((error) => {
      if (error === null) this.unsynced.delete(file);
    });
  }

  close(file: DiskFile): void {
    this.unsynced.delete(file);
    file.close();
  }

  private syncAll(files: readonly DiskFile[], done: (error: DiskError | null) => void): void {
    let left = files.length;
    let failure: DiskError | null = null;
    for (const file of files)
      file.sync((error) => {
        if (error === null) this.unsynced.delete(file);
        else failure ??= error;
        if (--left === 0) done(failure);
      });
  }
}
