/**
 * Reads the journal when the server starts. It says of each group what is there, and whether something is missing that was durable: such a
 * member may neither vote nor count before it is whole again.
 *
 * - Behind what is known to have been durable in the last segment, records that are not whole are what a crash has torn off. They are cut.
 * - A damaged body is that of one group. A damaged head can be that of any: each group is under suspicion whose next record does not follow
 *   on the last one by its ordinal, or that has none.
 * - What was found out before, and is on record since (`loss` of HARD), is not found out again.
 */
import { GroupIndex, type JournalPlace } from "./group-index.ts";
import { readHard, readSnapshotHead } from "./journal-bodies.ts";
import { isBodySound, Kind, nextHead, readHead, type JournalRecord } from "./journal-record.ts";
import { positionOf, type Segments } from "./segments.ts";

interface Recovering {
  readonly group: GroupIndex;
  /** Those that lie in removed segments come later, as MOVED. Null: it is damaged. */
  readonly entries: Map<number, JournalPlace | null>;
  /** No entry has a higher index. */
  lastIndex: number;
  /** There was a hole, and no record of the group since. */
  isSuspect: boolean;
  hasLostHard: boolean;
  hasLostLog: boolean;
}

export interface Found {
  readonly groups: Map<string, GroupIndex>;
  /** Something is missing that could be of groups of which nothing is known. */
  readonly hasHoles: boolean;
}

export function recoverJournal(segments: Segments): Found {
  return new Recovery(segments).run();
}

class Recovery {
  private readonly segments: Segments;
  private readonly groups = new Map<string, Recovering>();
  private hasHoles = false;
  /** Bytes of the segment before; Infinity: it was removed, or there was none. */
  private sizeBefore = Infinity;

  constructor(segments: Segments) {
    this.segments = segments;
  }

  run(): Found {
    const numbers = this.segments.stored();
    numbers.forEach((number, i) => {
      if (i > 0 && number !== numbers[i - 1]! + 1) this.hole();
      const size = this.readSegment(number, i === numbers.length - 1);
      this.segments.found(number, size);
      this.sizeBefore = size;
    });
    if (this.segments.isBehindMark()) this.hole();
    this.segments.settle();
    const groups = new Map<string, GroupIndex>();
    for (const [name, each] of this.groups) groups.set(name, finished(each));
    return { groups, hasHoles: this.hasHoles };
  }

  /** Returns how much of it counts. */
  private readSegment(segment: number, isLast: boolean): number {
    const memory = this.segments.load(segment);
    const durable = isLast ? durableIn(memory) : memory.length;
    let at = 0;
    while (at < memory.length) {
      const record = readHead(memory, at);
      const isWhole = record !== undefined && at + record.length <= memory.length;
      if (at === 0 && record !== undefined && record.before > this.sizeBefore) this.hole();
      const isSound = isWhole && isBodySound(memory, at, record);
      if (!isSound && at >= durable) return at;
      if (isWhole) {
        const body = isSound ? this.bodyOf(memory, at, record) : null;
        this.take(record, body, { position: positionOf(segment, at), length: record.length });
        at += record.length;
        continue;
      }
      this.hole();
      const next = nextHead(memory, at + 8);
      at = next < 0 ? memory.length : next;
    }
    return at;
  }

  /** null: it cannot be opened. */
  private bodyOf(memory: Buffer, at: number, record: JournalRecord): Buffer | null {
    const { bodyAt, bodyLength } = record;
    return this.segments.bodies.open(memory.subarray(at + bodyAt, at + bodyAt + bodyLength), record);
  }

  /** Records of any group are missing here. */
  private hole(): void {
    this.hasHoles = true;
    for (const each of this.groups.values()) each.isSuspect = true;
  }

  /** `body`: null: it is damaged. */
  private take(record: JournalRecord, body: Buffer | null, place: JournalPlace): void {
    const each = this.groups.get(record.group) ?? this.begin(record);
    const { group } = each;
    if (record.ordinal !== group.ordinal + 1) lose(each);
    each.isSuspect = false;
    group.ordinal = record.ordinal;
    replay(each, record, body, place);
    if (record.kind === Kind.REMOVED) this.groups.delete(record.group);
  }

  private begin(record: JournalRecord): Recovering {
    const group = new GroupIndex(record.group);
    // what came before lay in segments that are removed, or is missing
    const isSuspect = this.hasHoles && record.ordinal !== 1;
    group.ordinal = isSuspect ? 0 : record.ordinal - 1;
    const begun = {
      group,
      entries: new Map(),
      lastIndex: 0,
      isSuspect,
      hasLostHard: false,
      hasLostLog: false,
    };
    this.groups.set(record.group, begun);
    return begun;
  }
}

function lose(each: Recovering): void {
  each.hasLostHard = true;
  each.hasLostLog = true;
}

function replay(each: Recovering, record: JournalRecord, body: Buffer | null, place: JournalPlace): void {
  const { group } = each;
  const { kind, index, term } = record;
  switch (kind) {
    case Kind.HARD:
      each.hasLostHard = body === null;
      if (body === null) return;
      group.hard = readHard(body, term);
      group.hardPlace = place;
      if (group.hard.loss !== "none") each.hasLostLog = false;
      return;
    case Kind.ENTRY:
      dropFrom(each, index);
      return keep(each, index, body && place);
    case Kind.MOVED:
      return keep(each, index, body && place);
    case Kind.CUT:
      return dropFrom(each, index + 1);
    case Kind.INSTALLED:
    case Kind.COMPACTED:
      return replaySnapshot(each, record, body, place);
  }
}

function replaySnapshot(
  each: Recovering,
  record: JournalRecord,
  body: Buffer | null,
  place: JournalPlace,
): void {
  const { group, entries } = each;
  const { kind, index } = record;
  if (kind === Kind.INSTALLED) entries.clear();
  for (const other of [...entries.keys()]) if (other <= index) entries.delete(other);
  if (body === null) {
    // what it stands for is missing, which makes a gap
    group.snapshot = undefined;
    group.snapshotPlace = undefined;
    keep(each, index, null);
  } else {
    group.snapshot = readSnapshotHead(body, record);
    group.snapshotPlace = place;
  }
}

function keep(each: Recovering, index: number, place: JournalPlace | null): void {
  each.entries.set(index, place);
  each.lastIndex = Math.max(each.lastIndex, index);
}

function dropFrom(each: Recovering, index: number): void {
  for (let other = each.lastIndex; other >= index; other--) each.entries.delete(other);
  each.lastIndex = Math.min(each.lastIndex, index - 1);
}

/** Entries behind a gap are lost. */
function finished(each: Recovering): GroupIndex {
  const { group, entries, isSuspect } = each;
  if (isSuspect) lose(each);
  let index = group.startIndex + 1;
  for (let place = entries.get(index); place; place = entries.get(++index)) group.append(place);
  for (const other of entries.keys()) if (other >= index) each.hasLostLog = true;
  if (each.hasLostHard) {
    group.hard = undefined;
    group.hardPlace = undefined;
  }
  group.isDamaged = each.hasLostLog;
  return group;
}

/** How far the last segment is known to have been durable. */
export function durableIn(memory: Buffer): number {
  let durable = 0;
  for (let at = 0; at >= 0 && at < memory.length;) {
    const record = readHead(memory, at);
    if (record === undefined) {
      at = nextHead(memory, at + 8);
      continue;
    }
    durable = Math.max(durable, record.synced);
    at += record.length;
  }
  return durable;
}
