/**
 * The disk as the store sees it: an interface, so that the simulation runs the code of production on a disk that tears writes,
 * forgets what was not synced, flips bits and fills up. `node-disk.ts` is the real one; no other file touches a disk.
 *
 * Writes are synchronous: for the small batches of a turn one system call costs a tenth of a trip through the thread pool. Syncs
 * are asynchronous, since they take a hundred times longer, and one sync covers all that was written before it began.
 */

/** All methods throw `DiskError` when the disk refuses. */
export interface Disk {
  /** What a record in a block has to keep free at its end; 0: nothing. */
  readonly sealBytes: number;
  /** Syncs take so long that nobody shall wait for one. Absent: they do not. */
  readonly isSlow?: boolean;
  /** Makes the folder and its parents; it may be there already. */
  makeFolder(path: string): void;
  /** The names of files and folders in it, sorted; none where it is missing. */
  names(path: string): string[];
  /** Opens for reading and writing; creates an empty file where there is none. */
  open(path: string): DiskFile;
  /** The whole file; null: it is not there. */
  read(path: string): Uint8Array | null;
  /** The file has this content from here on, or the one it had: never a part. Durable when this returns. */
  replace(path: string, content: Uint8Array): void;
  /** A new file with this content. It is durable when it has been synced, and its folder. */
  create(path: string, content: Uint8Array): DiskFile;
  /** A file or a folder. Durable when this returns. */
  rename(from: string, to: string): void;
  /** A file, within its folder. Durable once that has been synced. */
  move(from: string, to: string): void;
  /** A file; it may be missing. */
  remove(path: string): void;
  /** With all that is in it; it may be missing. */
  removeFolder(path: string): void;
  /** The same in the background: the folder is called `to` until all of it is gone, and a kill may leave a part of it there. Calls back at the end. */
  discardFolder(path: string, to: string, done: () => void): void;
  /**
   * Takes the file for this process alone, until it is disposed of or the process ends, however it ends. null: another one has it.
   * "unsupported": the file system has no locks.
   */
  lock(path: string): Disposable | "unsupported" | null;
  /** Makes names of files durable that were created or removed in the folder. */
  syncFolder(path: string): void;
  /** The same in the background: calls back when they are, or with what went wrong. A folder that is gone has no names. */
  syncFolderLater(path: string, done: (error: DiskError | null) => void): void;
}

export interface DiskFile {
  /** Bytes. */
  readonly size: number;
  /** Writes all of it. A caller may change the memory afterwards. After an error any part may have been written. */
  write(content: Uint8Array, at: number): void;
  /** Fills `into` from the offset `at`, as far as the file reaches; returns how many bytes that were. */
  read(into: Uint8Array, at: number): number;
  truncate(size: number): void;
  /** Calls back when all that was written before this call is on the disk, or with what went wrong. */
  sync(done: (error: DiskError | null) => void): void;
  syncNow(): void;
  close(): void;
}

/** `code` is the system's: ENOSPC, EACCES, EIO … */
export class DiskError extends Error {
  readonly code: string;
  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }

  /** Whether it is over when somebody makes room. */
  get isFull(): boolean {
    return this.code === "ENOSPC" || this.code === "EDQUOT";
  }
}
