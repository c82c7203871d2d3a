/** Blocks that lie packed: smaller, and the same to whoever reads, removes, erases or starts again, also after kills and damage. */
import { expect, it } from "vitest";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";
import { isPacked, PackedDisk } from "../../../src/store/packed-disk.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";
import { sealed } from "../../support/sealed.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const FOLDER = "/js/A/streams/S/msgs";
const BLOCK_BYTES = 100_000;
const MESSAGES = 450;

function open(disk: MemoryDisk, folder = FOLDER): StreamStore {
  const store = new StreamStore({
    ...{ disk: new PackedDisk(disk), folder, firstSequence: 1, seed: 7, recall: "none" },
    blockBytes: BLOCK_BYTES,
  });
  store.packs = true;
  return store;
}

const bodyOf = (sequence: number): string => `body ${sequence}, and what is said again. `.repeat(20);

function append(store: StreamStore, count: number): void {
  for (let i = 0; i < count; i++) {
    const body = Buffer.from(bodyOf(store.last + 1));
    store.append({ subject: `s.${i % 9}`, headerLength: 0, body, timeNs: BigInt(store.last) });
    store.flush();
  }
}

/** Returns how often it was called. */
function cleanAll(store: StreamStore): number {
  let steps = 0;
  for (; store.clean() !== "nothing"; steps++);
  return steps;
}

function filled(disk: MemoryDisk): StreamStore {
  const store = open(disk);
  append(store, MESSAGES);
  cleanAll(store);
  return store;
}

const packedIn = ({ log }: StreamStore): boolean[] => log.blocks.map(({ file }) => isPacked(file));

function bytesOn(disk: MemoryDisk): number {
  return disk.names(FOLDER).reduce((sum, name) => sum + (disk.read(`${FOLDER}/${name}`)?.length ?? 0), 0);
}

/** Each message is what it was, or it is not there. Returns the sequences of those that are. */
function there(store: StreamStore): number[] {
  const found: number[] = [];
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
    const view = store.read(at);
    if (view === null) continue;
    const text = Buffer.from(view.body).toString();
    if (text !== bodyOf(at)) expect.fail(`message ${at} is ${text}`);
    found.push(at);
  }
  return found;
}

const all = (): number[] => Array.from({ length: MESSAGES }, (_, i) => i + 1);

it("are a fraction of what they were, and read as before, by this start and the next", () => {
  const [plainDisk, disk] = [new MemoryDisk(), new MemoryDisk()];
  const plain = open(plainDisk);
  plain.packs = false;
  append(plain, MESSAGES);
  cleanAll(plain);
  const store = filled(disk);
  expect(packedIn(store)).toEqual([true, true, true, false]);
  expect(bytesOn(disk)).toBeLessThan(bytesOn(plainDisk) / 2);
  expect(there(store)).toEqual(all());
  expect(there(open(disk))).toEqual(all());
});

it("are packed some at a time", () => {
  const store = open(new MemoryDisk());
  append(store, MESSAGES);
  expect(cleanAll(store)).toBeGreaterThan((3 * BLOCK_BYTES) / (32 * 1024));
});

it("give their room back when their messages go, and are packed again", () => {
  const disk = new MemoryDisk();
  const store = filled(disk);
  for (const sequence of all()) if (sequence % 5 !== 0) store.remove(sequence);
  const left = all().filter((sequence) => sequence % 5 === 0);
  store.flush();
  const before = bytesOn(disk);
  cleanAll(store);
  expect(bytesOn(disk)).toBeLessThan(before);
  expect(packedIn(store).slice(0, -1)).not.toContain(false);
  expect(there(store)).toEqual(left);
  expect(there(open(disk))).toEqual(left);
});

it("lose what is erased", () => {
  const disk = new MemoryDisk();
  const store = filled(disk);
  expect(store.erase(7)).toBe(true);
  const left = all().filter((sequence) => sequence !== 7);
  expect(there(store)).toEqual(left);
  expect(there(open(disk))).toEqual(left);
  for (const name of disk.names(FOLDER))
    expect(Buffer.from(disk.read(`${FOLDER}/${name}`)!).includes(bodyOf(7))).toBe(false);
});

it("stay whole wherever a kill interrupts their packing", () => {
  const steps = ((): number => {
    const store = open(new MemoryDisk());
    append(store, MESSAGES);
    return cleanAll(store);
  })();
  for (let kept = 0; kept <= steps; kept++) {
    const disk = new MemoryDisk();
    const store = open(disk);
    append(store, MESSAGES);
    for (let i = 0; i < kept; i++) store.clean();
    const again = open(disk);
    expect(again.messages).toBe(MESSAGES);
    cleanAll(again);
    expect(packedIn(again)).toEqual([true, true, true, false]);
    expect(disk.names(FOLDER)).toHaveLength(4);
  }
});

it("lose no more than a part where a bit is flipped, and nothing is served that was not stored", () => {
  const disk = new MemoryDisk();
  filled(disk).close();
  const name = `${FOLDER}/${disk.names(FOLDER)[1]!}`;
  const whole = Buffer.from(disk.read(name)!);
  for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 25)) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1 << (at % 8);
    disk.replace(name, flipped);
    const store = open(disk);
    const found = there(store);
    expect(found.length).toBeGreaterThan(MESSAGES / 2);
    expect(found.length + store.lost.count).toBe(MESSAGES);
    expect(store.last).toBe(MESSAGES);
    store.close();
  }
});

it("are not packed where that is of no use, and not where they are encrypted", () => {
  const store = open(new MemoryDisk());
  let seed = 1;
  const noise = Buffer.alloc(700);
  while (store.log.blocks.length < 3) {
    for (let i = 0; i < noise.length; i++) noise[i] = (seed = (seed * 48_271) % 0x7fffffff) >> 7;
    store.append({ subject: "s", headerLength: 0, body: noise, timeNs: 1n });
    store.flush();
  }
  cleanAll(store);
  expect(packedIn(store)).toEqual([false, false, false]);
  const encrypted = new StreamStore({
    ...{ disk: new PackedDisk(sealed(new MemoryDisk(), "/js")), folder: FOLDER, firstSequence: 1 },
    blockBytes: BLOCK_BYTES,
  });
  encrypted.packs = true;
  append(encrypted, MESSAGES);
  cleanAll(encrypted);
  expect(packedIn(encrypted)).not.toContain(true);
  expect(there(encrypted)).toEqual(all());
});

it("are what a stream with compression gets, and one without it keeps", () => {
  const stack = new JetStreamStack();
  const config = { name: "S", subjects: ["s"], storage: "file", compression: "s2" };
  const made = stack.request("STREAM.CREATE.S", config) as { config: Record<string, unknown> };
  expect(made.config["compression"]).toBe("s2");
  const payload = "again and again ".repeat(4000);
  for (let i = 0; i < 200; i++) stack.publish("s", payload);
  stack.advance(5000);
  const sizes = (): number => bytesOn(stack.disk);
  expect(sizes()).toBeLessThan(200 * payload.length * 0.6);
  stack.request("STREAM.UPDATE.S", { ...config, compression: "none" });
  stack.restart();
  const { message } = stack.request("STREAM.MSG.GET.S", { seq: 3 }) as { message: { data: string } };
  expect(Buffer.from(message.data, "base64").toString()).toBe(payload);
});
