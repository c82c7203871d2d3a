/** A disk that is no more than memory: for servers inside a program that keep nothing. */
import type { Disk, DiskFile } from "./disk.ts";

export class MemoryDisk implements Disk {
  readonly sealBytes = 0;
  private readonly files = new Map<string, MemoryFile>();

  makeFolder(): void {
    // a folder is there while it holds a file
  }

  names(path: string): string[] {
    const inside = [...this.files.keys()].filter((name) => name.startsWith(`${path}/`));
    return [...new Set(inside.map((name) => name.slice(path.length + 1).split("/")[0]!))].sort();
  }

  open(path: string): DiskFile {
    const file = this.files.get(path) ?? new MemoryFile();
    this.files.set(path, file);
    return file;
  }

  read(path: string): Uint8Array | null {
    return this.files.get(path)?.content.slice() ?? null;
  }

  replace(path: string, content: Uint8Array): void {
    const file = new MemoryFile();
    file.write(content, 0);
    this.files.set(path, file);
  }

  create(path: string, content: Uint8Array): DiskFile {
    this.replace(path, content);
    return this.open(path);
  }

  rename(from: string, to: string): void {
    for (const [path, file] of [...this.files]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.files.delete(path);
      this.files.set(to + path.slice(from.length), file);
    }
  }

  move(from: string, to: string): void {
    this.rename(from, to);
  }

  remove(path: string): void {
    this.files.delete(path);
  }

  removeFolder(path: string): void {
    for (const name of [...this.files.keys()]) if (name.startsWith(`${path}/`)) this.files.delete(name);
  }

  discardFolder(path: string, _: string, done: () => void): void {
    this.removeFolder(path);
    done();
  }

  /** Nobody else sees it. */
  lock(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }

  syncFolder(): void {
    // memory has nothing to sync
  }

  syncFolderLater(_: string, done: (error: null) => void): void {
    done(null);
  }
}

class MemoryFile implements DiskFile {
  size = 0;
  private memory = new Uint8Array(4096);

  get content(): Uint8Array {
    return this.memory.subarray(0, this.size);
  }

  write(content: Uint8Array, at: number): void {
    const end = at + content.length;
    if (end > this.memory.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.memory.length));
      grown.set(this.memory);
      this.memory = grown;
    }
    this.memory.set(content, at);
    this.size = Math.max(this.size, end);
  }

  read(into: Uint8Array, at: number): number {
    const piece = this.content.subarray(at, at + into.length);
    into.set(piece);
    return piece.length;
  }

  truncate(size: number): void {
    this.size = Math.min(this.size, size);
  }

  sync(done: (error: null) => void): void {
    done(null);
  }

  syncNow(): void {
    // memory has nothing to sync
  }

  close(): void {
    // nothing is open
  }
}
