/** Encryption at rest: nothing lies in the clear, what is tampered with is damage, keys change, and a wrong one is refused. */
import { describe, expect, it } from "vitest";
import { DiskError } from "../../../src/store/disk.ts";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";
import { readRecord, RecordView, sumAgain, writeRecord, MESSAGE } from "../../../src/store/record.ts";
import { resealStore } from "../../../src/store/reseal.ts";
import type { CipherName } from "../../../src/store/seal.ts";
import { SealedDisk } from "../../../src/store/sealed-disk.ts";
import { KeyRefused, refuseEncrypted, StoreKeys } from "../../../src/store/store-keys.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";
import { drawnFrom, quickly } from "../../support/sealed.ts";

const FOLDER = "/js";
const STREAM = `${FOLDER}/A/streams/S`;
const SECRETS = [
  "secretsubject",
  "secretheader",
  "secretvalue",
  "secretpayload",
  "secretdescription",
  "secretfilter",
];
const MESSAGES = 40;

interface KeyOptions {
  readonly key: string;
  readonly previousKey?: string;
  readonly cipher?: CipherName;
}

/** Opens the disk as a start does. `step`: called with each stream that was encrypted again. */
function unlocked(
  bare: MemoryDisk,
  { key, previousKey, cipher = "chacha20-poly1305" }: KeyOptions,
  resealed: string[] = [],
): SealedDisk {
  const entropy = drawnFrom(resealed.length + 7);
  const options = { key, previousKey: previousKey ?? null, cipher, entropy, stretch: quickly };
  const keys = new StoreKeys(bare, FOLDER, options);
  for (const { account, stream, from } of resealStore(bare, FOLDER, keys))
    resealed.push(`${account} ${stream} ${from}`);
  const disk = new SealedDisk(bare, FOLDER);
  disk.unlock(keys);
  return disk;
}

/** A stream with a consumer that has acknowledged three messages and has two more. */
function filled(stack: JetStreamStack): void {
  const config = {
    name: "S",
    subjects: ["secretsubject.>"],
    storage: "file",
    description: "secretdescription",
  };
  stack.request("STREAM.CREATE.S", { ...config, duplicate_window: 1e8 });
  for (let i = 1; i <= MESSAGES; i++)
    stack.publish(`secretsubject.${i % 3}`, `secretpayload ${i} `.repeat(20), {
      secretheader: "secretvalue",
    });
  stack.request("CONSUMER.DURABLE.CREATE.S.C", {
    stream_name: "S",
    config: { durable_name: "C", ack_policy: "explicit", description: "secretfilter" },
  });
  const heard = stack.listen("inbox");
  stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", JSON.stringify({ batch: 5 }), {}, "inbox");
  for (const { reply } of heard.slice(0, 3)) stack.publish(reply, "+ACK");
  stack.advance(1000);
}

/** All is as `filled` left it. */
function expectAll(stack: JetStreamStack): void {
  const { store } = stack.stream("S");
  expect([store.messages, store.lost.count]).toEqual([MESSAGES, 0]);
  for (let i = 1; i <= MESSAGES; i++) {
    const view = store.read(i);
    expect([view?.subject, view?.payload.toString()]).toEqual([
      `secretsubject.${i % 3}`,
      `secretpayload ${i} `.repeat(20),
    ]);
    expect(view?.headers).toContain("secretvalue");
  }
  expect(stack.request("CONSUMER.INFO.S.C")).toMatchObject({
    config: { description: "secretfilter" },
    ack_floor: { stream_seq: 3, consumer_seq: 3 },
    num_ack_pending: 2,
    num_pending: MESSAGES - 5,
  });
}

function filesOf(disk: MemoryDisk, path = FOLDER): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const names = disk.names(path);
  for (const name of names)
    for (const [file, content] of filesOf(disk, `${path}/${name}`)) files.set(file, content);
  const content = names.length === 0 ? disk.read(path) : null;
  if (content !== null) files.set(path, Buffer.from(content));
  return files;
}

function blockOf(bare: MemoryDisk): string {
  return `${STREAM}/msgs/${bare.names(`${STREAM}/msgs`)[0]!}`;
}

/** Offset and length of the n-th record of a file, as it lies there. */
function recordAt(content: Buffer, n: number): { at: number; length: number } {
  const view = new RecordView();
  let at = 0;
  for (let i = 0; ; i++) {
    if (!readRecord(view, content, at, content.length)) throw new Error("there are not so many records");
    if (i === n) return { at, length: view.length };
    at += view.length;
  }
}

