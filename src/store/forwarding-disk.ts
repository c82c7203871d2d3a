/**
 * A disk on top of another one, to which it passes everything on. What lies between the store and the disk extends this, and holds only
 * what it changes: a method that is added here and carries content has to be looked at in each of them.
 */
import type { Disk, DiskError, DiskFile } from "./disk.ts";

export abstract class ForwardingDisk implements Disk {
  protected readonly disk: Disk;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  get sealBytes(): number {
    return this.disk.sealBytes;
  }

  get isSlow(): boolean {
    return this.disk.isSlow === true;
  }

  makeFolder(path: string): void {
    this.disk.makeFolder(path);
  }

  names(path: string): string[] {
    return this.disk.names(path);
  }

  open(path: string): DiskFile {
    return this.disk.open(path);
  }

  read(path: string): Uint8Array | null {
    return this.disk.read(path);
  }

  replace(path: string, content: Uint8Array): void {
    this.disk.replace(path, content);
  }

  create(path: string, content: Uint8Array): DiskFile {
    return this.disk.create(path, content);
  }

  rename(from: string, to: string): void {
    this.disk.rename(from, to);
  }

  move(from: string, to: string): void {
    this.disk.move(from, to);
  }

  remove(path: string): void {
    this.disk.remove(path);
  }

  removeFolder(path: string): void {
    this.disk.removeFolder(path);
  }

  discardFolder(path: string, to: string, done: () => void): void {
    this.disk.discardFolder(path, to, done);
  }

  lock(path: string): Disposable | "unsupported" | null {
    return this.disk.lock(path);
  }

  syncFolder(path: string): void {
    this.disk.syncFolder(path);
  }

  syncFolderLater(path: string, done: (error: DiskError | null) => void): void {
    this.disk.syncFolderLater(path, done);
  }
}

export abstract class ForwardingFile implements DiskFile {
  /** A subclass may put another file in its place. */
  protected file: DiskFile;

  constructor(file: DiskFile) {
    this.file = file;
  }

  get size(): number {
    return this.file.size;
  }

  write(content: Uint8Array, at: number): void {
    this.file.write(content, at);
  }

  read(into: Uint8Array, at: number): number {
    return this.file.read(into, at);
  }

  truncate(size: number): void {
    this.file.truncate(size);
  }

  sync(done: (error: DiskError | null) => void): void {
    this.file.sync(done);
  }

  syncNow(): void {
    this.file.syncNow();
  }

  close(): void {
    this.file.close();
  }
}
