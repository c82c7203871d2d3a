/** Messages that are removed one after the other take one entry of the log, and are gone after a restart. */
import { expect, it } from "vitest";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";

const BODY = Buffer.from("x".repeat(100));

function open(disk: MemoryDisk): StreamStore {
  return new StreamStore({ disk, folder: "s", firstSequence: 1, blockBytes: 8192 });
}

function fill(store: StreamStore, count: number): void {
  for (let i = 0; i < count; i++) store.append({ subject: "a", headerLength: 0, body: BODY, timeNs: 1n });
  store.flush();
}

it("one entry says of all of them that they are gone, over blocks and a restart", () => {
  const disk = new MemoryDisk();
  const store = open(disk);
  fill(store, 300);
  const before = store.log.sizeBytes;
  for (let sequence = 50; sequence <= 250; sequence++) expect(store.remove(sequence)).toBe(true);
  store.remove(260);
  store.flush();
  expect(store.log.sizeBytes - before).toBe(2 * 44);
  store.close();
  const again = open(disk);
  expect([again.messages, again.first, again.last, again.lost.count]).toEqual([98, 1, 300, 0]);
  for (const sequence of [49, 251, 259, 261]) expect(again.has(sequence)).toBe(true);
  for (const sequence of [50, 150, 250, 260]) expect(again.has(sequence)).toBe(false);
  again.close();
});

it.each(["file", "memory"] as const)(
  "a message that was purged is not there again with the next one (%s)",
  (storage) => {
    const disk = storage === "file" ? new MemoryDisk() : null;
    const store = new StreamStore({ disk, folder: "s", firstSequence: 1 });
    fill(store, 3);
    store.purge({ filter: null, below: 0, keep: 0 });
    fill(store, 1);
    expect([store.has(1), store.read(1), store.remove(1), store.messages]).toEqual([false, null, false, 1]);
    expect(store.has(4)).toBe(true);
  },
);

it("what is left when blocks are cleaned says so still", () => {
  const disk = new MemoryDisk();
  const store = open(disk);
  fill(store, 400);
  for (let sequence = 2; sequence <= 390; sequence++) store.remove(sequence);
  store.flush();
  while (store.clean() !== "nothing");
  store.close();
  const again = open(disk);
  expect([again.messages, again.first, again.last, again.lost.count]).toEqual([11, 1, 400, 0]);
  for (let sequence = 391; sequence <= 400; sequence++) again.remove(sequence);
  again.flush();
  while (again.clean() !== "nothing");
  again.close();
  const third = open(disk);
  expect([third.messages, third.first, third.last, third.lost.count]).toEqual([1, 1, 400, 0]);
  third.close();
});