function lostIn(stack: JetStreamStack): number[] {
  const { store } = stack.stream("S");
  for (let i = 1; i <= MESSAGES; i++) store.read(i);
  return [...store.lost].flatMap(({ from, to }) => (from === to ? [from] : [from, to]));
}

describe.each(["chacha20-poly1305", "aes-256-gcm"] as const)("a store under %s", (cipher) => {
  it("has nothing in the clear, and all of it after restarts and kills", () => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k", cipher }) });
    filled(stack);
    const files = filesOf(bare);
    expect([...files.keys()].map((path) => path.slice(STREAM.length + 1)).toSorted()).toEqual([
      "key",
      "meta.json",
      "msgs/000000000001.blk",
      "obs/C/log",
      "obs/C/meta.json",
      "obs/C/state",
    ]);
    for (const [path, content] of files)
      for (const secret of SECRETS) expect([path, content.includes(secret)]).toEqual([path, false]);
    stack.crash(() => undefined);
    expectAll(stack);
    stack.restart();
    expectAll(stack);
    stack.stop();
    expectAll(new JetStreamStack({ disk: unlocked(bare, { key: "k", cipher }) }));
  });

  it("removes, erases and rewrites as one in the clear does", () => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k", cipher }) });
    filled(stack);
    stack.restart();
    const { store } = stack.stream("S");
    store.erase(7);
    for (let i = 8; i <= 38; i++) store.remove(i);
    store.syncNow();
    const before = filesOf(bare).get(blockOf(bare))!.length;
    stack.advance(5000);
    expect(filesOf(bare).get(blockOf(bare))!.length).toBeLessThan(before / 2);
    stack.crash(() => undefined);
    const after = stack.stream("S").store;
    expect([after.messages, after.holeCount, after.lost.count]).toEqual([MESSAGES - 32, 32, 0]);
    expect(after.read(39)?.payload.toString()).toBe("secretpayload 39 ".repeat(20));
  });
});

describe("what was tampered with", () => {
  it.each([3, 50, 200])("is a lost message, though its checksum is right: byte %i of the record", (byte) => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }) });
    filled(stack);
    stack.restart(() => {
      const content = filesOf(bare).get(blockOf(bare))!;
      const { at, length } = recordAt(content, 5); // the first record says where the block begins
      content[at + 4 + byte]! ^= 1;
      sumAgain(content, at, length);
      bare.replace(blockOf(bare), content);
    });
    expect(lostIn(stack)).toEqual([5]);
  });

  it("is lost where a record of the same stream was put in its place", () => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }) });
    filled(stack);
    stack.restart(() => {
      const content = filesOf(bare).get(blockOf(bare))!;
      const [fifth, sixth] = [recordAt(content, 5), recordAt(content, 6)];
      expect(fifth.length).toBe(sixth.length);
      content.copy(content, fifth.at, sixth.at, sixth.at + sixth.length);
      bare.replace(blockOf(bare), content);
    });
    expect(lostIn(stack)).toEqual([5]);
  });

  it("is lost where a record in the clear was put in its place", () => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }) });
    filled(stack);
    stack.restart(() => {
      const content = filesOf(bare).get(blockOf(bare))!;
      const { at, length } = recordAt(content, 5);
      for (const sealBytes of [0, 28]) {
        const body = Buffer.alloc(length - 44 - 1 - sealBytes, "x");
        const fields = {
          kind: MESSAGE,
          sequence: 5,
          timeNs: 1n,
          previous: 4,
          subject: "s",
          headerLength: 0,
          body,
        };
        writeRecord(content, at, fields, sealBytes);
        bare.replace(blockOf(bare), content);
      }
    });
    expect(lostIn(stack)).toEqual([5]);
  });

  it("is found by the scrub, without anybody reading it", () => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }), scrubIntervalMs: 1000 });
    filled(stack);
    stack.restart();
    stack.advance(5000);
    expect(stack.scrub).toMatchObject({ damaged: 0 });
    const content = filesOf(bare).get(blockOf(bare))!;
    const { at, length } = recordAt(content, 5);
    bare.open(blockOf(bare)).write(Buffer.from([content[at + 100]! ^ 1]), at + 100);
    content[at + 100]! ^= 1;
    sumAgain(content, at, length);
    bare.open(blockOf(bare)).write(content.subarray(at, at + 4), at);
    stack.advance(5000);
    expect([...stack.stream("S").store.lost]).toEqual([{ from: 5, to: 5 }]);
  });

  it("is put aside where it is the configuration of a stream, and the keys of the folder stay", () => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }) });
    filled(stack);
    stack.restart(() => {
      const meta = Buffer.from(bare.read(`${STREAM}/meta.json`)!);
      meta[30]! ^= 1;
      bare.replace(`${STREAM}/meta.json`, meta);
    });
    expect(stack.assets.streams.size).toBe(0);
    expect(stack.assets.putAside).toHaveLength(1);
    expect(bare.read(`${stack.assets.putAside[0]!}/key`)).not.toBe(null);
    filled(stack);
    stack.restart();
    expectAll(stack);
  });
});

