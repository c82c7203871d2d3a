/**
 * A disk in memory for the simulation. A crash keeps what was synced; of what was not it keeps any part, sector by sector, and
 * names of files that were made or removed since their folder was synced may be there or not. It can fill up, and bits can flip.
 */
import { DiskError, type Disk, type DiskFile } from "../../src/store/disk.ts";
import type { Random } from "../../src/base/random.ts";

const SECTOR = 512;

interface Content {
  now: Buffer;
  durable: Buffer;
}

export class FaultyDisk implements Disk {
  readonly sealBytes = 0;
  /** Bytes that may still be written; Infinity: the disk never fills up. */
  freeBytes = Infinity;
  /** Syncs that were asked for and have not ended. */
  readonly syncs: (() => void)[] = [];
  private readonly files = new Map<string, Content>();
  private readonly durableNames = new Map<string, Content>();
  private readonly random: Random;
  private readonly syncsAtOnce: boolean;

  constructor(random: Random, syncs: "at once" | "when asked" = "at once") {
    this.random = random;
    this.syncsAtOnce = syncs === "at once";
  }

  makeFolder(): void {}

  names(path: string): string[] {
    const inside = [...this.files.keys()].filter((name) => name.startsWith(`${path}/`));
    return [...new Set(inside.map((name) => name.slice(path.length + 1).split("/")[0]!))].sort();
  }

  open(path: string): DiskFile {
    let content = this.files.get(path);
    if (content === undefined) {
      content = { now: Buffer.alloc(0), durable: Buffer.alloc(0) };
      this.files.set(path, content);
    }
    return new FaultyFile(this, content);
  }

  read(path: string): Uint8Array | null {
    const content = this.files.get(path);
    return content === undefined ? null : Buffer.from(content.now);
  }

  replace(path: string, bytes: Uint8Array): void {
    this.take(bytes.length);
    const content = { now: Buffer.from(bytes), durable: Buffer.from(bytes) };
    this.files.set(path, content);
    this.durableNames.set(path, content);
    this.syncFolder(path.slice(0, path.lastIndexOf("/")));
  }

  create(path: string, bytes: Uint8Array): DiskFile {
    this.take(bytes.length);
    this.files.set(path, { now: Buffer.from(bytes), durable: Buffer.alloc(0) });
    return this.open(path);
  }

  rename(from: string, to: string): void {
    for (const [path, content] of [...this.files]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.files.delete(path);
      this.durableNames.delete(path);
      const next = to + path.slice(from.length);
      this.files.set(next, content);
      this.durableNames.set(next, content);
    }
  }

  move(from: string, to: string): void {
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }

  remove(path: string): void {
    this.files.delete(path);
  }

  removeFolder(path: string): void {
    for (const name of [...this.files.keys()]) if (name.startsWith(`${path}/`)) this.files.delete(name);
  }

  /** A kill may leave some of it. */
  discardFolder(path: string, to: string, done: () => void): void {
    for (const [name, content] of [...this.files]) {
      if (!name.startsWith(`${path}/`)) continue;
      this.files.delete(name);
      if (this.random.next() < 0.5) this.files.set(to + name.slice(path.length), content);
    }
    this.later(() => {
      this.removeFolder(to);
      done();
    });
  }

  /** Nobody else sees it. */
  lock(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }

  syncFolder(path: string): void {
    const isIn = (name: string): boolean => name.slice(0, name.lastIndexOf("/")) === path;
    for (const name of [...this.durableNames.keys()]) {
      if (isIn(name) && !this.files.has(name)) this.durableNames.delete(name);
    }
    for (const [name, content] of this.files) if (isIn(name)) this.durableNames.set(name, content);
  }

  /** Names that come or go until it ends may be durable as well. */
  syncFolderLater(path: string, done: (error: DiskError | null) => void): void {
    this.later(() => {
      this.syncFolder(path);
      done(null);
    });
  }

