/** Footers of sealed blocks: a start reads them instead of the blocks, and whatever is wrong with them costs nothing. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import type { Disk, DiskFile } from "../../../src/store/disk.ts";
import { RowCache } from "../../../src/store/row-cache.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";
import { hashSubject } from "../../../src/store/subject-table.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

const MESSAGES = 400;
const BODY = "x".repeat(100);

/** Counts the bytes that are read. */
class CountingDisk extends FaultyDisk {
  bytesRead = 0;

  override open(path: string): DiskFile {
    const file = super.open(path);
    return {
      get size() {
        return file.size;
      },
      write: (content, at) => file.write(content, at),
      read: (into, at) => {
        this.bytesRead += into.length;
        return file.read(into, at);
      },
      truncate: (size) => file.truncate(size),
      sync: (done) => file.sync(done),
      syncNow: () => file.syncNow(),
      close: () => file.close(),
    };
  }
}

function open(disk: Disk, cache = new RowCache()): StreamStore {
  return new StreamStore({ disk, cache, folder: "/s", firstSequence: 1, blockBytes: 4000 });
}

/** Messages on three subjects, of which every fourth was removed and the first ones purged. */
function written(disk: Disk): void {
  const store = open(disk);
  for (let i = 1; i <= MESSAGES; i++) {
    const body = Buffer.from(`${i} ${BODY}`);
    store.append({ subject: `s.${i % 3}`, headerLength: i % 5 === 0 ? 2 : 0, body, timeNs: BigInt(i) });
    if (i % 4 === 0) store.remove(i - 2);
  }
  store.purge({ filter: null, below: 20, keep: 0 });
  store.syncNow();
  store.close();
}

/** All that can be asked of a store. */
function answers(store: StreamStore): unknown {
  const sequences = (filters: string[] | null): number[] => {
    const found: number[] = [];
    for (let at = store.next(1, filters); at !== 0; at = store.next(at + 1, filters)) found.push(at);
    return found;
  };
  const headed: number[] = [];
  store.visitHeaded(50, (sequence) => headed.push(sequence));
  return {
    headed,
    all: sequences(null).map((at) => [at, store.read(at)?.subject, store.bytesOf(at)]),
    one: sequences(["s.1"]),
    some: sequences(["s.1", "*.2"]),
    counts: [1, 50, 200, MESSAGES].map((from) => [
      store.countFrom(from, null),
      store.countFrom(from, ["s.*"]),
    ]),
    subjects: [...store.subjectsMatching(">")].toSorted((a, b) => (a.subject < b.subject ? -1 : 1)),
    firsts: ["s.0", "s.1", "s.2"].map((subject) => [store.firstOf(subject), store.lastOf(subject, 100)]),
    state: [store.first, store.last, store.messages, store.bytes, store.lastTimeNs, store.holeCount],
    lost: [...store.lost],
    holes: [...store.holes()],
  };
}

function expected(): unknown {
  const disk = new FaultyDisk(seededRandom(1));
  const store = new StreamStore({ disk, folder: "/s", firstSequence: 1 }); // one block, which has no footer
  for (let i = 1; i <= MESSAGES; i++) {
    const body = Buffer.from(`${i} ${BODY}`);
    store.append({ subject: `s.${i % 3}`, headerLength: i % 5 === 0 ? 2 : 0, body, timeNs: BigInt(i) });
    if (i % 4 === 0) store.remove(i - 2);
  }
  store.purge({ filter: null, below: 20, keep: 0 });
  return answers(store);
}