describe("the key", () => {
  it("is refused where it is another one, and nothing is touched", () => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }) });
    filled(stack);
    stack.stop();
    const before = filesOf(bare);
    expect(() => unlocked(bare, { key: "wrong" })).toThrow(KeyRefused);
    expect(() => unlocked(bare, { key: "wrong", previousKey: "wrong, too" })).toThrow(
      /^unable to recover keys: the store in \/js is encrypted with another key: set jetstream\.key to that one, or/,
    );
    expect(() => refuseEncrypted(bare, FOLDER)).toThrow(
      /^encryption not enabled: the store in \/js is encrypted/,
    );
    expect(filesOf(bare)).toEqual(before);
    expectAll(new JetStreamStack({ disk: unlocked(bare, { key: "k" }) }));
  });

  it("encrypts what was in the clear", () => {
    const bare = new MemoryDisk();
    const plain = new JetStreamStack({ disk: bare });
    filled(plain);
    plain.restart();
    expectAll(plain);
    plain.stop();
    const resealed: string[] = [];
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }, resealed) });
    expect(resealed).toEqual(["A S plain"]);
    expectAll(stack);
    for (const [path, content] of filesOf(bare))
      for (const secret of SECRETS) expect([path, content.includes(secret)]).toEqual([path, false]);
  });

  it("takes nothing in the clear once all is encrypted", () => {
    const bare = new MemoryDisk();
    const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }) });
    filled(stack);
    stack.stop();
    const foreign = new MemoryDisk();
    const other = new JetStreamStack({ disk: foreign });
    other.request("STREAM.CREATE.F", { name: "F", subjects: ["f"], storage: "file" });
    other.stop();
    for (const [path, content] of filesOf(foreign)) bare.replace(path, content);
    const again = new JetStreamStack({ disk: unlocked(bare, { key: "k" }) });
    expect([...again.assets.streams.keys()]).toEqual(["S"]);
    expect(again.assets.putAside).toHaveLength(1);
  });

  it.each([
    { what: "another key", to: { key: "n", previousKey: "k" } },
    { what: "another cipher", to: { key: "k", cipher: "aes-256-gcm" } },
    { what: "both", to: { key: "n", previousKey: "k", cipher: "aes-256-gcm" } },
  ] as const)("changes to $what, with all encrypted again, wherever a kill interrupts it", ({ to }) => {
    let kills = 0;
    for (let killAt = 1; ; killAt++) {
      const bare = new MemoryDisk();
      const stack = new JetStreamStack({ disk: unlocked(bare, { key: "k" }) });
      filled(stack);
      stack.stop();
      const before = filesOf(bare);
      const replace = bare.replace.bind(bare);
      let replaced = 0;
      bare.replace = (path, content) => {
        if (++replaced >= killAt) throw new DiskError("killed", "EKILLED");
        replace(path, content);
      };
      const isKilled = attempt(() => unlocked(bare, to));
      bare.replace = replace;
      if (isKilled) kills++;
      expectAll(new JetStreamStack({ disk: unlocked(bare, to) }));
      for (const [path, content] of filesOf(bare)) expect(content.equals(before.get(path)!)).toBe(false);
      expectAll(new JetStreamStack({ disk: unlocked(bare, { ...to, previousKey: "" }) }));
      if (to.key !== "k") expect(() => unlocked(bare, { key: "k" })).toThrow(KeyRefused);
      if (!isKilled) break;
    }
    expect(kills).toBeGreaterThan(5);
  });
});

/** True: it was killed. */
function attempt(act: () => void): boolean {
  try {
    act();
    return false;
  } catch (error) {
    if (error instanceof DiskError) return true;
    throw error;
  }
}
