/** The journal of an encrypted store: nothing lies in the clear, what is tampered with is damage, keys change, a foreign one opens nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { StoreOwner } from "../../../src/jetstream/store-owner.ts";
import type { HardState } from "../../../src/raft/state.ts";
import { checksum, putU32 } from "../../../src/store/bytes.ts";
import { DiskError } from "../../../src/store/disk.ts";
import { FileJournal } from "../../../src/store/journal/file-journal.ts";
import { readHead } from "../../../src/store/journal/journal-record.ts";
import { sealJournal } from "../../../src/store/journal/seal-journal.ts";
import { NodeDisk } from "../../../src/store/node-disk.ts";
import { resealStore } from "../../../src/store/reseal.ts";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";
import type { CipherName } from "../../../src/store/seal.ts";
import { StoreKeys } from "../../../src/store/store-keys.ts";
import { drawnFrom, quickly } from "../../support/sealed.ts";

const STORE = "/js";
const FOLDER = `${STORE}/groups`;
const VOTED: HardState = { term: 3, vote: "secret01", loss: "none" };
const PEERS = { size: 1, peers: ["secret02"], domainExtension: 0 };
const ENTRIES = 60;

interface Opening {
  readonly key: string;
  readonly previousKey?: string;
  readonly cipher?: CipherName;
}

/** Opens the journal as a start does. */
function opened(disk: MemoryDisk, { key, previousKey, cipher = "chacha20-poly1305" }: Opening): FileJournal {
  const options = { key, previousKey: previousKey ?? null, cipher, entropy: drawnFrom(7), stretch: quickly };
  const keys = new StoreKeys(disk, STORE, options);
  const bodies = sealJournal(disk, FOLDER, keys);
  keys.settle();
  return new FileJournal({
    disk,
    folder: FOLDER,
    policy: "sync",
    segmentBytes: 4096,
    bodies,
    later: () => {},
  });
}

function inTheClear(disk: MemoryDisk): FileJournal {
  return new FileJournal({ disk, folder: FOLDER, policy: "sync", segmentBytes: 4096, later: () => {} });
}

function fill(journal: FileJournal): void {
  const log = journal.open("g");
  log.save(VOTED);
  for (let index = 1; index <= ENTRIES; index++)
    log.append({ index, term: 3, bytes: Buffer.from(`secret entry ${index} `.repeat(8), "latin1") });
  log.compact({ index: 20, term: 3, peers: PEERS, data: Buffer.from("secret state") });
  journal.close();
}

function expectAll(journal: FileJournal): void {
  const log = journal.open("g");
  expect([log.hard, log.isDamaged, log.lastIndex]).toEqual([VOTED, false, ENTRIES]);
  expect(log.snapshot).toEqual({ index: 20, term: 3, peers: PEERS });
  expect(Buffer.from(log.readSnapshot()!.data).toString()).toBe("secret state");
  const found = log.read(21, 1 << 20);
  expect(found.map(({ index }) => index)).toEqual(Array.from({ length: 40 }, (_, i) => i + 21));
  for (const { index, bytes } of found)
    expect(Buffer.from(bytes).toString()).toBe(`secret entry ${index} `.repeat(8));
  journal.close();
}

const segmentsOf = (disk: MemoryDisk): string[] =>
  disk.names(FOLDER).filter((name) => name.endsWith(".raft"));

const lies = (disk: MemoryDisk): string =>
  segmentsOf(disk)
    .map((name) => Buffer.from(disk.read(`${FOLDER}/${name}`)!).toString("latin1"))
    .join("");

