/**
 * What a consumer did, on disk: entries of fixed size that are appended, and now and then folded into a snapshot. Replaying an
 * entry twice changes nothing, so a kill between snapshot and cut costs nothing.
 *
 *     0 u32 checksum of what follows   4 u8 kind   8 f64 stream sequence   16 f64 consumer sequence   24 u32 count   32 f64 time (ms)
 *
 * The snapshot is a text of the owner's, with a checksum before it. A torn tail is cut. Where an entry is damaged, those behind it are not
 * replayed, since they depend on it: messages are delivered again rather than lost. What cannot be replayed is kept beside the log.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import type { Birth } from "./births.ts";
import { checksum, getDouble, getU32, putDouble, putU32 } from "./bytes.ts";
import type { Disk, DiskError, DiskFile } from "./disk.ts";

const ENTRY = 40;
const FOLD_BYTES = 1024 * 1024;
const START_BYTES = 64 * ENTRY;

export interface ConsumerEntry {
  readonly kind: number;
  readonly streamSequence: number;
  readonly consumerSequence: number;
  readonly count: number;
  readonly timeMs: number;
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
> & { readonly isShared?: boolean };

export class ConsumerLog {
  readonly isInMemory: boolean;
  /** Entries appended, and of those written, since the log was opened. */
  last = 0;
  written = 0;
  private readonly options: ConsumerLogOptions;
  private file: DiskFile | null = null;
  private size = 0;
  /** Bytes of the snapshot: the log may grow as long, so that folding costs no more than appending did. */
  private snapshotBytes = 0;
  private pending = Buffer.alloc(START_BYTES);
  private pendingLength = 0;
  private birth: Birth | null = null;

  constructor(options: ConsumerLogOptions) {
    this.options = options;
    this.isInMemory = options.disk === null;
  }

  /** Hands over the snapshot, if there is one, and the entries since. False: some of it is damaged. */
  recover(restore: (snapshot: string) => void, replay: (entry: ConsumerEntry) => void): boolean {
    const { disk, folder } = this.options;
    if (disk === null) return true;
    disk.makeFolder(folder);
    const snapshot = disk.read(`${folder}/state`);
    const isSound = snapshot === null || isSoundSnapshot(snapshot);
    this.snapshotBytes = snapshot?.length ?? 0;
    if (snapshot !== null && isSound) restore(Buffer.from(snapshot.subarray(4)).toString("latin1"));
    this.file = disk.open(`${folder}/log`);
    const content = Buffer.alloc(this.file.size);
    const length = this.file.read(content, 0);
    let at = 0;
    for (; at + ENTRY <= length; at += ENTRY) {
      if (getU32(content, at) !== checksum(content, at + 4, at + ENTRY)) break;
      replay(readEntry(content, at));
    }
    const isTorn = !hasEntry(content.subarray(at + ENTRY, length));
    if (!isTorn) disk.replace(`${folder}/log.damaged`, content.subarray(at, length));
    this.file.truncate(at);
    this.size = at;
    return isSound && isTorn;
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
    if (this.size + pendingLength > Math.max(FOLD_BYTES, this.snapshotBytes)) this.fold();
    else {
      file.write(pending.subarray(0, pendingLength), this.size);
      this.size += pendingLength;
    }
    this.pendingLength = 0;
    if (pending.length > START_BYTES) this.pending = Buffer.alloc(START_BYTES);
    this.written = this.last;
  }

  /** Replaces what was written by a snapshot. Durable when this returns. */
  fold(): void {
    const { disk, folder, snapshot } = this.options;
    if (disk === null || this.file === null) return;
    const content = snapshotOf(snapshot());
    disk.replace(`${folder}/state`, content);
    this.snapshotBytes = content.length;
    this.file.truncate(0);
    this.size = 0;
    this.pendingLength = 0;
    this.written = this.last;
  }

  /** The first snapshot of a consumer that was just made: part of its birth. null: in memory. */
  createSnapshot(): DiskFile | null {
    const { disk, folder, snapshot } = this.options;
    if (disk === null) return null;
    const content = snapshotOf(snapshot());
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
    if (snapshot === null || !isSoundSnapshot(snapshot)) return false;
    const content = Buffer.allocUnsafeSlow(size);
    if (file.read(content, 0) < size) return false;
    for (let at = 0; at < size; at += ENTRY) {
      if (getU32(content, at) !== checksum(content, at + 4, at + ENTRY)) return false;
    }
    return true;
  }

  /** Bytes of the log; a snapshot lies beside it. */
  get sizeBytes(): number {
    return this.size;
  }

  sync(done: (error: DiskError | null) => void): void {
    const { file, birth } = this;
    if (file === null) done(null);
    else if (birth === null) file.sync(done);
    else file.sync((error) => (error === null ? birth.whenDurable(done) : done(error)));
  }

  syncNow(): void {
    this.flush();
    this.birth?.syncNow();
    this.file?.syncNow();
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }
}

/** Whether a sound entry is among these. */
function hasEntry(entries: Buffer): boolean {
  for (let at = 0; at + ENTRY <= entries.length; at += ENTRY)
    if (getU32(entries, at) === checksum(entries, at + 4, at + ENTRY)) return true;
  return false;
}

function snapshotOf(text: string): Buffer {
  const state = Buffer.from(text, "latin1");
  const content = Buffer.alloc(state.length + 4);
  state.copy(content, 4);
  content.writeUInt32LE(crc32(state), 0);
  return content;
}

function isSoundSnapshot(content: Uint8Array): boolean {
  const bytes = Buffer.from(content);
  return bytes.length > 4 && bytes.readUInt32LE(0) === crc32(bytes.subarray(4));
}

function writeEntry(memory: Buffer, at: number, entry: ConsumerEntry): void {
  assert(Number.isSafeInteger(entry.streamSequence), "a sequence is a whole number");
  putU32(memory, at + 4, entry.kind);
  putDouble(memory, at + 8, entry.streamSequence);
  putDouble(memory, at + 16, entry.consumerSequence);
  putU32(memory, at + 24, entry.count);
  putU32(memory, at + 28, 0);
  putDouble(memory, at + 32, entry.timeMs);
  putU32(memory, at, checksum(memory, at + 4, at + ENTRY));
}

function readEntry(memory: Buffer, at: number): ConsumerEntry {
  return {
    kind: memory[at + 4]!,
    streamSequence: getDouble(memory, at + 8),
    consumerSequence: getDouble(memory, at + 16),
    count: getU32(memory, at + 24),
    timeMs: getDouble(memory, at + 32),
  };
}
