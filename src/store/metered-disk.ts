/** A disk that counts syncs and how long they take: they decide how fast what is acknowledged is kept. */
import type { Disk, DiskError, DiskFile } from "./disk.ts";

/** A sync that takes longer is slow. */
const SLOW_MS = 100;

interface SyncCounters {
  syncs: number;
  /** Of these, longer than a tenth of a second. */
  slow: number;
  failed: number;
  /** All together. */
  ms: number;
}

export class MeteredDisk implements Disk {
  readonly counters: SyncCounters = { syncs: 0, slow: 0, failed: 0, ms: 0 };
  private readonly disk: Disk;
  /** Work in the background that has not ended. */
  private readonly underWay = new Set<Promise<void>>();
  readonly nowMs: () => number;

  /** `nowMs`: of a clock that tells parts of a millisecond. */
  constructor(disk: Disk, nowMs: () => number) {
    this.disk = disk;
    this.nowMs = nowMs;
  }

  get sealBytes(): number {
    return this.disk.sealBytes;
  }

  makeFolder(path: string): void {
    this.disk.makeFolder(path);
  }

  names(path: string): string[] {
    return this.disk.names(path);
  }

  open(path: string): DiskFile {
    return new MeteredFile(this.disk.open(path), this);
  }

  /** Resolves when nothing is under way: files that were closed before are closed then. */
  async settled(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  read(path: string): Uint8Array | null {
    return this.disk.read(path);
  }

  replace(path: string, content: Uint8Array): void {
    this.disk.replace(path, content);
  }

  create(path: string, content: Uint8Array): DiskFile {
    return new MeteredFile(this.disk.create(path, content), this);
  }

  rename(from: string, to: string): void {
    this.disk.rename(from, to);
  }

  remove(path: string): void {
    this.disk.remove(path);
  }

  removeFolder(path: string): void {
    this.disk.removeFolder(path);
  }

  discardFolder(path: string, to: string, done: () => void): void {
    const ended = this.begin();
    this.disk.discardFolder(path, to, () => {
      ended();
      done();
    });
  }

  lock(path: string): Disposable | "unsupported" | null {
    return this.disk.lock(path);
  }

  syncFolder(path: string): void {
    this.disk.syncFolder(path);
  }

  syncFolderLater(path: string, done: (error: DiskError | null) => void): void {
    const ended = this.begin();
    this.disk.syncFolderLater(path, (error) => {
      ended();
      done(error);
    });
  }

  /** Work in the background begins. Returns what ends it. */
  begin(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.underWay.add(promise);
    return () => {
      this.underWay.delete(promise);
      resolve();
    };
  }
}

class MeteredFile implements DiskFile {
  private readonly file: DiskFile;
  private readonly disk: MeteredDisk;

  constructor(file: DiskFile, disk: MeteredDisk) {
    this.file = file;
    this.disk = disk;
  }

  get size(): number {
    return this.file.size;
  }

  write(content: Uint8Array, at: number): void {
    this.file.write(content, at);
  }

  read(into: Uint8Array, at: number): number {
    return this.file.read(into, at);
  }

  truncate(size: number): void {
    this.file.truncate(size);
  }

  sync(done: (error: DiskError | null) => void): void {
    const { disk } = this;
    const sinceMs = disk.nowMs();
    const ended = disk.begin();
    this.file.sync((error) => {
      ended();
      this.count(sinceMs);
      if (error !== null) disk.counters.failed++;
      done(error);
    });
  }

  syncNow(): void {
    const { disk } = this;
    const sinceMs = disk.nowMs();
    try {
      this.file.syncNow();
    } catch (error) {
      disk.counters.failed++;
      throw error;
    } finally {
      this.count(sinceMs);
    }
  }

  close(): void {
    this.file.close();
  }

  private count(sinceMs: number): void {
    const { counters, nowMs } = this.disk;
    const ms = nowMs() - sinceMs;
    counters.syncs++;
    counters.ms += ms;
    if (ms > SLOW_MS) counters.slow++;
  }
}