describe("the journal of an encrypted store", () => {
  it.each(["chacha20-poly1305", "aes-256-gcm"] as const)("has everything again, under %s", (cipher) => {
    const disk = new MemoryDisk();
    fill(opened(disk, { key: "one", cipher }));
    expect(segmentsOf(disk).length).toBeGreaterThan(2);
    expect(lies(disk)).not.toContain("secret");
    expectAll(opened(disk, { key: "one", cipher }));
  });

  it("encrypts what lay in the clear", () => {
    const disk = new MemoryDisk();
    fill(inTheClear(disk));
    expect(lies(disk)).toContain("secret entry");
    expectAll(opened(disk, { key: "one" }));
    expect(lies(disk)).not.toContain("secret");
  });

  it("goes on where encrypting it was interrupted", () => {
    const disk = new MemoryDisk();
    fill(inTheClear(disk));
    const replace = disk.replace.bind(disk);
    let left = 1;
    disk.replace = (path, content) => {
      if (path.endsWith(".raft") && left-- === 0) throw new DiskError("killed", "EIO");
      replace(path, content);
    };
    expect(() => opened(disk, { key: "one" })).toThrow("killed");
    disk.replace = replace;
    expectAll(opened(disk, { key: "one" }));
    expect(lies(disk)).not.toContain("secret");
  });

  it("goes over to another key, and to another cipher", () => {
    const disk = new MemoryDisk();
    fill(opened(disk, { key: "one" }));
    expectAll(opened(disk, { key: "two", previousKey: "one" }));
    expectAll(opened(disk, { key: "two" }));
    expectAll(opened(disk, { key: "two", cipher: "aes-256-gcm" }));
    expectAll(opened(disk, { key: "two", cipher: "aes-256-gcm" }));
  });

  it("takes nothing in the clear once the store has been encrypted", () => {
    const disk = new MemoryDisk();
    opened(disk, { key: "one" }).close();
    for (const name of disk.names(FOLDER)) disk.remove(`${FOLDER}/${name}`);
    fill(inTheClear(disk));
    const log = opened(disk, { key: "one" }).open("g");
    expect([log.hard, log.snapshot, log.isDamaged]).toEqual([undefined, undefined, true]);
    expect(log.read(1, 1 << 20)).toEqual([]);
  });

  it("takes a body that was moved to another record for damage", () => {
    const disk = new MemoryDisk();
    fill(opened(disk, { key: "one" }));
    const path = `${FOLDER}/${segmentsOf(disk).at(-1)!}`;
    const memory = Buffer.from(disk.read(path)!);
    const [first, second] = entriesIn(memory);
    memory.copy(memory, first!.bodyAt, second!.bodyAt, second!.bodyAt + second!.bodyLength);
    // somebody who knows how checksums are made
    putU32(memory, first!.at + 4, checksum(memory, first!.bodyAt, first!.bodyAt + first!.bodyLength));
    putU32(memory, first!.at, checksum(memory, first!.at + 4, first!.bodyAt));
    disk.replace(path, memory);
    const log = opened(disk, { key: "one" }).open("g");
    expect(log.isDamaged).toBe(true);
    expect(log.lastIndex).toBe(first!.index - 1);
  });

  it("is opened again on a real disk, beside the file that says whose the store is", () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
    try {
      const store = join(folder, "jetstream");
      const disk = new NodeDisk();
      disk.makeFolder(store);
      for (const round of [1, 2]) {
        StoreOwner.claim(disk, store, { server: "n1", cluster: "C" });
        const options = { key: "one", previousKey: null, cipher: "aes-256-gcm" } as const;
        const keys = new StoreKeys(disk, store, { ...options, entropy: drawnFrom(round), stretch: quickly });
        const bodies = sealJournal(disk, join(store, "%groups"), keys);
        expect([...resealStore(disk, store, keys)]).toEqual([]);
        const at = { disk, folder: join(store, "%groups"), policy: "sync", bodies } as const;
        const journal = new FileJournal({ ...at, later: () => {} });
        if (round === 1) fill(journal);
        else expectAll(journal);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("is not opened where its key cannot be", () => {
    const disk = new MemoryDisk();
    fill(opened(disk, { key: "one" }));
    disk.replace(`${FOLDER}/key`, Buffer.from("no key"));
    expect(() => opened(disk, { key: "one" })).toThrow(
      "the key of the journal in /js/groups cannot be opened",
    );
  });
});

interface Lying {
  readonly at: number;
  readonly bodyAt: number;
  readonly bodyLength: number;
  readonly index: number;
}

/** Two records of entries whose bodies have one length. */
function entriesIn(memory: Buffer): Lying[] {
  const found: Lying[] = [];
  for (let at = 0; at < memory.length;) {
    const head = readHead(memory, at)!;
    if (head.kind === 2)
      found.push({ at, bodyAt: at + head.bodyAt, bodyLength: head.bodyLength, index: head.index });
    at += head.length;
  }
  return found;
}
