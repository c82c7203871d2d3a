/**
 * What a group keeps, as its driver sees it. `store` implements it on a disk, `memory-journal.ts` in memory. Records are opaque here and
 * there: an entry is stored as the bytes that go to the followers.
 *
 * Reads see changes at once. Changes are durable, in the order of the calls, when a `commit` that began after them calls back.
 */
import type { HardState, RaftSnapshot } from "../state.ts";

/** The snapshot without its data. */
export type SnapshotHead = Omit<RaftSnapshot, "data">;

export interface LoggedEntry {
  readonly index: number;
  readonly term: number;
  /** An append entry, as on the wire. Valid as long as anybody holds it. */
  readonly bytes: Uint8Array;
}

export interface GroupLog {
  /** Undefined: there is none; a group that is not new has lost it. */
  readonly hard: HardState | undefined;
  readonly snapshot: SnapshotHead | undefined;
  /** The index of the last entry, or of the snapshot; 0: there is neither. */
  readonly lastIndex: number;
  /** Something that was acknowledged is missing: entries, or what was behind them. */
  readonly isDamaged: boolean;
  /** Bytes of the entries behind the snapshot. */
  readonly entryBytes: number;
  save(hard: HardState): void;
  /** Entries behind this index leave the log. */
  cutAfter(index: number): void;
  /** The index follows on the last one. */
  append(entry: LoggedEntry): void;
  /** Takes the place of the whole log. */
  install(snapshot: RaftSnapshot): void;
  /** Takes the place of the entries up to its index; those behind it stay. */
  compact(snapshot: RaftSnapshot): void;
  /**
   * Entries from an index on, in order: about so many bytes, and at least one if it is there. Fewer, or none: what comes next is not there,
   * or cannot be read. That is damage if the index is between the snapshot and the last one.
   */
  read(fromIndex: number, bytesMax: number): LoggedEntry[];
  /** Null: there is none, or it cannot be read. */
  readSnapshot(): RaftSnapshot | null;
  /** The entry of this index cannot be read any more: it and those behind it are lost, as if they had been found missing at the start. */
  lose(fromIndex: number): void;
  /** Nothing more is asked of it, but to be removed. */
  close(): void;
  /** The group leaves this server for good. */
  remove(): void;
}

export interface RaftJournal {
  /** The groups that are stored. */
  readonly groups: readonly string[];
  /** The log of a group, an empty one where there is none. A group is open once at most. */
  open(group: string): GroupLog;
  /**
   * Writes what the logs have taken. Calls back once, perhaps before it returns, when all of it is as durable as the policy says. Where
   * that fails it does not call back: the journal tries again by itself, or `failure` says that it has given up.
   */
  commit(done: () => void): void;
  /** Nothing becomes durable any more, until the server starts again. Null: all is well. */
  readonly failure: Error | null;
  /** The disk refuses for now: what is to be stored waits in memory, so that nobody may hand in more of it. */
  readonly isStuck: boolean;
}