describe("a start", () => {
  it("reads no more of sealed blocks than their footers, and finds the same", () => {
    const disk = new CountingDisk(seededRandom(1));
    written(disk);
    open(disk).close(); // the block that was being written gets its footer, too
    const files = disk.names("/s").map((name) => disk.open(`/s/${name}`).size);
    const sizeBytes = files.reduce((sum, size) => sum + size, 0);
    disk.bytesRead = 0;
    const store = open(disk);
    expect(disk.bytesRead).toBeLessThan(sizeBytes / 2);
    expect(store.log.blocks.length).toBeGreaterThan(10);
    expect(answers(store)).toEqual(expected());
  });

  it("finds the same without footers, and writes them again", () => {
    const disk = new CountingDisk(seededRandom(1));
    written(disk);
    const store = open(disk);
    const ends = store.log.blocks.map(({ end }) => end);
    store.close();
    for (const [i, name] of disk.names("/s").entries()) disk.open(`/s/${name}`).truncate(ends[i]!);
    const again = open(disk);
    expect(answers(again)).toEqual(expected());
    expect(again.log.blocks.map(({ footerLength }) => footerLength > 0)).not.toContain(false);
    again.close();
    expect(answers(open(disk))).toEqual(expected());
  });

  it("finds the same whatever bit of a footer is flipped, or however much of it is cut", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed);
      const disk = new FaultyDisk(random);
      written(disk);
      const store = open(disk);
      const { number, end, footerLength } = store.log.blocks[seed % 5]!;
      store.close();
      const path = `/s/${String(number).padStart(12, "0")}.blk`;
      const at = end + Math.floor(random.next() * footerLength);
      if (seed % 3 === 0) disk.open(path).truncate(at);
      else
        disk.flipBit(
          () => path,
          () => at,
        );
      const again = open(disk);
      expect([...again.lost], `seed ${seed}`).toEqual([]);
      expect(answers(again), `seed ${seed}`).toEqual(expected());
    }
  });
});

it("rows that had to leave memory are read again, one by one or all of a block", () => {
  const disk = new FaultyDisk(seededRandom(1));
  written(disk);
  const store = open(disk, new RowCache(0));
  expect(answers(store)).toEqual(expected());
  for (let at = store.last; at >= store.first; at -= 7) {
    const view = store.read(at);
    if (view !== null) expect(view.body.toString()).toBe(`${at} ${BODY}`);
    expect(view !== null).toBe(store.has(at));
  }
  expect(store.log.blocks.filter(({ rows }) => rows !== null).length).toBeLessThanOrEqual(1);
});

it("a footer that is damaged while the server runs is made up for by the records", () => {
  const disk = new FaultyDisk(seededRandom(1));
  written(disk);
  const store = open(disk, new RowCache(0));
  for (const block of store.log.blocks) {
    const file = disk.open(`/s/${String(block.number).padStart(12, "0")}.blk`);
    file.write(Buffer.alloc(block.footerLength), block.end);
  }
  expect(answers(store)).toEqual(expected());
});

describe("subjects that share a hash", () => {
  /** Two of them, found by trying. */
  function colliding(): [string, string] {
    const seen = new Map<number, string>();
    for (let i = 0; ; i++) {
      const subject = `c.${i}`;
      const other = seen.get(hashSubject(subject, 0));
      if (other !== undefined) return [other, subject];
      seen.set(hashSubject(subject, 0), subject);
    }
  }
  const [one, other] = colliding();
  const disk = new FaultyDisk(seededRandom(1));
  const writer = open(disk);
  const sequences = new Map<string, number[]>([
    [one, []],
    [other, []],
    ["d", []],
  ]);
  for (let i = 0; i < 200; i++) {
    const subject = [one, "d", other][i % 3]!;
    const body = Buffer.from(BODY);
    sequences.get(subject)!.push(writer.append({ subject, headerLength: 0, body, timeNs: 1n }));
  }

  function check(store: StreamStore): void {
    for (const [subject, wanted] of sequences) {
      const found: number[] = [];
      for (let at = store.next(1, [subject]); at !== 0; at = store.next(at + 1, [subject])) found.push(at);
      expect(found).toEqual(wanted);
      expect(store.countOf(subject)).toBe(wanted.length);
      expect([store.firstOf(subject), store.lastOf(subject)]).toEqual([wanted[0] ?? 0, wanted.at(-1) ?? 0]);
      for (const sequence of wanted) expect(store.subjectOf(sequence)).toBe(subject);
    }
  }

  it("are told apart while the server runs, and after a start", () => {
    check(writer);
    writer.syncNow();
    writer.close();
    check(open(disk));
    const store = open(disk, new RowCache(0));
    for (const subject of [one, other]) {
      const gone = sequences.get(subject)!.splice(0, 5);
      for (const sequence of gone) expect(store.remove(sequence)).toBe(true);
      store.remove(sequences.get(subject)!.pop()!);
    }
    check(store);
    store.syncNow();
    check(open(disk));
  });
});
