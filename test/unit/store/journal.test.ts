/** The journal of Raft groups on a disk that loses power, flips bits and fills up. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import type { GroupLog } from "../../../src/raft/driver/group-log.ts";
import type { HardState } from "../../../src/raft/state.ts";
import { FileJournal, type JournalPolicy } from "../../../src/store/journal/file-journal.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

const FOLDER = "raft";
const PEERS = { size: 1, peers: ["aaaaaaaa"], domainExtension: 0 };
const WHOLE: HardState = { term: 3, vote: "aaaaaaaa", loss: "none" };

class Journals {
  readonly disk: FaultyDisk;
  readonly later: (() => void)[] = [];
  private readonly segmentBytes: number;

  constructor(segmentBytes = 4096, seed = 1) {
    this.disk = new FaultyDisk(seededRandom(seed));
    this.segmentBytes = segmentBytes;
  }

  open(policy: JournalPolicy = "sync"): FileJournal {
    const { disk, segmentBytes, later } = this;
    return new FileJournal({
      disk,
      folder: FOLDER,
      policy,
      segmentBytes,
      later: (work) => void later.push(work),
    });
  }

  /** Names of the segments, oldest first. */
  get segments(): string[] {
    return this.disk.names(FOLDER).filter((name) => name.endsWith(".raft"));
  }

  /** Flips a bit of a byte. */
  flip(segment: string, offset: number): void {
    this.disk.flipBit(
      () => `${FOLDER}/${segment}`,
      () => offset,
    );
  }
}

function fill(log: GroupLog, from: number, to: number, term = 3, length = 100): void {
  for (let index = from; index <= to; index++)
    log.append({ index, term, bytes: new Uint8Array(length).fill(index) });
}

function committed(journal: FileJournal): boolean {
  let isDone = false;
  journal.commit(() => (isDone = true));
  return isDone;
}

const indexes = (log: GroupLog, from: number): number[] => log.read(from, 1 << 20).map(({ index }) => index);

