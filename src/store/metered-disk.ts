/** A disk that counts syncs and how long they take: they decide how fast what is acknowledged is kept. */
import type { Disk, DiskError, DiskFile } from "./disk.ts";
import { ForwardingDisk, ForwardingFile } from "./forwarding-disk.ts";

/** A sync that takes longer is slow. */
const SLOW_MS = 100;
/** Where syncs take longer, as a rule, the way through the thread pool adds little to one. */
const QUICK_MS = 2;
/** Of so many syncs the last ones count. */
const TYPICAL_OF = 8;

interface SyncCounters {
  syncs: number;
  /** Of these, longer than a tenth of a second. */
  slow: number;
  failed: number;
  /** All together. */
  ms: number;
}

export class MeteredDisk extends ForwardingDisk {
  readonly counters: SyncCounters = { syncs: 0, slow: 0, failed: 0, ms: 0 };
  /** How long a sync takes, as a rule. */
  private typicalMs = 0;
  /** Work in the background that has not ended. */
  private readonly underWay = new Set<Promise<void>>();
  readonly nowMs: () => number;

  /** `nowMs`: of a clock that tells parts of a millisecond. */
  constructor(disk: Disk, nowMs: () => number) {
    super(disk);
    this.nowMs = nowMs;
  }

  override get isSlow(): boolean {
    return this.typicalMs > QUICK_MS;
  }

  /** A sync has ended. */
  count(ms: number): void {
    const { counters } = this;
    counters.syncs++;
    counters.ms += ms;
    if (ms > SLOW_MS) counters.slow++;
    this.typicalMs += (ms - this.typicalMs) / TYPICAL_OF;
  }

  override open(path: string): DiskFile {
    return new MeteredFile(this.disk.open(path), this);
  }

  /** Resolves when nothing is under way: files that were closed before are closed then. */
  async settled(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  override create(path: string, content: Uint8Array): DiskFile {
    return new MeteredFile(this.disk.create(path, content), this);
  }

  override discardFolder(path: string, to: string, done: () => void): void {
    const ended = this.begin();
    this.disk.discardFolder(path, to, () => {
      ended();
      done();
    });
  }

  override syncFolderLater(path: string, done: (error: DiskError | null) => void): void {
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

class MeteredFile extends ForwardingFile {
  private readonly disk: MeteredDisk;

  constructor(file: DiskFile, disk: MeteredDisk) {
    super(file);
    this.disk = disk;
  }

  override sync(done: (error: DiskError | null) => void): void {
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

  override syncNow(): void {
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

  private count(sinceMs: number): void {
    this.disk.count(this.disk.nowMs() - sinceMs);
  }
}
