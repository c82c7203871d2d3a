/** The log of one group in the journal. */
import { assert } from "../../base/assert.ts";
import type { GroupLog, LoggedEntry, SnapshotHead } from "../../raft/driver/group-log.ts";
import type { HardState, RaftSnapshot } from "../../raft/state.ts";
import type { GroupIndex, JournalPlace } from "./group-index.ts";
import { dataAt, hardBody, snapshotBody } from "./journal-bodies.ts";
import { isBodySound, Kind, readHead, recordLength, type JournalRecord } from "./journal-record.ts";
import type { Segments } from "./segments.ts";

export interface GroupFileLogHost {
  /** "always": whatever the policy. */
  stored(durability: "always" | "by policy"): void;
  closed(): void;
  removed(): void;
}

const NOTHING = new Uint8Array(0);
/** Bytes that are read at once where many small entries are wanted. */
const WINDOW_BYTES = 256 * 1024;

export class GroupFileLog implements GroupLog {
  private readonly index: GroupIndex;
  private readonly segments: Segments;
  private readonly host: GroupFileLogHost;
  constructor(index: GroupIndex, segments: Segments, host: GroupFileLogHost) {
    this.index = index;
    this.segments = segments;
    this.host = host;
  }

  get hard(): HardState | undefined {
    return this.index.hard;
  }

  get snapshot(): SnapshotHead | undefined {
    return this.index.snapshot;
  }

  get lastIndex(): number {
    return this.index.lastIndex;
  }

  get isDamaged(): boolean {
    return this.index.isDamaged;
  }

  get entryBytes(): number {
    return this.index.entryBytes;
  }

  save(hard: HardState): void {
    const { index } = this;
    index.hardPlace = this.write(Kind.HARD, 0, hard.term, hardBody(hard));
    index.hard = hard;
    if (hard.loss !== "none") index.isDamaged = false;
    this.host.stored("always");
  }

  cutAfter(index: number): void {
    this.write(Kind.CUT, index, 0, NOTHING);
    this.index.cutAfter(index);
    this.host.stored("always");
  }

  append({ index, term, bytes }: LoggedEntry): void {
    assert(index === this.index.lastIndex + 1, "entries follow on each other");
    this.index.append(this.write(Kind.ENTRY, index, term, bytes));
    this.host.stored("by policy");
  }

  install(snapshot: RaftSnapshot): void {
    const { index, term, peers } = snapshot;
    const place = this.write(Kind.INSTALLED, index, term, snapshotBody(snapshot));
    this.index.installed({ index, term, peers }, place);
    this.host.stored("always");
  }

  compact(snapshot: RaftSnapshot): void {
    const { index, term, peers } = snapshot;
    assert(index > this.index.startIndex && index <= this.index.lastIndex, "a snapshot is of what is there");
    const place = this.write(Kind.COMPACTED, index, term, snapshotBody(snapshot));
    this.index.compacted({ index, term, peers }, place);
    this.host.stored("always");
  }

  read(fromIndex: number, bytesMax: number): LoggedEntry[] {
    const found: LoggedEntry[] = [];
    let bytes = 0;
    let window: { readonly from: number; readonly memory: Buffer } | undefined;
    for (let index = fromIndex; bytes < bytesMax; index++) {
      const place = this.index.entry(index);
      if (place === undefined) break;
      const { position, length } = place;
      const isIn =
        window !== undefined &&
        position >= window.from &&
        position + length <= window.from + window.memory.length;
      if (!isIn || window === undefined) {
        const wanted = Math.min(Math.max(bytesMax - bytes, length), Math.max(WINDOW_BYTES, length));
        window = { from: position, memory: this.segments.read(position, wanted) };
      }
      const at = position - window.from;
      const head = soundHead(window.memory, at);
      if (head === null || (found.length > 0 && bytes + head.bodyLength > bytesMax)) break;
      const body = this.bodyOf(window.memory, at, head);
      if (body === null) break;
      bytes += head.bodyLength;
      found.push({ index, term: head.term, bytes: body });
    }
    return found;
  }

  readSnapshot(): RaftSnapshot | null {
    const { snapshot, snapshotPlace } = this.index;
    if (snapshot === undefined || snapshotPlace === undefined) return null;
    const memory = this.segments.read(snapshotPlace.position, snapshotPlace.length);
    const head = soundHead(memory, 0);
    if (head === null) return null;
    const body = this.bodyOf(memory, 0, head);
    if (body === null) return null;
    return { ...snapshot, data: body.subarray(dataAt(body)) };
  }

  lose(fromIndex: number): void {
    this.index.cutAfter(fromIndex - 1);
    this.index.isDamaged = true;
  }

  close(): void {
    this.host.closed();
  }

  remove(): void {
    this.write(Kind.REMOVED, 0, 0, NOTHING);
    this.host.removed();
    this.host.stored("by policy");
  }

  private bodyOf(memory: Buffer, at: number, head: JournalRecord): Buffer | null {
    const { bodyAt, bodyLength } = head;
    return this.segments.bodies.open(memory.subarray(at + bodyAt, at + bodyAt + bodyLength), head);
  }

  private write(kind: number, index: number, term: number, body: Uint8Array): JournalPlace {
    const { name: group } = this.index;
    const ordinal = ++this.index.ordinal;
    const stored = this.segments.bodies.seal(body, { kind, group, index, term });
    const position = this.segments.append({ kind, group, ordinal, index, term }, stored);
    return { position, length: recordLength(group, stored.length) };
  }
}

/** Null: the record is damaged. */
function soundHead(memory: Buffer, at: number): JournalRecord | null {
  const head = readHead(memory, at);
  if (head === undefined || at + head.length > memory.length || !isBodySound(memory, at, head)) return null;
  return head;
}
