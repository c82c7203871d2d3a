/** Lists of the rows of a block by subject: who looks for one subject of many reads some bytes of each block, and finds what is there. */
import { expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { BlockRows } from "../../../src/store/block-rows.ts";
import type { Disk, DiskFile } from "../../../src/store/disk.ts";
import { RowCache } from "../../../src/store/row-cache.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";
import { hasLists, ListsBuilder, listsBytes, ListsReader } from "../../../src/store/subject-lists.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

const SUBJECTS = 50;
const MESSAGES = 6000;

/** Counts the bytes that are read. */
class CountingDisk extends FaultyDisk {
  bytesRead = 0;

  override open(path: string): DiskFile {
    const file = super.open(path);
    const read = file.read.bind(file);
    file.read = (into, at) => {
      this.bytesRead += into.length;
      return read(into, at);
    };
    return file;
  }
}

function open(disk: Disk): StreamStore {
  return new StreamStore({
    disk,
    cache: new RowCache(0),
    folder: "/s",
    firstSequence: 1,
    blockBytes: 64 * 1024,
  });
}

/** The subject of each message, by its sequence; "": it is gone. One subject has most of the messages, and one has few. */
function written(disk: Disk): string[] {
  const random = seededRandom(7);
  const store = open(disk);
  const subjects = [""];
  for (let i = 1; i <= MESSAGES; i++) {
    const other = 2 + Math.floor(random.next() * (SUBJECTS - 2));
    const subject = i % 1000 === 0 ? "s.0" : random.next() < 0.5 ? "s.1" : `s.${other}`;
    subjects.push(subject);
    store.append({ subject, headerLength: 0, body: Buffer.from("x".repeat(30)), timeNs: BigInt(i) });
  }
  for (let i = 0; i < MESSAGES / 5; i++) {
    const sequence = 1 + Math.floor(random.next() * MESSAGES);
    store.remove(sequence);
    subjects[sequence] = "";
  }
  store.syncNow();
  store.close();
  return subjects;
}

function found(store: StreamStore, subject: string): number[] {
  const sequences: number[] = [];
  for (let at = store.next(1, [subject]); at !== 0; at = store.next(at + 1, [subject])) sequences.push(at);
  return sequences;
}

function expected(subjects: readonly string[], subject: string): number[] {
  return subjects.flatMap((own, sequence) => (own === subject ? [sequence] : []));
}

it("finds the messages of each subject, and reads few bytes for those of one that has few", () => {
  const disk = new CountingDisk(seededRandom(1));
  const subjects = written(disk);
  const store = open(disk);
  expect(store.log.blocks.length).toBeGreaterThan(5);
  expect(store.log.blocks.filter(({ lists }) => lists === null)).toEqual([]);
  for (let i = 0; i < SUBJECTS; i++) {
    const subject = `s.${i}`;
    disk.bytesRead = 0;
    expect(found(store, subject), subject).toEqual(expected(subjects, subject));
    if (i === 0) expect(disk.bytesRead).toBeLessThan(store.log.blocks.length * 1000);
  }
});

it("finds the same where it looks on from any message, within a bound", () => {
  const disk = new FaultyDisk(seededRandom(1));
  const subjects = written(disk);
  const store = open(disk);
  for (let from = 1; from <= MESSAGES; from += 97) {
    let at = store.nextWithin(from, ["s.7"], MESSAGES, 100);
    for (let before = from; at < 0; at = store.nextWithin(-at, ["s.7"], MESSAGES, 100)) {
      expect(-at).toBeGreaterThan(before);
      before = -at;
    }
    expect(at).toBe(expected(subjects, "s.7").find((sequence) => sequence >= from) ?? 0);
  }
});

it("finds the same after blocks were rewritten that held little", () => {
  const disk = new FaultyDisk(seededRandom(1));
  const subjects = written(disk);
  const store = open(disk);
  for (const [sequence, subject] of subjects.entries()) {
    if (subject !== "s.1") continue;
    store.remove(sequence);
    subjects[sequence] = "";
  }
  store.syncNow();
  const before = store.log.sizeBytes;
  while (store.clean() !== "nothing");
  expect(store.log.sizeBytes).toBeLessThan(before);
  for (const subject of ["s.0", "s.1", "s.7", "s.49"])
    expect(found(store, subject), subject).toEqual(expected(subjects, subject));
});

it("finds the same whatever bit of the lists or rows is flipped while they are used", () => {
  const disk = new FaultyDisk(seededRandom(1));
  const subjects = written(disk);
  const store = open(disk);
  const right = ["s.0", "s.7", "s.20"].map((subject) => expected(subjects, subject));
  const random = seededRandom(3);
  for (let round = 0; round < 60; round++) {
    const block = store.log.blocks[round % (store.log.blocks.length - 1)]!;
    const from = round % 2 === 0 ? block.lists!.at : block.end;
    const at = from + Math.floor(random.next() * (block.end + block.footerLength - from));
    const path = `/s/${String(block.number).padStart(12, "0")}.blk`;
    const before = Buffer.alloc(1);
    disk.open(path).read(before, at);
    disk.flipBit(
      () => path,
      () => at,
    );
    const sequences = ["s.0", "s.7", "s.20"].map((subject) => found(store, subject));
    expect(sequences, `round ${round}, byte ${at}`).toEqual(right);
    expect([...store.lost]).toEqual([]);
    disk.open(path).write(before, at);
  }
});

it("lists rows in steps as at once, and names all rows of a hash", () => {
  const random = seededRandom(5);
  const rows = new BlockRows();
  for (let i = 0; i < 5000; i++)
    rows.add(10 + 3 * i, i * 100, 90, Math.floor(random.next() ** 2 * 300) * 0x9e3779b1, false);
  for (let row = 0; row < rows.count; row++) rows.words[row * 4 + 3] = rows.hashAt(row) >>> 0;
  expect(hasLists(rows, 300)).toBe(true);
  const memories = [1, 7, 4096, Infinity].map((step) => {
    const builder = new ListsBuilder(rows);
    while (!builder.take(step));
    const memory = Buffer.alloc(listsBytes(rows.count));
    builder.writeTo(memory, 0);
    return memory;
  });
  for (const memory of memories) expect(memory.equals(memories[0]!)).toBe(true);
  const file = new FaultyDisk(random).open("/s/1");
  file.write(memories[0]!, 0);
  const lists = { at: 0, count: rows.count };
  const reader = new ListsReader();
  let listed = 0;
  for (let row = 0; row < rows.count; row += 11) {
    const hash = rows.hashAt(row);
    const places = reader.of(lists, file, hash);
    if (places === null) continue; // many of the rows
    listed++;
    const right = Array.from({ length: rows.count }, (_, i) => i).filter((i) => rows.hashAt(i) === hash);
    expect([...places]).toEqual(right.map((i) => rows.sequenceAt(i) - rows.base));
  }
  expect(listed).toBeGreaterThan(100);
});
