/** Syncs of the files of a log: what they cover, and in which order. A later sync of one file says nothing of another. */
import { assert } from "../base/assert.ts";
import type { Birth } from "./births.ts";
import type { Disk, DiskError, DiskFile } from "./disk.ts";

type Done = (error: DiskError | null) => void;

export class BlockSyncs {
  private readonly disk: Disk | null;
  private readonly folder: string;
  private areNamesDirty = false;
  /** The calls that wait for the sync of names that began last; null: it has ended. */
  private naming: Done[] | null = null;
  /** Of sealed blocks whose sync is under way, or has failed. */
  private readonly unsynced = new Set<DiskFile>();
  /** What the log belongs to, until it is durable. */
  private birth: Birth | null;
  /** A sealed block that has to be on the disk before anything is written behind it; null: there is none. */
  private held: DiskFile | null = null;
  /** The calls that wait for that. */
  private waiting: Done[] = [];
  private isReleasing = false;
  /** What went wrong while nobody waited: told once, since the system tells it once. */
  private failure: DiskError | null = null;

  constructor(disk: Disk | null, folder: string, birth: Birth | null) {
    this.disk = disk;
    this.folder = folder;
    this.birth = birth;
    birth?.whenDurable((error) => {
      if (error === null) this.birth = null;
    });
  }

  /** Calls back when what the log belongs to is durable. */
  whenBorn(done: Done): void {
    if (this.birth === null) done(null);
    else this.birth.whenDurable(done);
  }

  /** Files were made or removed. */
  namesChanged(): void {
    this.areNamesDirty = true;
  }

  /** They are durable when this returns. Throws `DiskError`. */
  syncNames(): void {
    if (!this.areNamesDirty && this.naming === null) return;
    this.disk?.syncFolder(this.folder);
    this.areNamesDirty = false;
  }

  /**
   * Calls back when all that is flushed is on the disk: in `file`, and in the blocks before it, with their names. What the log belongs to is, too.
   */
  sync(file: DiskFile, done: Done): void {
    if (this.unsynced.size === 0 && !this.areNamesDirty && this.naming === null && this.birth === null) {
      file.sync(done);
      return;
    }
    let left = 3 + this.unsynced.size;
    let failure: DiskError | null = null;
    const ended = (error: DiskError | null): void => {
      failure ??= error;
      if (--left === 0) done(failure);
    };
    this.whenBorn(ended);
    this.syncNamesLater(ended);
    for (const sealed of this.unsynced)
      sealed.sync((error) => {
        if (error === null) this.unsynced.delete(sealed);
        ended(error);
      });
    file.sync(ended);
  }

  syncNow(file: DiskFile): void {
    this.birth?.syncNow();
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

  get isHolding(): boolean {
    return this.held !== null;
  }

  /** Nothing is written behind the block before it is on the disk: it is synced in the background. */
  holdBehind(file: DiskFile): void {
    assert(this.held === null, "one block at a time is waited for");
    this.held = file;
    this.syncHeld(file);
  }

  /** Calls back once it is, or with what went wrong. */
  whenReleased(done: Done): void {
    const { held, failure } = this;
    this.failure = null;
    if (held === null || failure !== null) {
      done(failure);
      return;
    }
    this.waiting.push(done);
    if (!this.isReleasing) this.syncHeld(held);
  }

  /** It is when this returns. Throws `DiskError`. */
  release(): void {
    const { held, failure } = this;
    this.failure = null;
    if (failure !== null) throw failure;
    held?.syncNow();
    this.held = null;
  }

  close(file: DiskFile): void {
    this.unsynced.delete(file);
    if (this.held === file) this.held = null;
    file.close();
  }

  private syncHeld(file: DiskFile): void {
    this.isReleasing = true;
    file.sync((error) => {
      if (this.held !== null && this.held !== file) return; // another one is waited for now
      this.isReleasing = false;
      if (error === null) this.held = null;
      const { waiting } = this;
      this.waiting = [];
      if (waiting.length === 0) this.failure = error;
      for (const call of waiting) call(error);
    });
  }

  private syncNamesLater(done: Done): void {
    const { disk, naming } = this;
    if (disk === null || (!this.areNamesDirty && naming === null)) {
      done(null);
      return;
    }
    if (!this.areNamesDirty && naming !== null) {
      naming.push(done);
      return;
    }
    this.areNamesDirty = false;
    const waiting = [done];
    this.naming = waiting;
    disk.syncFolderLater(this.folder, (error) => {
      if (error !== null) this.areNamesDirty = true;
      if (this.naming === waiting) this.naming = null;
      for (const call of waiting) call(error);
    });
  }
}
