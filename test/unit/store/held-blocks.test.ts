/** Nothing is written behind a block before the disk has it, and nobody waits for that. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { DiskError, type DiskFile } from "../../../src/store/disk.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

const BODY = Buffer.from("x".repeat(100));

/** Counts syncs that are waited for, and refuses as many others as it is told to. */
class WatchedDisk extends FaultyDisk {
  waitedFor = 0;
  refusals = 0;

  override open(path: string): DiskFile {
    const file = super.open(path);
    return {
      get size() {
        return file.size;
      },
      write: (content, at) => file.write(content, at),
      read: (into, at) => file.read(into, at),
      truncate: (size) => file.truncate(size),
      sync: (done) => {
        if (this.refusals === 0) file.sync(done);
        else this.later(() => done(--this.refusals >= 0 ? new DiskError("the disk is ill", "EIO") : null));
      },
      syncNow: () => {
        this.waitedFor++;
        file.syncNow();
      },
      close: () => file.close(),
    };
  }

  endSyncs(): void {
    for (let next = this.syncs.shift(); next !== undefined; next = this.syncs.shift()) next();
  }

  sizes(): number[] {
    return this.names("/s").map((name) => super.open(`/s/${name}`).size);
  }
}

function open(disk: FaultyDisk): StreamStore {
  return new StreamStore({ disk, folder: "/s", firstSequence: 1, blockBytes: 4000 });
}

function append(store: StreamStore): void {
  store.append({ subject: "s", headerLength: 0, body: BODY, timeNs: BigInt(store.last + 1) });
}

/** The first message of the second block has been appended. */
function atSecondBlock(disk: WatchedDisk): StreamStore {
  const store = open(disk);
  while (store.log.blocks.length < 2) append(store);
  store.flush();
  return store;
}

describe("a block that follows a full one", () => {
  it("is written when the full one is on the disk, and nobody waits for that", () => {
    const disk = new WatchedDisk(seededRandom(1), "when asked");
    const store = atSecondBlock(disk);
    expect(disk.sizes()[1]).toBe(0);
    expect(store.written).toBeLessThan(store.last);
    const ended: (DiskError | null)[] = [];
    store.sync((error) => ended.push(error));
    append(store);
    disk.syncs.shift()!();
    expect(store.written).toBe(store.last);
    expect(ended).toEqual([]);
    disk.endSyncs();
    expect(ended).toEqual([null]);
    expect(disk.waitedFor).toBe(0);
    store.flush();
    expect(disk.sizes()[1]).toBeGreaterThan(0);
  });

  it("waits for it where there is no time, or it is full itself", () => {
    const disk = new WatchedDisk(seededRandom(1), "when asked");
    atSecondBlock(disk).syncNow();
    expect(disk.sizes()[1]).toBeGreaterThan(0);
    const other = new WatchedDisk(seededRandom(1), "when asked");
    const store = atSecondBlock(other);
    while (store.log.blocks.length < 3) append(store);
    expect(other.waitedFor).toBe(1);
    expect(other.sizes()[1]).toBeGreaterThan(0);
    other.endSyncs();
    store.flush();
    expect(store.written).toBe(store.last);
  });

  it("is not written while the disk refuses the sync, and whoever asks is told", () => {
    const disk = new WatchedDisk(seededRandom(1), "when asked");
    disk.refusals = 2;
    const store = atSecondBlock(disk);
    disk.endSyncs();
    const ended: (string | null)[] = [];
    const ask = (): void => {
      store.sync((error) => ended.push(error?.code ?? null));
      disk.endSyncs();
    };
    ask(); // of the one before
    ask();
    expect([ended, disk.sizes()[1]]).toEqual([["EIO", "EIO"], 0]);
    ask();
    expect(ended).toEqual(["EIO", "EIO", null]);
    expect(disk.sizes()[1]).toBeGreaterThan(0);
  });

  it("does not make damage of what a power loss took from the end of the full one", () => {
    const whole = new WatchedDisk(seededRandom(1), "when asked");
    atSecondBlock(whole);
    const [size] = whole.sizes();
    for (let cut = 1; cut < 400; cut += 7) {
      const disk = new WatchedDisk(seededRandom(1), "when asked");
      const { last } = atSecondBlock(disk);
      disk.syncs.length = 0;
      disk.open("/s/000000000001.blk").truncate(size! - cut);
      const again = open(disk);
      expect([again.lost.count, again.messages], `cut by ${cut}`).toEqual([0, again.last]);
      expect(again.last).toBeLessThan(last);
      append(again);
      again.syncNow();
      disk.crash();
      const third = open(disk);
      expect([third.lost.count, third.last]).toEqual([0, again.last]);
    }
  });
});
