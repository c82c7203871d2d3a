/**
 * The store of a stream against a naive model of it, on a disk that loses power. What was synced must be there afterwards; what
 * was not may be there or not, but never as something else.
 */
import { randomInt, seededRandom, type Random } from "../../src/base/random.ts";
import { assert } from "../../src/base/assert.ts";
import type { Disk } from "../../src/store/disk.ts";
import { PackedDisk } from "../../src/store/packed-disk.ts";
import { RowCache } from "../../src/store/row-cache.ts";
import { StreamStore } from "../../src/store/stream-store.ts";
import { sealed } from "../support/sealed.ts";
import { FaultyDisk } from "../support/faulty-disk.ts";

interface Kept {
  readonly subject: string;
  readonly body: string;
}

interface Synced {
  readonly messages: ReadonlyMap<number, Kept>;
  readonly first: number;
  readonly last: number;
}

type Storage = "file" | "packed" | "encrypted" | "memory";

const FOLDER = "/js/A/streams/S/msgs";
const SUBJECTS = ["a", "a.b", "a.c", "orders.1", "orders.2", "orders.3.x"];
const FILTERS = ["a", "a.*", "orders.>", "*", ">", "orders.*"];

export class StoreModel {
  private readonly random: Random;
  private readonly disk: FaultyDisk | null;
  private readonly storage: Storage;
  private store: StreamStore;
  private messages = new Map<number, Kept>();
  private first = 1;
  private last = 0;
  private synced: Synced = { messages: new Map(), first: 1, last: 0 };
  /** Removed or purged since the last sync. */
  private readonly goneSince = new Set<number>();
  /** Torn away by a power loss before they were synced. */
  private readonly everLost = new Set<number>();
  private made = 0;
  /** With every other seed it has room for the rows of one block, or of none. */
  private readonly cache: RowCache;

  constructor(seed: number, storage: Storage) {
    this.random = seededRandom(seed);
    this.cache = new RowCache(seed % 2 === 0 ? 100 : 1024 * 1024);
    this.disk = storage === "memory" ? null : new FaultyDisk(this.random);
    this.storage = storage;
    this.store = this.open();
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.step();
    this.check();
    this.store.close();
  }

  private step(): void {
    const dice = this.random.next();
    if (dice < 0.55) this.append();
    else if (dice < 0.65) this.remove();
    else if (dice < 0.67) this.purge();
    else if (dice < 0.68) this.compact();
    else if (dice < 0.8) this.sync();
    else if (dice < 0.84) for (let i = randomInt(this.random, 6); i >= 0; i--) this.store.clean();
    else if (dice < 0.85) this.skip();
    else if (dice < 0.9) this.query();
    else if (dice < 0.91 && this.disk !== null) this.restart();
    else if (dice < 0.92 && this.disk !== null) this.crash(this.disk);
    if (this.random.next() < 0.05) this.check();
  }

  private append(): void {
    const subject = this.pick(SUBJECTS);
    const body = `${++this.made} `.repeat(1 + randomInt(this.random, this.random.next() < 0.1 ? 300 : 4));
    const bytes = Buffer.from(body);
    const headerLength = this.random.next() < 0.3 ? Math.min(5, bytes.length) : 0;
    const sequence = this.store.append({ subject, headerLength, body: bytes, timeNs: BigInt(this.made) });
    if (this.messages.size === 0) this.first = sequence;
    this.last++;
    assert(sequence === this.last, "sequences ascend by one");
    this.messages.set(sequence, { subject, body });
  }

  private remove(): void {
    const sequence = this.first + randomInt(this.random, Math.max(1, this.last - this.first + 1));
    const was = this.messages.has(sequence);
    const went = this.random.next() < 0.3 ? this.store.erase(sequence) : this.store.remove(sequence);
    assert(went === was, "a message is removed if it was there");
    if (was) this.forget(sequence);
  }

  private purge(): void {
    const filter = this.pick([null, ...FILTERS]);
    const keep = this.random.next() < 0.5 ? 0 : randomInt(this.random, 10);
    const below = keep > 0 || this.random.next() < 0.5 ? 0 : this.first + randomInt(this.random, 20);
    if ((filter === null || filter === ">") && keep === 0) {
      this.compactTo(below === 0 ? this.last + 1 : below);
      return;
    }
    const covered = [...this.messages]
      .filter(([, { subject }]) => covers(filter ?? ">", subject))
      .map(([at]) => at);
    const going = covered
      .slice(0, Math.max(0, covered.length - keep))
      .filter((at) => below === 0 || at < below);
    const count = this.store.purge({ filter, keep, below });
    assert(count === going.length, `purge of ${going.length} counted ${count}`);
    for (const sequence of going) this.forget(sequence);
  }

  private compact(): void {
    this.compactTo(this.first + randomInt(this.random, this.last - this.first + 5));
  }

  private compactTo(sequence: number): void {
    const before = this.messages.size;
    for (const at of [...this.messages.keys()]) if (at < sequence) this.forget(at);
    if (this.messages.size === 0) this.first = Math.max(sequence, this.last + 1);
    this.last = Math.max(this.last, sequence - 1);
    const gone = this.store.purge({ filter: null, below: sequence, keep: 0 });
    assert(gone === before - this.messages.size, "compact counts what went");
  }

  private skip(): void {
    const sequence = this.store.skip();
    assert(sequence === ++this.last, "a sequence is left out");
    if (this.messages.size === 0) this.first = this.last + 1;
  }

