/** The files of a consumer: cut, overwritten or flipped at any place, they give back a state that the consumer had, and damage is said. */
import { describe, expect, it } from "vitest";
import type { ConsumerEntry } from "../../../src/store/consumer-entries.ts";
import { ConsumerLog } from "../../../src/store/consumer-log.ts";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";

const ENTRY = 40;
const ENTRIES = Array.from({ length: 12 }, (_, i): ConsumerEntry => ({
  kind: 1 + (i % 3),
  streamSequence: i + 1,
  consumerSequence: i + 1,
  count: 1,
  timeMs: 1000 + i,
}));

function written(): MemoryDisk {
  const disk = new MemoryDisk();
  const log = open(disk).log;
  log.fold();
  for (const entry of ENTRIES) log.append(entry);
  log.flush();
  log.close();
  return disk;
}

function open(disk: MemoryDisk) {
  const entries: ConsumerEntry[] = [];
  const snapshots: string[] = [];
  const log = new ConsumerLog({ disk, folder: "/c", snapshot: () => '{"a state":1}' });
  const isSound = log.recover(
    (text) => snapshots.push(text),
    (entry) => entries.push(entry),
  );
  return { log, entries, snapshots, isSound };
}

describe("the log of a consumer", () => {
  it("gives back what lies before a place where it was cut", () => {
    for (let size = 0; size <= ENTRIES.length * ENTRY; size++) {
      const disk = written();
      disk.open("/c/log").truncate(size);
      const { entries, isSound } = open(disk);
      expect(entries).toEqual(ENTRIES.slice(0, Math.floor(size / ENTRY)));
      expect(isSound).toBe(true);
    }
  });

  it("gives back what lies before a flipped bit, says so, and keeps what lies behind", () => {
    for (let bit = 0; bit < ENTRIES.length * ENTRY * 8; bit++) {
      const disk = written();
      const at = bit >> 3;
      const content = Buffer.from(disk.read("/c/log")!);
      content[at]! ^= 1 << (bit & 7);
      disk.replace("/c/log", content);
      const place = Math.floor(at / ENTRY);
      const { log, entries, isSound } = open(disk);
      expect(entries, `bit ${bit}`).toEqual(ENTRIES.slice(0, place));
      const isLast = place === ENTRIES.length - 1; // a torn write looks like that
      expect(isSound).toBe(isLast);
      expect(disk.read("/c/log.damaged")?.length).toBe(isLast ? undefined : content.length - place * ENTRY);
      log.append(ENTRIES[0]!);
      log.flush();
      expect(open(disk).entries).toEqual([...ENTRIES.slice(0, place), ENTRIES[0]]);
    }
  });

  it("passes over garbage behind its last entry", () => {
    for (let length = 1; length < 200; length += 13) {
      const disk = written();
      const garbage = Buffer.alloc(length, 0xa5);
      disk.open("/c/log").write(garbage, ENTRIES.length * ENTRY);
      const { entries, isSound } = open(disk);
      expect(entries).toEqual(ENTRIES);
      expect(isSound).toBe(true);
      expect(disk.open("/c/log").size).toBe(ENTRIES.length * ENTRY);
    }
  });
});

it("the snapshot of a consumer is not taken where it was cut or a bit was flipped, and that is said", () => {
  const size = written().read("/c/state")!.length;
  for (let at = 0; at < size; at++) {
    for (const how of ["cut", "flipped"]) {
      const disk = written();
      const content = Buffer.from(disk.read("/c/state")!);
      if (how === "flipped") content[at]! ^= 0x10;
      disk.replace("/c/state", how === "cut" ? content.subarray(0, at) : content);
      const { snapshots, entries, isSound } = open(disk);
      expect([snapshots, isSound], `${how} at ${at}`).toEqual([[], false]);
      expect(entries).toEqual(ENTRIES);
    }
  }
});
