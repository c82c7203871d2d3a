/**
 * What a consumer did, on disk: entries of fixed size that are appended, and now and then folded into a snapshot, which is written and synced
 * in the background: what comes meanwhile goes to the next log. A snapshot names the log whose entries follow it.
 *
 *     state (log 4) | log.4                       state (log 4) | log.4 | log.5                state (log 5) | log.5
 *                     is long: a fold begins ─▶           state.new is being synced ─▶                 log.4 goes
 *
 * A log begins with what it follows: how long the one before it was. Where that has lost some of it to a power loss, it is not replayed, as none
 * of it was confirmed. Replaying an entry twice changes nothing, so a kill between snapshot and cut costs nothing.
 *
 *     0 u32 checksum of what follows   4 u8 kind   8 f64 stream sequence   16 f64 consumer sequence   24 u32 count   32 f64 time (ms)
 *
 * The snapshot is a text of the owner's, with a checksum before it. A torn tail is cut. Where an entry is damaged, those behind it are not
 * replayed, since they depend on it: messages are delivered again rather than lost. What cannot be replayed is kept beside the log.
 */
import { assert } from "../base/assert.ts";
import type { Birth } from "./births.ts";
import { BlockSyncs } from "./block-syncs.ts";
import { readLogs, removeLogs, type RecoveredLog } from "./consumer-log-recovery.ts";
import {
  BEGUN,
  ENTRY,
  isSoundEntry,
  logPath,
  snapshotIn,
  snapshotOf,
  writeEntry,
  type ConsumerEntry,
} from "./consumer-entries.ts";
import { DiskError, type Disk, type DiskFile } from "./disk.ts";

const FOLD_BYTES = 1024 * 1024;
const START_BYTES = 64 * ENTRY;

/** A snapshot that is on its way to the disk. */
interface Fold {
  readonly bytes: number;
}

export interface ConsumerLogOptions {
  /** null: in memory; nothing is kept. */
  readonly disk: Disk | null;
  readonly folder: string;
  /** The whole state as a text, for a snapshot. */
  readonly snapshot: () => string;
}

/** Where a consumer writes what it did. */
export type EntryLog = Pick<
  ConsumerLog,
  | "isInMemory"
  | "last"
  | "written"
  | "append"
  | "flush"
  | "fold"
  | "isSound"
  | "sizeBytes"
  | "sync"
  | "syncNow"
  | "close"
  | "whenBorn"
> & { readonly isShared?: boolean; readonly isSlow?: boolean };

export class ConsumerLog {
  readonly isInMemory: boolean;
  /** Entries appended, and of those written, since the log was opened. */
  last = 0;
  written = 0;
  private readonly options: ConsumerLogOptions;
  private file: DiskFile | null = null;
  private size = 0;
  /** The number of the log that is being written. */
  private number = 0;
  /** Logs whose entries are in no snapshot that is on the disk. */
  private olds: RecoveredLog[] = [];
  /** null: none is under way. */
  private folding: Fold | null = null;
  /** The log is not folded before it is so long. */
  private foldFrom = FOLD_BYTES;
  private readonly syncs: BlockSyncs;
  /** Bytes of the snapshot: the log may grow as long, so that folding costs no more than appending did. */
  private snapshotBytes = 0;
  private pending = Buffer.alloc(START_BYTES);
  private pendingLength = 0;
  private birth: Birth | null = null;

  constructor(options: ConsumerLogOptions) {
    this.options = options;
    this.isInMemory = options.disk === null;
    this.syncs = new BlockSyncs(options.disk, options.folder, null);
  }

  /** Syncs take so long that nobody shall wait for one. */
  get isSlow(): boolean {
    return this.options.disk?.isSlow === true;
  }

  /** Hands over the snapshot, if there is one, and the entries since. False: some of it is damaged. */
  recover(restore: (snapshot: string) => void, replay: (entry: ConsumerEntry) => void): boolean {
    const { disk, folder } = this.options;
    if (disk === null) return true;
    disk.makeFolder(folder);
    disk.remove(`${folder}/state.new`); // a kill interrupted a fold
    const content = disk.read(`${folder}/state`);
    const snapshot = content === null ? null : snapshotIn(content);
    this.snapshotBytes = content?.length ?? 0;
    if (snapshot !== null) restore(snapshot.text);
    const { logs, isSound } = readLogs(disk, folder, snapshot?.log ?? 0, replay);
    const last = logs.pop()!;
    this.file = last.file;
    this.size = last.size;
    this.number = last.number;
    this.olds = logs;
    return isSound && (content === null || snapshot !== null);
  }

  append(entry: ConsumerEntry): void {
    if (this.file === null) return;
    this.last++;
    if (this.pendingLength + ENTRY > this.pending.length) {
      const grown = Buffer.alloc(this.pending.length * 2);
      this.pending.copy(grown);
      this.pending = grown;
    }
    writeEntry(this.pending, this.pendingLength, entry);
    this.pendingLength += ENTRY;
  }