  private sync(): void {
    this.store.flush();
    this.store.sync((error) => assert(error === null, "the disk syncs"));
    if (this.disk !== null) this.synced = this.copy();
    this.goneSince.clear();
  }

  private restart(): void {
    const lostBefore = this.store.lost.count;
    this.store.flush();
    this.store.close();
    this.store = this.open();
    assert(this.store.lost.count <= lostBefore, "nothing is lost by a restart");
    this.check();
  }

  private crash(disk: FaultyDisk): void {
    this.store.close();
    disk.crash();
    this.store = this.open();
    const { store, synced, messages, goneSince } = this;
    assert(store.last >= synced.last, `last fell to ${store.last} from ${synced.last}`);
    for (const [sequence, kept] of synced.messages) {
      if (goneSince.has(sequence)) continue;
      assert(store.has(sequence), `synced message ${sequence} is gone`);
      this.compare(sequence, kept);
    }
    for (const { from, to } of store.lost) {
      for (let sequence = from; sequence <= to; sequence++) {
        assert(
          sequence > synced.last || this.everLost.has(sequence),
          `${sequence} was synced and is called lost`,
        );
        this.everLost.add(sequence);
      }
    }
    for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
      const kept = messages.get(at) ?? synced.messages.get(at) ?? this.removed.get(at);
      assert(kept !== undefined, `message ${at} never was`);
      this.compare(at, kept);
      assert(
        at > synced.last || synced.messages.has(at),
        `message ${at} came back though its removal was synced`,
      );
    }
    this.adopt();
  }

  private query(): void {
    const { store, messages } = this;
    const filters = this.random.next() < 0.3 ? null : [this.pick(FILTERS)];
    const from = this.first + randomInt(this.random, this.last - this.first + 3);
    const wanted = [...messages].filter(
      ([at, { subject }]) => at >= from && (filters === null || covers(filters[0]!, subject)),
    );
    assert(store.next(from, filters) === (wanted[0]?.[0] ?? 0), "the next message of a filter");
    assert(store.countFrom(from, filters) === wanted.length, "the count from a sequence");
    const subject = this.pick(SUBJECTS);
    const ofSubject = [...messages].filter(([, kept]) => kept.subject === subject);
    assert(store.lastOf(subject) === (ofSubject.at(-1)?.[0] ?? 0), "the last of a subject");
    assert(store.firstOf(subject) === (ofSubject[0]?.[0] ?? 0), "the first of a subject");
    assert(store.countOf(subject) === ofSubject.length, "the count of a subject");
    const pattern = this.pick(FILTERS);
    const matching = [...messages].filter(([at, kept]) => at <= from && covers(pattern, kept.subject));
    assert(store.lastMatching(pattern, from) === (matching.at(-1)?.[0] ?? 0), "the last of a pattern");
  }

  private check(): void {
    const { store, messages } = this;
    assert(store.messages === messages.size, `${store.messages} messages instead of ${messages.size}`);
    assert(store.first === this.first, `first is ${store.first} instead of ${this.first}`);
    assert(store.last === this.last, `last is ${store.last} instead of ${this.last}`);
    for (const [sequence, kept] of messages) this.compare(sequence, kept);
    assert(store.bytes >= 0 && (store.bytes === 0) === (messages.size === 0), "bytes are counted");
    assert(
      store.subjects.size === new Set([...messages.values()].map(({ subject }) => subject)).size,
      "subjects",
    );
  }

  private compare(sequence: number, { subject, body }: Kept): void {
    const view = this.store.read(sequence);
    assert(view !== null, `message ${sequence} cannot be read`);
    assert(view.subject === subject && view.body.toString() === body, `message ${sequence} is another one`);
  }

  private readonly removed = new Map<number, Kept>();

  private forget(sequence: number): void {
    this.removed.set(sequence, this.messages.get(sequence)!);
    this.messages.delete(sequence);
    this.goneSince.add(sequence);
    if (sequence === this.first) this.first = this.messages.keys().next().value ?? this.last + 1;
  }

  private adopt(): void {
    const { store } = this;
    this.messages = new Map();
    for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
      const view = store.read(at)!;
      this.messages.set(at, { subject: view.subject, body: view.body.toString() });
    }
    this.first = store.first;
    this.last = store.last;
    this.removed.clear();
    this.goneSince.clear();
    this.synced = this.copy();
  }

  private copy(): Synced {
    return { messages: new Map(this.messages), first: this.first, last: this.last };
  }

  private open(): StreamStore {
    const { cache, storage } = this;
    const store = new StreamStore({
      disk: this.disk === null ? null : this.seenAs(this.disk),
      cache,
      folder: FOLDER,
      firstSequence: 1,
      blockBytes: 2000,
    });
    store.packs = storage === "packed";
    return store;
  }

  private seenAs(disk: FaultyDisk): Disk {
    if (this.storage === "encrypted") return sealed(disk, "/js");
    return this.storage === "packed" ? new PackedDisk(disk) : disk;
  }

  private pick<T>(from: readonly T[]): T {
    return from[randomInt(this.random, from.length)]!;
  }
}

/** The plain rule. */
function covers(pattern: string, subject: string): boolean {
  const expression = pattern.replaceAll(".", "\\.").replaceAll("*", "[^.]+").replace(">", ".+");
  return new RegExp(`^${expression}$`).test(subject);
}
