/**
 * The journal on a disk: the logs of all Raft groups of a server in one sequence of files, so that one sync covers what all of them stored,
 * and an idle group costs no file. Decision 0020 says why.
 *
 * Bounded: what lies in the files is at most some multiple of what counts, since the oldest segment is cleaned while others are written.
 */
import { assert } from "../../base/assert.ts";
import type { GroupLog, RaftJournal } from "../../raft/driver/group-log.ts";
import { DiskError, type Disk } from "../disk.ts";
import { CLEAR_BODIES, type BodySeal } from "./body-seal.ts";
import { Cleaner } from "./cleaner.ts";
import { GroupFileLog } from "./group-file-log.ts";
import { GroupIndex } from "./group-index.ts";
import { recoverJournal } from "./recovery.ts";
import { Segments } from "./segments.ts";

/** "sync": what is stored is on the disk before it counts. "lazy": the kernel has it; terms, votes and snapshots are on the disk anyway. */
export type JournalPolicy = "sync" | "lazy";

export interface FileJournalOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly policy: JournalPolicy;
  /** Absent: bodies of records are in the clear. */
  readonly bodies?: BodySeal;
  /** Absent: 64 MiB. */
  readonly segmentBytes?: number;
  /** Calls `work` once, after a while: the disk may have room then. */
  readonly later: (work: () => void) => void;
}

const SEGMENT_BYTES = 64 * 1024 * 1024;

export class FileJournal implements RaftJournal {
  failure: Error | null = null;
  isStuck = false;
  private readonly options: FileJournalOptions;
  private readonly segments: Segments;
  private readonly cleaner: Cleaner;
  private readonly indexes: Map<string, GroupIndex>;
  private readonly opened = new Map<string, GroupFileLog>();
  private readonly hasHoles: boolean;
  private waiting: (() => void)[] = [];
  private phase: "open" | "syncing" | "closed" = "open";
  /** Something was appended that has to be on the disk, whatever the policy. */
  private mustSync = false;
  private isDirty = false;

  /** Reads all that is stored. Throws `DiskError`. */
  constructor(options: FileJournalOptions) {
    this.options = options;
    const { disk, folder, segmentBytes = SEGMENT_BYTES, bodies = CLEAR_BODIES } = options;
    this.segments = new Segments(disk, folder, segmentBytes, bodies);
    const { groups, hasHoles } = recoverJournal(this.segments);
    this.indexes = groups;
    this.hasHoles = hasHoles;
    this.cleaner = new Cleaner(this.segments, groups);
  }

  get groups(): readonly string[] {
    return [...this.indexes.keys()];
  }

  /** Bytes of the files, and of those the bytes that count. */
  get size(): { readonly bytes: number; readonly liveBytes: number } {
    return { bytes: this.segments.totalBytes, liveBytes: this.cleaner.liveBytes };
  }

  open(group: string): GroupLog {
    assert(!this.opened.has(group), "a group is open once at most");
    let index = this.indexes.get(group);
    if (index === undefined) {
      index = new GroupIndex(group);
      // it may have been among what is missing
      index.isDamaged = this.hasHoles;
      this.indexes.set(group, index);
    }
    const log = new GroupFileLog(index, this.segments, {
      stored: (durability) => {
        this.isDirty = true;
        if (durability === "always") this.mustSync = true;
      },
      closed: () => void this.opened.delete(group),
      removed: () => void this.indexes.delete(group),
    });
    this.opened.set(group, log);
    return log;
  }

  commit(done: () => void): void {
    assert(this.phase !== "closed", "a closed journal stores nothing");
    this.waiting.push(done);
    this.run();
  }

  /** In the background, where the policy is lazy: as often as the owner asks. */
  syncWritten(): void {
    if (!this.isDirty) return;
    this.mustSync = true;
    this.run();
  }

  /** Everything is durable when this returns. Throws `DiskError`. */
  close(): void {
    if (this.phase === "closed") return;
    this.phase = "closed";
    this.waiting = [];
    if (this.failure === null) {
      this.segments.flush();
      this.segments.settle();
      this.segments.mark();
    }
    this.segments.close();
  }

  private run(): void {
    if (this.phase !== "open" || this.failure !== null) return;
    if (!this.writes()) return;
    const { waiting } = this;
    this.waiting = [];
    const needsSync = this.isDirty && (this.mustSync || this.options.policy === "sync");
    if (!needsSync) return waiting.forEach((done) => done());
    this.isDirty = false;
    this.mustSync = false;
    this.phase = "syncing";
    try {
      this.segments.sync((error) => this.synced(error, waiting));
    } catch (error) {
      this.failure = diskErrorOf(error);
    }
  }

  private synced(error: DiskError | null, waiting: readonly (() => void)[]): void {
    if (this.phase !== "syncing") return;
    this.phase = "open";
    if (error !== null) {
      // the kernel may have dropped what it could not write, so that trying again would prove nothing
      this.failure = error;
      return;
    }
    this.cleaner.synced();
    for (const done of waiting) done();
    if (this.waiting.length > 0) this.run();
  }

  private writes(): boolean {
    try {
      this.segments.flush();
      if (this.cleaner.clean()) this.mustSync = this.isDirty = true;
      this.segments.flush();
      this.isStuck = false;
      return true;
    } catch (error) {
      const refused = diskErrorOf(error);
      if (!refused.isFull) this.failure = refused;
      else if (!this.isStuck) this.tryLater();
      this.isStuck = true;
      return false;
    }
  }

  private tryLater(): void {
    this.options.later(() => {
      if (this.phase === "closed") return;
      this.isStuck = false;
      this.run();
    });
  }
}

function diskErrorOf(error: unknown): DiskError {
  if (error instanceof DiskError) return error;
  throw error;
}
