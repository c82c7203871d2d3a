/**
 * The files of the journal: segments with rising numbers, of which the last one is written to. What is appended waits in memory until
 * `flush`. A position is a segment and an offset in one number.
 *
 * Invariant: all segments but the last are durable as a whole, so that what is damaged in them was whole once.
 */
import { assert } from "../../base/assert.ts";
import type { Disk, DiskError, DiskFile } from "../disk.ts";
import type { BodySeal } from "./body-seal.ts";
import { recordLength, writeRecord, type NewRecord } from "./journal-record.ts";

const TWO_32 = 0x1_0000_0000;
const START_BYTES = 64 * 1024;
const SUFFIX = ".raft";

/** Whether it is the name of one. */
export const isSegment = (name: string): boolean => name.endsWith(SUFFIX);

const segmentOf = (position: number): number => Math.floor(position / TWO_32);
const offsetOf = (position: number): number => position % TWO_32;
export const positionOf = (segment: number, offset: number): number => segment * TWO_32 + offset;

/** What waits for one segment. */
interface Pending {
  readonly segment: number;
  /** Where it begins in the file. */
  readonly from: number;
  memory: Buffer;
  length: number;
}

export class Segments {
  readonly sizes = new Map<number, number>();
  private readonly disk: Disk;
  private readonly folder: string;
  readonly segmentBytes: number;
  readonly bodies: BodySeal;
  private readonly files = new Map<number, DiskFile>();
  private pending: Pending[] = [];
  private last = 0;
  /** The segment that was written to last. */
  private written = 1;
  /** How far the last segment is known to be durable. */
  private synced = 0;
  private areNamesDirty = false;

  constructor(disk: Disk, folder: string, segmentBytes: number, bodies: BodySeal) {
    this.bodies = bodies;
    assert(segmentBytes <= TWO_32 / 2, "an offset in a segment fits 32 bits");
    this.disk = disk;
    this.folder = folder;
    this.segmentBytes = segmentBytes;
    disk.makeFolder(folder);
  }

  /** Numbers of the segments on the disk, rising. */
  stored(): number[] {
    const names = this.disk.names(this.folder).filter(isSegment);
    return names.map((name) => Number(name.slice(0, -SUFFIX.length))).sort((a, b) => a - b);
  }

  /** Less is there than was durable when the journal was closed. */
  isBehindMark(): boolean {
    const mark = this.disk.read(this.markPath);
    if (mark === null) return false;
    const [segment = 0, size = 0] = Buffer.from(mark).toString("latin1").split(" ").map(Number);
    return segment > this.last || (segment === this.last && size > this.sizes.get(segment)!);
  }

  /** Everything that is there is durable. */
  mark(): void {
    this.disk.replace(this.markPath, Buffer.from(`${this.last} ${this.sizes.get(this.last)!}`, "latin1"));
  }

  private get markPath(): string {
    return `${this.folder}/mark`;
  }

  /** The whole segment. */
  load(segment: number): Buffer {
    const file = this.file(segment);
    const memory = Buffer.allocUnsafe(file.size);
    return memory.subarray(0, file.read(memory, 0));
  }

  /** A segment of this size is there. Its end was cut, or is to be durable from now on, if it is the last one. */
  found(segment: number, size: number): void {
    const file = this.file(segment);
    if (file.size > size) file.truncate(size);
    this.sizes.set(segment, size);
    this.last = segment;
    this.written = segment;
    this.synced = size;
  }

  /** The end of the last segment is durable when this returns. */
  settle(): void {
    if (this.last === 0) this.begin(1);
    else this.file(this.last).syncNow();
  }

  get lastSegment(): number {
    return this.last;
  }

  get totalBytes(): number {
    let bytes = 0;
    for (const size of this.sizes.values()) bytes += size;
    return bytes;
  }

  /** Returns the position. Nothing is written yet. `body`: as it is to lie on the disk. */
  append(record: Omit<NewRecord, "synced" | "before">, body: Uint8Array): number {
    const length = recordLength(record.group, body.length);
    const size = this.sizes.get(this.last)!;
    if (size > 0 && size + length > this.segmentBytes) this.begin(this.last + 1);
    const pending = this.pendingFor(length);
    const offset = pending.from + pending.length;
    const standing = { synced: this.synced, before: this.sizes.get(this.last - 1) ?? 0 };
    const written = writeRecord(pending.memory, pending.length, { ...record, ...standing }, body);
    assert(written === length, "a record is as long as was reckoned");
    pending.length += length;
    this.sizes.set(this.last, offset + length);
    return positionOf(this.last, offset);
  }

  /** Writes all that was appended. Throws `DiskError`: then what was not written waits on. */
  flush(): void {
    for (let next = this.pending[0]; next !== undefined; next = this.pending[0]) {
      const { segment, from, memory, length } = next;
      if (segment !== this.written) this.file(this.written).syncNow();
      this.written = segment;
      this.file(segment).write(memory.subarray(0, length), from);
      this.pending.shift();
    }
  }

  /** All that is written is durable when this calls back without an error. */
  sync(done: (error: DiskError | null) => void): void {
    const { last } = this;
    const size = this.sizes.get(last)!;
    assert(this.pending.length === 0, "what is synced was written");
    if (this.areNamesDirty) this.disk.syncFolder(this.folder);
    this.areNamesDirty = false;
    this.file(last).sync((error) => {
      if (error === null && last === this.last) this.synced = Math.max(this.synced, size);
      done(error);
    });
  }

  /** Bytes from a position on, as many as there are. They are copied. */
  read(position: number, length: number): Buffer {
    const segment = segmentOf(position);
    const offset = offsetOf(position);
    const pending = this.pending.find((each) => each.segment === segment && offset >= each.from);
    if (pending !== undefined) {
      const from = offset - pending.from;
      return Buffer.from(pending.memory.subarray(from, Math.min(from + length, pending.length)));
    }
    const memory = Buffer.allocUnsafe(length);
    return memory.subarray(0, this.file(segment).read(memory, offset));
  }

  remove(segment: number): void {
    assert(segment < this.last, "the last segment stays");
    this.files.get(segment)?.close();
    this.files.delete(segment);
    this.sizes.delete(segment);
    this.disk.remove(this.path(segment));
    this.disk.syncFolder(this.folder);
  }

  close(): void {
    for (const file of this.files.values()) file.close();
    this.files.clear();
  }

  private begin(segment: number): void {
    this.last = segment;
    this.sizes.set(segment, 0);
    this.synced = 0;
    this.areNamesDirty = true;
  }

  private pendingFor(length: number): Pending {
    let pending = this.pending.at(-1);
    if (pending?.segment !== this.last) {
      const memory = Buffer.allocUnsafe(Math.max(START_BYTES, length));
      pending = { segment: this.last, from: this.sizes.get(this.last)!, memory, length: 0 };
      this.pending.push(pending);
    }
    if (pending.length + length > pending.memory.length) {
      const grown = Buffer.allocUnsafe(Math.max(2 * pending.memory.length, pending.length + length));
      pending.memory.copy(grown, 0, 0, pending.length);
      pending.memory = grown;
    }
    return pending;
  }

  private file(segment: number): DiskFile {
    let file = this.files.get(segment);
    if (file === undefined) {
      file = this.disk.open(this.path(segment));
      this.files.set(segment, file);
    }
    return file;
  }

  private path(segment: number): string {
    return `${this.folder}/${String(segment).padStart(10, "0")}${SUFFIX}`;
  }
}