  /** The machine loses power. Whoever has files open must be made again. */
  crash(): void {
    const survivors = new Map<string, Content>();
    for (const name of new Set([...this.files.keys(), ...this.durableNames.keys()])) {
      const now = this.files.get(name);
      const durable = this.durableNames.get(name);
      const content =
        now !== undefined && (durable === undefined || this.random.next() < 0.5) ? now : durable;
      if (content === undefined || (durable === undefined && this.random.next() < 0.5)) continue;
      survivors.set(name, this.torn(content));
    }
    this.files.clear();
    this.durableNames.clear();
    this.syncs.length = 0;
    for (const [name, content] of survivors) {
      this.files.set(name, content);
      this.durableNames.set(name, content);
    }
  }

  /** The process is killed: what was written stays. */
  kill(): void {
    this.syncs.length = 0;
  }

  /** Flips one bit of a file; false: there is none with bytes. */
  flipBit(
    pick: (names: readonly string[]) => string,
    at: (size: number) => number,
  ): { name: string; at: number } {
    const name = pick([...this.files].filter(([, { now }]) => now.length > 0).map(([path]) => path));
    const content = this.files.get(name)!;
    const offset = at(content.now.length);
    content.now[offset]! ^= 1 << Math.floor(this.random.next() * 8);
    content.durable = Buffer.from(content.now);
    return { name, at: offset };
  }

  take(bytes: number): void {
    if (bytes > this.freeBytes) throw new DiskError("no space left on the simulated disk", "ENOSPC");
    this.freeBytes -= bytes;
  }

  /** What `content` is now becomes durable, at once or when the simulation says so. */
  later(act: () => void): void {
    if (this.syncsAtOnce) act();
    else this.syncs.push(act);
  }

  private torn({ now, durable }: Content): Content {
    const size = Math.max(now.length, durable.length);
    const result = Buffer.alloc(size);
    durable.copy(result);
    let end = durable.length;
    for (let at = 0; at < now.length; at += SECTOR) {
      const piece = now.subarray(at, at + SECTOR);
      if (piece.equals(durable.subarray(at, at + SECTOR)) || this.random.next() < 0.5) continue;
      const part =
        this.random.next() < 0.3 ? piece.subarray(0, Math.floor(this.random.next() * piece.length)) : piece;
      part.copy(result, at);
      end = Math.max(end, at + part.length);
    }
    const kept = result.subarray(0, end);
    return { now: kept, durable: Buffer.from(kept) };
  }
}

class FaultyFile implements DiskFile {
  private readonly disk: FaultyDisk;
  private readonly content: Content;
  private syncsBegun = 0;
  private syncsEnded = 0;

  constructor(disk: FaultyDisk, content: Content) {
    this.disk = disk;
    this.content = content;
  }

  get size(): number {
    return this.content.now.length;
  }

  write(bytes: Uint8Array, at: number): void {
    const { content, disk } = this;
    const end = Math.max(content.now.length, at + bytes.length);
    disk.take(end - content.now.length);
    const next = Buffer.alloc(end);
    content.now.copy(next);
    next.set(bytes, at);
    content.now = next;
  }

  read(into: Uint8Array, at: number): number {
    const piece = this.content.now.subarray(at, at + into.length);
    into.set(piece);
    return piece.length;
  }

  truncate(size: number): void {
    this.content.now = Buffer.from(this.content.now.subarray(0, size));
  }

  sync(done: (error: DiskError | null) => void): void {
    const { content } = this;
    const now = Buffer.from(content.now);
    const number = ++this.syncsBegun;
    this.disk.later(() => {
      // a sync that began later may have ended already
      if (number > this.syncsEnded) content.durable = now;
      this.syncsEnded = Math.max(this.syncsEnded, number);
      done(null);
    });
  }

  syncNow(): void {
    this.content.durable = Buffer.from(this.content.now);
    this.syncsEnded = ++this.syncsBegun;
  }

  close(): void {}
}
