/** Blocks that hold little are rewritten, and footers of full ones written, in steps; what happens between the steps counts. */
import { afterEach, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";

const BLOCK_BYTES = 1024 * 1024;
const BODY = Buffer.from("some message, which is longer than what says that it has gone".repeat(2));
/** Calls that end held syncs. */
let synced: (() => void)[] = [];
let isHeld = false;
afterEach(() => {
  synced = [];
  isHeld = false;
});

/** Syncs end at once, or when they are let. */
class HeldDisk extends MemoryDisk {
  override open(path: string): ReturnType<MemoryDisk["open"]> {
    const file = super.open(path);
    const sync = file.sync.bind(file);
    file.sync = (done) => {
      if (isHeld) synced.push(() => sync(done));
      else sync(done);
    };
    return file;
  }
}

function open(disk: MemoryDisk | null): StreamStore {
  return new StreamStore({
    disk,
    folder: "s",
    firstSequence: 1,
    seed: 7,
    recall: "none",
    blockBytes: BLOCK_BYTES,
    sealedBlocks: "synced later",
  });
}

/** Two full blocks, and one that is being written. Of ten messages one stays. */
function sparse(disk: MemoryDisk | null): StreamStore {
  const store = open(disk);
  while (store.log.blocks.length < 3) {
    store.append({
      subject: `s.${store.last % 100}`,
      headerLength: 0,
      body: BODY,
      timeNs: BigInt(store.last),
    });
    store.flush();
  }
  for (let sequence = 1; sequence <= store.last; sequence++) if (sequence % 10 !== 0) store.remove(sequence);
  store.flush();
  while (!store.log.finishing.isIdle) store.clean();
  return store;
}

function cleanAll(store: StreamStore, between: () => void = () => {}): number {
  let steps = 0;
  for (; store.clean() !== "nothing"; steps++) between();
  return steps;
}

function held(store: StreamStore): number[] {
  const all: number[] = [];
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
    expect(store.read(at)!.subject).toBe(`s.${(at - 1) % 100}`);
    all.push(at);
  }
  return all;
}

it.each(["file", "memory"] as const)(
  "messages that go while their block is rewritten stay gone: %s",
  (storage) => {
    const disk = storage === "file" ? new HeldDisk() : null;
    const store = sparse(disk);
    const sizeBefore = store.log.sizeBytes;
    const expected = held(store);
    let turn = 0;
    const steps = cleanAll(store, () => {
      const gone = expected.splice((turn += 37) % expected.length, 1)[0]!;
      expect(turn % 2 === 0 ? store.erase(gone) : store.remove(gone)).toBe(true);
    });
    expect(steps).toBeGreaterThan(6);
    cleanAll(store);
    expect(store.log.sizeBytes).toBeLessThan(sizeBefore / 2);
    expect(held(store)).toEqual(expected);
    store.syncNow();
    store.close();
    if (disk === null) return;
    expect(disk.names("s").some((name) => name.endsWith(".new"))).toBe(false);
    const again = open(disk);
    expect(held(again)).toEqual(expected);
    expect([again.messages, again.bytes, again.last, again.lost.count]).toEqual([
      store.messages,
      store.bytes,
      store.last,
      0,
    ]);
  },
);

it("a block is replaced once the disk has what replaces it, and what says that its messages are gone", () => {
  const disk = new HeldDisk();
  const store = sparse(disk);
  isHeld = true;
  cleanAll(store);
  const content = (): number => disk.read("s/000000000001.blk")!.length;
  const before = content();
  expect(synced.length).toBeGreaterThan(0);
  for (const done of synced.splice(0)) done();
  expect(content()).toBe(before); // the log has been synced; now the new file is
  for (const done of synced.splice(0)) done();
  expect(content()).toBeLessThan(before / 2);
  store.close();
});

it("a store that is closed while a block is rewritten leaves the block as it is", () => {
  const disk = new HeldDisk();
  const store = sparse(disk);
  const expected = held(store);
  isHeld = true;
  cleanAll(store);
  store.close();
  while (synced.length > 0) for (const done of synced.splice(0)) done();
  isHeld = false;
  const again = open(disk);
  expect(held(again)).toEqual(expected);
  expect(disk.names("s").some((name) => name.endsWith(".new"))).toBe(false);
});

it("blocks are not read where nothing would be gained", () => {
  const store = open(new HeldDisk());
  while (store.log.blocks.length < 3)
    store.append({ subject: "s", headerLength: 0, body: Buffer.from("x"), timeNs: 1n });
  for (let sequence = 1; sequence <= store.last; sequence++) if (sequence % 2 === 0) store.remove(sequence);
  store.flush();
  while (!store.log.finishing.isIdle) store.clean();
  expect(store.clean()).toBe("nothing");
});

it("the footer of a full block is written in steps, and at the latest when the store is closed", () => {
  const disk = new HeldDisk();
  const store = open(disk);
  const fill = (blocks: number): void => {
    while (store.log.blocks.length < blocks)
      store.append({ subject: `s.${store.last}`, headerLength: 0, body: Buffer.from("x"), timeNs: 1n });
  };
  fill(2);
  const [first] = store.log.blocks;
  let steps = 0;
  for (; first!.footerLength === 0; steps++) store.flush();
  expect(steps).toBeGreaterThan(3);
  fill(6);
  const without = store.log.blocks.slice(0, -1).filter(({ footerLength }) => footerLength === 0);
  expect(without.length).toBe(2); // no more wait
  const { length } = store.log.blocks;
  store.flush();
  store.close();
  expect(store.log.blocks.slice(0, length - 1).every(({ footerLength }) => footerLength > 0)).toBe(true);
  const again = open(disk);
  expect([again.messages, again.last]).toEqual([store.messages, store.last]);
});

it("the files of blocks of which nothing is left go once the log says so durably, after one sync for all of them", () => {
  const disk = new FaultyDisk(seededRandom(1), "when asked");
  const store = new StreamStore({ disk, folder: "/s", firstSequence: 1, blockBytes: 4000 });
  const body = Buffer.from("x".repeat(100));
  for (let i = 1; i <= 400; i++) store.append({ subject: "s", headerLength: 0, body, timeNs: BigInt(i) });
  store.syncNow();
  while (disk.syncs.length > 0) disk.syncs.shift()!(); // those of full blocks
  const before = disk.names("/s").length;
  store.compact(350);
  store.flush();
  for (let i = 0; i < 50; i++) store.clean();
  expect(disk.names("/s").length).toBe(before);
  let syncs = 0;
  for (; disk.syncs.length > 0; syncs++) disk.syncs.shift()!();
  while (store.clean() !== "nothing");
  expect(disk.names("/s").length).toBeLessThan(before / 2);
  expect(syncs).toBeLessThan(before / 4);
  disk.crash();
  const again = new StreamStore({ disk, folder: "/s", firstSequence: 1, blockBytes: 4000 });
  expect([again.first, again.last, again.messages]).toEqual([350, 400, 51]);
});
