/**
 * Makes room: when more than half of the journal does not count any more, the records of the oldest segment that still count are written
 * again at the end, some in each turn, and the segment is removed once these are durable.
 *
 * Segments are removed oldest first, so that what a later record makes void never comes back.
 */
import type { GroupIndex, JournalPlace } from "./group-index.ts";
import { isBodySound, Kind, readHead, type JournalRecord } from "./journal-record.ts";
import { positionOf, type Segments } from "./segments.ts";

/** Bytes that are looked at in one turn. */
const SLICE_BYTES = 1 << 20;

interface Cleaning {
  readonly segment: number;
  readonly memory: Buffer;
  at: number;
}

export class Cleaner {
  private readonly segments: Segments;
  private readonly groups: ReadonlyMap<string, GroupIndex>;
  private cleaning: Cleaning | null = null;
  /** Cleaned, and to be removed with the next sync. */
  private cleaned = 0;
  private checkedBytes = 0;

  constructor(segments: Segments, groups: ReadonlyMap<string, GroupIndex>) {
    this.segments = segments;
    this.groups = groups;
  }

  get liveBytes(): number {
    let bytes = 0;
    for (const group of this.groups.values()) bytes += group.liveBytes;
    return bytes;
  }

  /** Does a slice of the work, where there is any. Whether a segment waits for a sync to be removed. */
  clean(): boolean {
    if (this.cleaned > 0) return true;
    this.cleaning ??= this.next();
    const { cleaning } = this;
    if (cleaning === null) return false;
    const until = Math.min(cleaning.memory.length, cleaning.at + SLICE_BYTES);
    while (cleaning.at < until) {
      const record = readHead(cleaning.memory, cleaning.at);
      if (record === undefined) cleaning.at += 8;
      else {
        this.move(cleaning, record);
        cleaning.at += record.length;
      }
    }
    if (cleaning.at < cleaning.memory.length) return false;
    this.cleaned = cleaning.segment;
    this.cleaning = null;
    return true;
  }

  /** All that was written is durable. */
  synced(): void {
    if (this.cleaned > 0) this.segments.remove(this.cleaned);
    this.cleaned = 0;
  }

  private next(): Cleaning | null {
    const { segments } = this;
    const { totalBytes } = segments;
    const [oldest] = segments.sizes.keys();
    if (oldest === undefined || oldest === segments.lastSegment || totalBytes < this.checkedBytes)
      return null;
    const { liveBytes } = this;
    if (totalBytes <= 2 * liveBytes) {
      // adding all up takes long where there are many groups: not before it can have become true
      this.checkedBytes = totalBytes + segments.segmentBytes / 16;
      return null;
    }
    return { segment: oldest, memory: segments.load(oldest), at: 0 };
  }

  private move({ segment, memory, at }: Cleaning, record: JournalRecord): void {
    const group = this.groups.get(record.group);
    if (group === undefined) return;
    const position = positionOf(segment, at);
    const { kind, index, term } = record;
    const entry = group.entry(index);
    const isEntry = (kind === Kind.ENTRY || kind === Kind.MOVED) && entry?.position === position;
    const isHard = group.hardPlace?.position === position;
    const isSnapshot = group.snapshotPlace?.position === position;
    if ((!isEntry && !isHard && !isSnapshot) || !isBodySound(memory, at, record)) return;
    const body = memory.subarray(at + record.bodyAt, at + record.bodyAt + record.bodyLength);
    const movedKind = isEntry ? Kind.MOVED : isSnapshot ? Kind.COMPACTED : Kind.HARD;
    const ordinal = ++group.ordinal;
    const place: JournalPlace = {
      position: this.segments.append({ kind: movedKind, group: record.group, ordinal, index, term }, body),
      length: record.length,
    };
    if (isEntry) group.moved(index, place);
    else if (isHard) group.hardPlace = place;
    else group.snapshotPlace = place;
  }
}
