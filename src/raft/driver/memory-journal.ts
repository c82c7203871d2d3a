/** The journal of groups in memory: a member that starts again has lost everything, and says so. */
import { assert } from "../../base/assert.ts";
import type { HardState, RaftSnapshot } from "../state.ts";
import type { GroupLog, LoggedEntry, RaftJournal } from "./group-log.ts";

export class MemoryJournal implements RaftJournal {
  readonly failure = null;
  readonly isStuck = false;
  private readonly logs = new Map<string, MemoryLog>();

  get groups(): readonly string[] {
    return [...this.logs.keys()];
  }

  open(group: string): GroupLog {
    const log = this.logs.get(group) ?? new MemoryLog(() => void this.logs.delete(group));
    assert(!log.isOpen, "a group is open once at most");
    log.isOpen = true;
    this.logs.set(group, log);
    return log;
  }

  commit(done: () => void): void {
    done();
  }
}

class MemoryLog implements GroupLog {
  hard: HardState | undefined;
  snapshot: RaftSnapshot | undefined;
  readonly isDamaged = false;
  entryBytes = 0;
  isOpen = false;
  /** Those behind the snapshot. */
  private entries: LoggedEntry[] = [];
  private readonly removed: () => void;

  constructor(removed: () => void) {
    this.removed = removed;
  }

  get lastIndex(): number {
    return this.start + this.entries.length;
  }

  save(hard: HardState): void {
    this.hard = hard;
  }

  cutAfter(index: number): void {
    for (const { bytes } of this.entries.splice(index - this.start)) this.entryBytes -= bytes.length;
  }

  append(entry: LoggedEntry): void {
    assert(entry.index === this.lastIndex + 1, "entries follow on each other");
    this.entries.push(entry);
    this.entryBytes += entry.bytes.length;
  }

  install(snapshot: RaftSnapshot): void {
    this.snapshot = snapshot;
    this.entries = [];
    this.entryBytes = 0;
  }

  compact(snapshot: RaftSnapshot): void {
    for (const { bytes } of this.entries.splice(0, snapshot.index - this.start))
      this.entryBytes -= bytes.length;
    this.snapshot = snapshot;
  }

  read(fromIndex: number, bytesMax: number): LoggedEntry[] {
    const found: LoggedEntry[] = [];
    let bytes = 0;
    for (let i = fromIndex - this.start - 1; i >= 0 && i < this.entries.length; i++) {
      const entry = this.entries[i]!;
      if (found.length > 0 && bytes + entry.bytes.length > bytesMax) break;
      bytes += entry.bytes.length;
      found.push(entry);
    }
    return found;
  }

  readSnapshot(): RaftSnapshot | null {
    return this.snapshot ?? null;
  }

  lose(fromIndex: number): void {
    this.cutAfter(fromIndex - 1);
  }

  close(): void {
    this.isOpen = false;
  }

  remove(): void {
    this.removed();
  }

  private get start(): number {
    return this.snapshot?.index ?? 0;
  }
}