  /** Writes what was appended. Throws `DiskError`. */
  flush(): void {
    const { file, pending, pendingLength } = this;
    if (file === null || pendingLength === 0) return;
    file.write(pending.subarray(0, pendingLength), this.size);
    this.size += pendingLength;
    this.pendingLength = 0;
    if (pending.length > START_BYTES) this.pending = Buffer.alloc(START_BYTES);
    this.written = this.last;
    if (this.folding === null && this.size > Math.max(this.foldFrom, this.snapshotBytes)) this.beginFold();
  }

  /** Replaces what was written by a snapshot. Durable when this returns. */
  fold(): void {
    const { disk, folder, snapshot } = this.options;
    if (disk === null || this.file === null) return;
    this.folding = null; // a snapshot that is on its way comes too late
    const content = snapshotOf(snapshot(), this.number);
    disk.replace(`${folder}/state`, content);
    this.snapshotBytes = content.length;
    this.dropOlds();
    this.file.truncate(0);
    this.size = 0;
    this.pendingLength = 0;
    this.written = this.last;
  }

  /** All that was appended has been written. Where the disk refuses, the log goes on, and is folded later. */
  private beginFold(): void {
    const { disk, folder, snapshot } = this.options;
    const { file, size, number } = this;
    assert(disk !== null && file !== null, "a log that is folded is on the disk");
    this.foldFrom = size + FOLD_BYTES;
    try {
      const next = disk.open(logPath(folder, number + 1));
      next.truncate(0);
      const begun = Buffer.alloc(ENTRY);
      const follows = { kind: BEGUN, streamSequence: size, consumerSequence: number, count: 0, timeMs: 0 };
      writeEntry(begun, 0, follows);
      next.write(begun, 0);
      const content = snapshotOf(snapshot(), number + 1);
      const state = disk.create(`${folder}/state.new`, content);
      this.olds.push({ file, size, number });
      this.syncs.syncLater(file);
      this.syncs.namesChanged();
      this.file = next;
      this.number = number + 1;
      this.size = ENTRY;
      this.finishFold({ bytes: content.length }, state);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  private finishFold(fold: Fold, state: DiskFile): void {
    const { disk, folder } = this.options;
    this.folding = fold;
    state.sync((error) => {
      state.close();
      if (this.folding !== fold) return;
      this.folding = null;
      if (error !== null || !this.moveState()) return;
      this.folding = fold;
      disk?.syncFolderLater(folder, (refusal) => {
        if (this.folding !== fold) return;
        this.folding = null;
        if (refusal !== null) return;
        this.snapshotBytes = fold.bytes;
        this.foldFrom = FOLD_BYTES;
        this.dropOlds();
      });
    });
  }

  private moveState(): boolean {
    const { disk, folder } = this.options;
    try {
      disk?.move(`${folder}/state.new`, `${folder}/state`);
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return false;
    }
  }

  /** The snapshot that is on the disk has their entries. */
  private dropOlds(): void {
    const { disk, folder } = this.options;
    for (const { file } of this.olds) this.syncs.close(file);
    if (disk !== null)
      removeLogs(
        disk,
        folder,
        this.olds.map(({ number }) => number),
      );
    this.olds = [];
  }

  /** The first snapshot of a consumer that was just made: part of its birth. null: in memory. */
  createSnapshot(): DiskFile | null {
    const { disk, folder, snapshot } = this.options;
    if (disk === null) return null;
    const content = snapshotOf(snapshot(), 0);
    this.snapshotBytes = content.length;
    return disk.create(`${folder}/state`, content);
  }

  /** Nothing that is written counts as synced before the consumer itself is durable. */
  bornWith(birth: Birth): void {
    this.birth = birth;
    birth.whenDurable((error) => {
      if (error === null) this.birth = null;
    });
  }

  whenBorn(done: (error: DiskError | null) => void): void {
    if (this.birth === null) done(null);
    else this.birth.whenDurable(done);
  }

  /** Whether what was written can be read back. */
  isSound(): boolean {
    const { file, size } = this;
    const { disk, folder } = this.options;
    if (disk === null || file === null) return true;
    const snapshot = disk.read(`${folder}/state`);
    if (snapshot === null || snapshotIn(snapshot) === null) return false;
    const content = Buffer.allocUnsafeSlow(size);
    if (file.read(content, 0) < size) return false;
    for (let at = 0; at < size; at += ENTRY) if (!isSoundEntry(content, at)) return false;
    return true;
  }

  /** Bytes of the log; a snapshot lies beside it. */
  get sizeBytes(): number {
    return this.size;
  }

  sync(done: (error: DiskError | null) => void): void {
    const { file, birth } = this;
    if (file === null) done(null);
    else if (birth === null) this.syncs.sync(file, done);
    else this.syncs.sync(file, (error) => (error === null ? birth.whenDurable(done) : done(error)));
  }

  syncNow(): void {
    this.flush();
    this.birth?.syncNow();
    if (this.file !== null) this.syncs.syncNow(this.file);
  }

  close(): void {
    this.folding = null;
    for (const { file } of this.olds) file.close();
    this.file?.close();
    this.file = null;
  }
}
