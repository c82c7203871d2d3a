/** Where the records of one group lie that count: its term and vote, its snapshot, and the entries behind that. */
import type { SnapshotHead } from "../../raft/driver/group-log.ts";
import type { HardState } from "../../raft/state.ts";

export interface JournalPlace {
  readonly position: number;
  /** The record takes so many bytes. */
  readonly length: number;
}

export class GroupIndex {
  readonly name: string;
  /** The number of the last record. */
  ordinal = 0;
  hard: HardState | undefined;
  hardPlace: JournalPlace | undefined;
  snapshot: SnapshotHead | undefined;
  snapshotPlace: JournalPlace | undefined;
  isDamaged = false;
  entryBytes = 0;
  /** Entries behind the snapshot, without a gap. Two arrays of numbers take a fraction of what objects would. */
  private readonly positions: number[] = [];
  private readonly lengths: number[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get startIndex(): number {
    return this.snapshot?.index ?? 0;
  }

  get lastIndex(): number {
    return this.startIndex + this.positions.length;
  }

  /** Undefined: it is not there. */
  entry(index: number): JournalPlace | undefined {
    const at = index - this.startIndex - 1;
    const position = this.positions[at];
    return position === undefined ? undefined : { position, length: this.lengths[at]! };
  }

  get liveBytes(): number {
    return this.entryBytes + (this.hardPlace?.length ?? 0) + (this.snapshotPlace?.length ?? 0);
  }

  cutAfter(index: number): void {
    this.drop(Math.max(0, index - this.startIndex), Infinity);
  }

  append({ position, length }: JournalPlace): void {
    this.positions.push(position);
    this.lengths.push(length);
    this.entryBytes += length;
  }

  moved(index: number, { position, length }: JournalPlace): void {
    this.positions[index - this.startIndex - 1] = position;
    this.lengths[index - this.startIndex - 1] = length;
  }

  installed(snapshot: SnapshotHead, place: JournalPlace): void {
    this.drop(0, Infinity);
    this.snapshot = snapshot;
    this.snapshotPlace = place;
  }

  compacted(snapshot: SnapshotHead, place: JournalPlace): void {
    this.drop(0, snapshot.index - this.startIndex);
    this.snapshot = snapshot;
    this.snapshotPlace = place;
  }

  private drop(from: number, count: number): void {
    this.positions.splice(from, count);
    for (const length of this.lengths.splice(from, count)) this.entryBytes -= length;
  }
}
