/** A consumer's log is folded in the background: nobody waits, and a kill or a power loss at any moment costs nothing that was confirmed. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { ConsumerLog } from "../../../src/store/consumer-log.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

const PER_FLUSH = 9000;
/** Entries that make a log long enough. */
const LONG = 27_000;

/** Counts what it did; an entry says which one it is. */
class Counter {
  last = 0;
  readonly log: ConsumerLog;
  readonly isSound: boolean;

  constructor(disk: FaultyDisk) {
    this.log = new ConsumerLog({ disk, folder: "/c", snapshot: () => JSON.stringify({ last: this.last }) });
    this.isSound = this.log.recover(
      (text) => (this.last = (JSON.parse(text) as { last: number }).last),
      ({ streamSequence }) => {
        if (streamSequence > this.last + 1) throw new Error(`${streamSequence} follows ${this.last}`);
        this.last = Math.max(this.last, streamSequence);
      },
    );
  }

  add(count: number): void {
    for (let i = 0; i < count; i++) {
      const streamSequence = ++this.last;
      this.log.append({ kind: 1, streamSequence, consumerSequence: streamSequence, count: 1, timeMs: 1 });
      if (streamSequence % PER_FLUSH === 0) this.log.flush();
    }
    this.log.flush();
  }
}

const names = (disk: FaultyDisk): string[] => disk.names("/c");

describe("a log that has become long", () => {
  it("goes on in the next one, and goes once a snapshot is on the disk", () => {
    const disk = new FaultyDisk(seededRandom(1), "when asked");
    const counter = new Counter(disk);
    counter.add(LONG);
    expect(names(disk)).toEqual(["log", "log.1", "state.new"]);
    counter.add(500);
    while (disk.syncs.length > 0) disk.syncs.shift()!();
    expect(names(disk)).toEqual(["log.1", "state"]);
    expect(new Counter(disk).last).toBe(LONG + 500);
    counter.add(LONG);
    while (disk.syncs.length > 0) disk.syncs.shift()!();
    expect(names(disk)).toEqual(["log.2", "state"]);
    expect(new Counter(disk).last).toBe(2 * LONG + 500);
  });

  it("is cut at once where its owner asks for that, and the snapshot that was on its way comes too late", () => {
    const disk = new FaultyDisk(seededRandom(1), "when asked");
    const counter = new Counter(disk);
    counter.add(LONG);
    counter.last = 7; // it begins again there
    counter.log.fold();
    while (disk.syncs.length > 0) disk.syncs.shift()!();
    expect(new Counter(disk).last).toBe(7);
    counter.add(3);
    expect(new Counter(disk).last).toBe(10);
    expect(names(disk)).toEqual(["log.1", "state"]);
  });

  it("stays where the disk has no room for a snapshot, and is folded later", () => {
    const disk = new FaultyDisk(seededRandom(1), "at once");
    const counter = new Counter(disk);
    counter.add(LONG - 2000);
    disk.freeBytes = 2000 * 40 + 10;
    counter.add(2000);
    expect(new Counter(disk).last).toBe(LONG);
    disk.freeBytes = Infinity;
    counter.add(LONG);
    expect(names(disk)).toContain("state");
    expect(new Counter(disk).last).toBe(2 * LONG);
  });
});

describe("whenever the power goes or the process is killed", () => {
  it.each(["crash", "kill"] as const)("all that was confirmed is there: %s", (how) => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = seededRandom(seed);
      const disk = new FaultyDisk(random, "when asked");
      let counter = new Counter(disk);
      counter.log.syncNow();
      disk.syncFolder("/c");
      for (let round = 0; round < 3; round++) {
        let confirmed = counter.last;
        counter.add(LONG - 1000 + Math.floor(random.next() * 2000));
        for (let step = 0; step < 6; step++) {
          counter.add(Math.floor(random.next() * 50));
          const upTo = counter.last;
          if (random.next() < 0.5) counter.log.sync(() => (confirmed = Math.max(confirmed, upTo)));
          for (let ends = Math.floor(random.next() * 4); ends > 0; ends--) disk.syncs.shift()?.();
        }
        const written = counter.last;
        if (how === "crash") disk.crash();
        else disk.kill();
        counter = new Counter(disk);
        expect(counter.last, `seed ${seed}, round ${round}`).toBeGreaterThanOrEqual(
          how === "crash" ? confirmed : written,
        );
        expect(counter.last).toBeLessThanOrEqual(written);
      }
    }
  });
});
