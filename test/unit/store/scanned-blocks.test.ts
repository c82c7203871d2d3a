/** Blocks that are read record by record at a start, though others follow them. */
import { expect, it } from "vitest";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";

it("does not bring back messages that went before the rest of their block was written", () => {
  const disk = new MemoryDisk();
  const open = (): StreamStore =>
    new StreamStore({ disk, folder: "/s", firstSequence: 1, blockBytes: 1500, recall: "all" });
  const store = open();
  const append = (): number =>
    store.append({ subject: "s", headerLength: 0, body: Buffer.alloc(50), timeNs: 1n });
  while (store.log.blocks.length < 2) append();
  const from = append() - 1; // the second block begins here
  for (const sequence of [from + 1, from]) store.remove(sequence);
  store.syncNow();
  while (store.log.blocks.length < 4) append();
  store.syncNow();
  const { last, messages } = store;
  store.close();
  const again = open();
  expect([again.first, again.last, again.messages]).toEqual([1, last, messages]);
  const there = Array.from({ length: last }, (_, i) => i + 1).filter((sequence) => again.has(sequence));
  expect(there).toHaveLength(messages);
  for (const sequence of there.slice(0, -1)) again.remove(sequence);
  expect([again.messages, again.first, again.has(last)]).toEqual([1, last, true]);
});
