/** Flipped bits, garbage and cut files: what is damaged is known missing by its sequence, everything else is served. */
import { describe, expect, it } from "vitest";
import { randomInt, seededRandom } from "../../../src/base/random.ts";
import { ERASED, recordLength, writeRecord } from "../../../src/store/record.ts";
import { RowCache } from "../../../src/store/row-cache.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

const MESSAGES = 60;

function bodyOf(sequence: number): string {
  return `body of ${sequence} `.repeat(1 + (sequence % 4));
}

/** A stream of some blocks, closed; message 10 was removed. */
function written(disk: FaultyDisk): void {
  const store = open(disk);
  for (let i = 1; i <= MESSAGES; i++)
    store.append({ subject: `s.${i % 3}`, headerLength: 0, body: Buffer.from(bodyOf(i)), timeNs: BigInt(i) });
  store.remove(10);
  store.syncNow();
  store.close();
}

function open(disk: FaultyDisk): StreamStore {
  return new StreamStore({ disk, folder: "/s", firstSequence: 1, blockBytes: 1500 });
}

/** Which messages cannot be read though they were not removed. Those that can are as they were. */
function missing(store: StreamStore): number[] {
  const gone: number[] = [];
  for (let i = 1; i <= MESSAGES; i++) {
    const view = i === 10 ? null : store.read(i);
    if (i !== 10 && view === null) gone.push(i);
    if (view !== null) expect([i, view.subject, view.body.toString()]).toEqual([i, `s.${i % 3}`, bodyOf(i)]);
  }
  return gone;
}

function lostIn(store: StreamStore): number[] {
  return [...store.lost].flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
}

describe("a flipped bit", () => {
  it("costs one message at most, wherever it is, and that one is named", () => {
    let damaged = 0;
    for (let seed = 1; seed <= 1500; seed++) {
      const random = seededRandom(seed);
      const disk = new FaultyDisk(random);
      written(disk);
      const flipped = disk.flipBit(
        (names) => names[randomInt(random, names.length)]!,
        (size) => randomInt(random, size),
      );
      const store = open(disk);
      const gone = missing(store);
      const what = `seed ${seed}: bit at ${flipped.at} of ${flipped.name}`;
      expect(gone.length, what).toBeLessThanOrEqual(1);
      // the mark that 10 was removed may be what is damaged: then 10 is there again
      expect(
        lostIn(store).filter((one) => one !== 10),
        what,
      ).toEqual(gone);
      expect(store.last, what).toBe(MESSAGES);
      const next = store.append({ subject: "s.0", headerLength: 0, body: Buffer.from("new"), timeNs: 99n });
      expect(next, what).toBe(MESSAGES + 1);
      damaged += gone.length;
    }
    expect(damaged).toBeGreaterThan(1000);
  });

  it("is noticed when the message is read, too, while the server runs", () => {
    const disk = new FaultyDisk(seededRandom(1));
    written(disk);
    const store = open(disk);
    disk.flipBit(
      (names) => names[0]!,
      () => 200,
    );
    const gone = missing(store);
    expect(gone).toHaveLength(1);
    expect(lostIn(store)).toEqual(gone);
    expect(store.messages).toBe(MESSAGES - 2);
    expect(store.lostBytes).toBe(recordLength("s.0".length, bodyOf(gone[0]!).length, 0));
  });
});

describe("a row that has no checksum of its own", () => {
  it("costs no message where it is damaged: all rows of the block are read, which have one", () => {
    const disk = new FaultyDisk(seededRandom(1));
    written(disk);
    const cache = new RowCache(0);
    const store = new StreamStore({ disk, folder: "/s", firstSequence: 1, blockBytes: 1500, cache });
    const file = disk.open(`/s/${disk.names("/s")[0]!}`);
    const last = Buffer.alloc(8);
    file.read(last, file.size - 8);
    const rows = file.size - last.readUInt32LE(0) + 44 + 80;
    const offset = Buffer.alloc(4);
    file.read(offset, rows + 2 * 16 + 4);
    offset.writeUInt32LE(offset.readUInt32LE(0) ^ 8);
    file.write(offset, rows + 2 * 16 + 4);
    expect(store.read(3)?.body.toString()).toBe(bodyOf(3));
    expect(missing(store)).toEqual([]);
  });
});

