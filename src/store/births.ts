/**
 * Makes what has just been made durable: new files, and the names of files and folders. The syncs go through the thread pool, and are shared by
 * all that is made while others are under way: a folder that many have a name in is synced once for all of them.
 *
 * Bounded: BIRTHS_PER_ROUND of them share one round; the others wait for the next.
 */
import type { Disk, DiskError, DiskFile } from "./disk.ts";

/** A bound, since the syncs of what is acknowledged meanwhile need the thread pool as well. */
const BIRTHS_PER_ROUND = 16;

type Done = (error: DiskError | null) => void;

/** The files and folders that have to be synced. */
export interface BirthParts {
  /** Written, and closed when they are durable. */
  readonly files: readonly DiskFile[];
  /** Folders in which names are new, of parents before those of children. */
  readonly folders: readonly string[];
}

export class Births {
  private readonly disk: Disk;
  private readonly waiting: Birth[] = [];
  private isUnderWay = false;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  begin(parts: BirthParts): Birth {
    const birth = new Birth(this.disk, parts);
    this.waiting.push(birth);
    if (!this.isUnderWay) this.round();
    return birth;
  }

  private round(): void {
    const births = this.waiting.splice(0, BIRTHS_PER_ROUND).filter(({ isOpen }) => isOpen);
    this.isUnderWay = births.length > 0;
    if (births.length === 0) return;
    const failures = new Map<DiskFile | string, DiskError>();
    const files = births.flatMap((birth) => birth.parts.files);
    const folders = new Set(births.flatMap((birth) => birth.parts.folders));
    let left = files.length + folders.size;
    const ended = (what: DiskFile | string, error: DiskError | null): void => {
      if (error !== null) failures.set(what, error);
      if (--left > 0) return;
      for (const birth of births) birth.end(birth.failureIn(failures));
      this.round();
    };
    for (const file of files) file.sync((error) => ended(file, error));
    for (const folder of folders) this.disk.syncFolderLater(folder, (error) => ended(folder, error));
  }
}

/** One thing that is being made durable. */
export class Birth {
  readonly parts: BirthParts;
  private readonly disk: Disk;
  private outcome: "open" | "durable" | DiskError = "open";
  private calls: Done[] = [];

  constructor(disk: Disk, parts: BirthParts) {
    this.disk = disk;
    this.parts = parts;
  }

  get isOpen(): boolean {
    return this.outcome === "open";
  }

  /** Calls back when it is durable, at once where it is; or with what went wrong. */
  whenDurable(done: Done): void {
    if (this.outcome === "open") this.calls.push(done);
    else done(this.outcome === "durable" ? null : this.outcome);
  }

  /** It is durable when this returns. Throws `DiskError`. */
  syncNow(): void {
    if (this.outcome === "durable") return;
    if (this.outcome !== "open") throw this.outcome;
    for (const file of this.parts.files) file.syncNow();
    for (const folder of this.parts.folders) this.disk.syncFolder(folder);
    this.end(null);
  }

  /** null: nothing that belongs to it has failed. */
  failureIn(failures: ReadonlyMap<DiskFile | string, DiskError>): DiskError | null {
    const failed = [...this.parts.files, ...this.parts.folders].find((part) => failures.has(part));
    return failed === undefined ? null : failures.get(failed)!;
  }

  /** Its syncs have ended; not the first time where it was synced at once meanwhile. */
  end(failure: DiskError | null): void {
    if (this.outcome !== "open") return;
    this.outcome = failure ?? "durable";
    const { calls } = this;
    this.calls = [];
    for (const file of this.parts.files) file.close();
    for (const call of calls) call(failure);
  }
}