describe("the journal of Raft groups", () => {
  it("has after a loss of power what was committed", () => {
    const journals = new Journals();
    const journal = journals.open();
    const log = journal.open("g");
    log.save(WHOLE);
    fill(log, 1, 20);
    expect(committed(journal)).toBe(true);
    journals.disk.crash();
    const again = journals.open().open("g");
    expect(again.hard).toEqual(WHOLE);
    expect(again.isDamaged).toBe(false);
    expect(indexes(again, 1)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(again.read(7, 1)[0]).toMatchObject({ index: 7, term: 3, bytes: Buffer.alloc(100, 7) });
  });

  it("keeps the groups apart, and knows their names", () => {
    const journals = new Journals();
    const journal = journals.open();
    const logs = ["a", "b", "c"].map((name) => journal.open(name));
    for (let index = 1; index <= 5; index++) for (const log of logs) fill(log, index, index);
    logs[1]!.cutAfter(2);
    journal.close();
    const again = journals.open();
    expect(again.groups).toEqual(["a", "b", "c"]);
    expect(again.groups.map((name) => again.open(name).lastIndex)).toEqual([5, 2, 5]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "cuts what a crash has torn off, and nothing before it, seed %i",
    (seed) => {
      const journals = new Journals(4096, seed);
      const journal = journals.open();
      const log = journal.open("g");
      log.save(WHOLE);
      fill(log, 1, 10);
      committed(journal);
      fill(log, 11, 30);
      // written, and not synced
      journals.disk.syncs.length = 0;
      journal["segments"].flush();
      journals.disk.crash();
      const again = journals.open().open("g");
      expect(again.isDamaged).toBe(false);
      expect(again.lastIndex).toBeGreaterThanOrEqual(10);
      expect(indexes(again, 1)).toHaveLength(again.lastIndex);
    },
  );

  it("serves what was cut and written again, after a restart as well", () => {
    const journals = new Journals();
    const journal = journals.open();
    const log = journal.open("g");
    fill(log, 1, 10);
    log.cutAfter(6);
    fill(log, 7, 8, 4);
    committed(journal);
    for (const each of [log, journals.open().open("g")]) {
      expect(each.lastIndex).toBe(8);
      expect(each.read(7, 1 << 20).map(({ term }) => term)).toEqual([4, 4]);
    }
  });

  it("replaces entries by snapshots", () => {
    const journals = new Journals();
    const journal = journals.open();
    const log = journal.open("g");
    fill(log, 1, 10);
    log.compact({ index: 6, term: 3, peers: PEERS, data: Buffer.from("six") });
    fill(log, 11, 12);
    const other = journal.open("h");
    fill(other, 1, 3);
    other.install({ index: 50, term: 9, peers: PEERS, data: Buffer.from("fifty") });
    fill(other, 51, 51, 9);
    journal.close();
    const again = journals.open();
    const [first, second] = [again.open("g"), again.open("h")];
    expect(first.snapshot).toEqual({ index: 6, term: 3, peers: PEERS });
    expect(indexes(first, 7)).toEqual([7, 8, 9, 10, 11, 12]);
    expect(first.readSnapshot()?.data).toEqual(Buffer.from("six"));
    expect(indexes(second, 51)).toEqual([51]);
    expect(second.readSnapshot()?.data).toEqual(Buffer.from("fifty"));
  });

  it("gives back the room of what no longer counts, and keeps what an idle group has", () => {
    const journals = new Journals();
    const journal = journals.open();
    const idle = journal.open("idle");
    idle.save(WHOLE);
    fill(idle, 1, 3);
    const busy = journal.open("busy");
    for (let index = 1; index <= 400; index++) {
      fill(busy, index, index);
      if (index % 10 === 0)
        busy.compact({ index, term: 3, peers: PEERS, data: Buffer.from(`state ${index}`) });
      committed(journal);
    }
    expect(journals.segments[0]).not.toBe("0000000001.raft");
    expect(journal.size.bytes).toBeLessThan(6 * 4096);
    for (const each of [journal, journals.open()]) {
      const again = each === journal ? idle : each.open("idle");
      expect(again.hard).toEqual(WHOLE);
      expect(indexes(again, 1)).toEqual([1, 2, 3]);
      expect(again.isDamaged).toBe(false);
    }
    journals.disk.crash();
    const after = journals.open();
    expect(indexes(after.open("idle"), 1)).toEqual([1, 2, 3]);
    expect(after.open("busy").readSnapshot()?.data).toEqual(Buffer.from("state 400"));
  });

  it("forgets a group that is removed", () => {
    const journals = new Journals();
    const journal = journals.open();
    fill(journal.open("stays"), 1, 3);
    const log = journal.open("goes");
    fill(log, 1, 3);
    log.close();
    log.remove();
    journal.close();
    expect(journals.open().groups).toEqual(["stays"]);
  });
});

describe("damage to the journal", () => {
  /** Two groups with ten entries each in the first segments, and more after that. */
  function damaged(damage: (journals: Journals) => void): { g: GroupLog; h: GroupLog; other: GroupLog } {
    const journals = new Journals();
    const journal = journals.open();
    const [g, h] = [journal.open("g"), journal.open("h")];
    for (const log of [g, h]) log.save(WHOLE);
    for (let index = 1; index <= 10; index++) for (const log of [g, h]) fill(log, index, index);
    committed(journal);
    fill(g, 11, 60);
    committed(journal);
    damage(journals);
    const again = journals.open();
    return { g: again.open("g"), h: again.open("h"), other: again.open("other") };
  }

  it("of a body is that of one group, which keeps what was before it", () => {
    // the fifth entry of g lies behind two records of 64 bytes and eight of 152
    const { g, h, other } = damaged((journals) => journals.flip("0000000001.raft", 2 * 64 + 8 * 152 + 100));
    expect(g.isDamaged).toBe(true);
    expect(g.hard).toEqual(WHOLE);
    expect(g.lastIndex).toBe(4);
    expect(h.isDamaged).toBe(false);
    expect(h.lastIndex).toBe(10);
    expect(other.isDamaged).toBe(false);
  });

  it("of a head makes all suspect that have no later record to prove the opposite", () => {
    // the last entry of h
    const { g, h, other } = damaged((journals) => journals.flip("0000000001.raft", 2 * 64 + 19 * 152 + 20));
    expect(g.isDamaged).toBe(false);
    expect(g.hard).toEqual(WHOLE);
    expect(h.isDamaged).toBe(true);
    expect(h.hard).toBeUndefined();
    expect(other.isDamaged).toBe(true);
  });

  it("is seen where a segment is missing", () => {
    const { g, h } = damaged(({ disk, segments }) => disk.remove(`${FOLDER}/${segments[1]!}`));
    expect(g.isDamaged).toBe(true);
    expect(h.isDamaged).toBe(true);
  });

  it("is seen where a segment lacks its end", () => {
    const { g } = damaged(({ disk, segments }) => {
      const file = disk.open(`${FOLDER}/${segments[0]!}`);
      // up to the end of a record
      file.truncate(2 * 64 + 18 * 152);
    });
    expect(g.isDamaged).toBe(true);
  });

  it("is seen where a journal that was closed lacks its end", () => {
    const journals = new Journals();
    const journal = journals.open();
    const log = journal.open("g");
    log.save(WHOLE);
    fill(log, 1, 10);
    journal.close();
    const name = journals.segments.at(-1)!;
    journals.disk.open(`${FOLDER}/${name}`).truncate(64 + 5 * 152);
    const again = journals.open().open("g");
    expect(again.isDamaged).toBe(true);
    expect(again.hard).toBeUndefined();
  });

  it("is found out again at each start until it is on record, and not after that", () => {
    const journals = new Journals();
    const journal = journals.open();
    const log = journal.open("g");
    log.save(WHOLE);
    fill(log, 1, 10);
    committed(journal);
    fill(log, 11, 60);
    committed(journal);
    journals.flip(journals.segments[0]!, 64 + 4 * 152 + 100);
    journals.open();
    const found = journals.open();
    const again = found.open("g");
    expect(again.isDamaged).toBe(true);
    again.save({ ...WHOLE, loss: "log" });
    fill(again, 5, 6, 4);
    again.save({ ...WHOLE, term: 4 });
    committed(found);
    const whole = journals.open().open("g");
    expect(whole.isDamaged).toBe(false);
    expect(whole.lastIndex).toBe(6);
  });
});

describe("a disk that refuses", () => {
  it("is asked again when it was full, and nothing counts before", () => {
    const journals = new Journals();
    const journal = journals.open();
    const log = journal.open("g");
    fill(log, 1, 3);
    committed(journal);
    journals.disk.freeBytes = 0;
    fill(log, 4, 6);
    let isDone = false;
    journal.commit(() => (isDone = true));
    expect(journal.isStuck).toBe(true);
    journals.later.shift()!();
    expect(isDone).toBe(false);
    expect(indexes(log, 1)).toEqual([1, 2, 3, 4, 5, 6]);
    journals.disk.freeBytes = Infinity;
    journals.later.shift()!();
    expect(isDone).toBe(true);
    expect(journal.isStuck).toBe(false);
    expect(indexes(journals.open().open("g"), 1)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe("when the journal syncs", () => {
  function syncsOf(policy: JournalPolicy, act: (log: GroupLog) => void): number {
    const disk = new FaultyDisk(seededRandom(1), "when asked");
    const journal = new FileJournal({ disk, folder: FOLDER, policy, later: () => undefined });
    act(journal.open("g"));
    committed(journal);
    return disk.syncs.length;
  }

  it("does so for all that waits by one sync", () => {
    const disk = new FaultyDisk(seededRandom(1), "when asked");
    const journal = new FileJournal({ disk, folder: FOLDER, policy: "sync", later: () => undefined });
    const done: string[] = [];
    for (const name of ["a", "b", "c"]) fill(journal.open(name), 1, 2);
    for (const name of ["first", "second"]) journal.commit(() => void done.push(name));
    expect(disk.syncs).toHaveLength(1);
    disk.syncs.shift()!();
    // it has covered what the second one asked for
    expect(done).toEqual(["first", "second"]);
    expect(disk.syncs).toHaveLength(0);
  });

  it("leaves entries to the kernel where the policy is lazy, but never a term and a vote", () => {
    expect(syncsOf("sync", (log) => fill(log, 1, 2))).toBe(1);
    expect(syncsOf("lazy", (log) => fill(log, 1, 2))).toBe(0);
    expect(syncsOf("lazy", (log) => log.save(WHOLE))).toBe(1);
  });
});