describe("garbage", () => {
  it("in the middle of a block costs the messages it covers, and those are named", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seededRandom(seed);
      const disk = new FaultyDisk(random);
      written(disk);
      const name = disk.names("/s")[1]!;
      const file = disk.open(`/s/${name}`);
      const at = randomInt(random, file.size - 100);
      file.write(Buffer.from(Array.from({ length: 100 }, () => randomInt(random, 256))), at);
      const store = open(disk);
      const gone = missing(store);
      expect(gone.length, `seed ${seed}`).toBeLessThanOrEqual(3);
      expect(
        lostIn(store).filter((one) => one !== 10),
        `seed ${seed}`,
      ).toEqual(gone);
      expect(store.last, `seed ${seed}`).toBe(MESSAGES);
    }
  });

  it("behind the last record is cut, and costs nothing", () => {
    const disk = new FaultyDisk(seededRandom(1));
    written(disk);
    const name = disk.names("/s").at(-1)!;
    const file = disk.open(`/s/${name}`);
    const content = Buffer.alloc(file.size);
    file.read(content, 0);
    const { size } = file;
    file.write(Buffer.from("a torn record of a write that was never confirmed"), size);
    const store = open(disk);
    expect(missing(store)).toEqual([]);
    expect(lostIn(store)).toEqual([]);
    const kept = Buffer.alloc(size);
    disk.open(`/s/${name}`).read(kept, 0);
    expect(kept.equals(content)).toBe(true);
    expect(missing(open(disk))).toEqual([]);
  });
});

it("a block that is gone is noticed by the next one, and its messages are named", () => {
  const disk = new FaultyDisk(seededRandom(1));
  written(disk);
  disk.remove(`/s/${disk.names("/s")[1]!}`);
  const store = open(disk);
  const gone = missing(store);
  expect(gone.length).toBeGreaterThan(5);
  expect(lostIn(store).filter((one) => one !== 10)).toEqual(gone);
  expect(store.last).toBe(MESSAGES);
});

it("a first block without a sound record is damage, too: its messages are named", () => {
  const disk = new FaultyDisk(seededRandom(1));
  written(disk);
  const file = disk.open(`/s/${disk.names("/s")[0]!}`);
  file.write(Buffer.alloc(file.size), 0);
  const store = open(disk);
  const gone = missing(store);
  expect(gone.length).toBeGreaterThan(5);
  expect(lostIn(store).filter((one) => one !== 10)).toEqual(gone);
});

it("what was removed is not called lost later, when the block that says so is rewritten", () => {
  const disk = new FaultyDisk(seededRandom(1));
  const writer = open(disk);
  const body = Buffer.from("a message of some length");
  const append = (): number => writer.append({ subject: "s", headerLength: 0, body, timeNs: 1n });
  while (writer.log.blocks.length < 2) append();
  writer.remove(3);
  const from = writer.last + 1;
  while (writer.log.blocks.length < 4) append();
  for (let sequence = from; sequence < from + 12; sequence++) writer.remove(sequence);
  writer.syncNow();
  writer.close();
  const file = disk.open(`/s/${disk.names("/s")[0]!}`);
  file.write(Buffer.alloc(file.size - 400), 0);
  const store = open(disk);
  const lost = lostIn(store);
  expect(lost).toContain(2);
  expect(lost).not.toContain(3);
  const sizeBytes = store.log.sizeBytes;
  while (store.clean() !== "nothing");
  expect(store.log.sizeBytes).toBeLessThan(sizeBytes);
  store.syncNow();
  store.close();
  expect(lostIn(open(disk))).toEqual(lost);
});

it("a record at a wrong place hides none of the messages behind it", () => {
  const disk = new FaultyDisk(seededRandom(1));
  written(disk);
  const record = Buffer.alloc(recordLength(1, 0, 0));
  const body = Buffer.alloc(0);
  const fields = { kind: ERASED, timeNs: 0n, previous: 49, subject: "x", headerLength: 0, body };
  writeRecord(record, 0, { ...fields, sequence: 50 }, 0);
  disk.replace(`/s/${disk.names("/s")[0]!}`, record);
  const store = open(disk);
  let found = 0;
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) found++;
  expect(found).toBeGreaterThan(40);
  expect(store.messages).toBe(found);
});
