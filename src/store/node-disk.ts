/** The real disk, by `node:fs`. The one file that touches it. */
import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rm,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DiskError, type Disk, type DiskFile } from "./disk.ts";

/** Codes of SQLite. */
const BUSY = 5;
const LOCKED = 6;
const IO_ERROR = 10;

export class NodeDisk implements Disk {
  readonly sealBytes = 0;
  makeFolder(path: string): void {
    attempt(`cannot make the folder ${path}`, () => mkdirSync(path, { recursive: true, mode: 0o750 }));
  }

  names(path: string): string[] {
    return attempt(`cannot list ${path}`, () => readdirSync(path).sort(), []);
  }

  open(path: string): DiskFile {
    return attempt(`cannot open ${path}`, () => {
      const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o640);
      return new NodeFile(path, descriptor, fstatSync(descriptor).size);
    });
  }

  read(path: string): Uint8Array | null {
    return attempt<Uint8Array | null>(`cannot read ${path}`, () => readFileSync(path), null);
  }

  replace(path: string, content: Uint8Array): void {
    const next = `${path}.new`;
    attempt(`cannot write ${path}`, () => {
      writeFileSync(next, content, { mode: 0o640, flush: true });
      renameSync(next, path);
    });
    this.syncFolder(dirname(path));
  }

  create(path: string, content: Uint8Array): DiskFile {
    const file = this.open(path);
    file.truncate(0);
    file.write(content, 0);
    return file;
  }

  rename(from: string, to: string): void {
    attempt(`cannot rename ${from} to ${to}`, () => renameSync(from, to));
    this.syncFolder(dirname(to));
  }

  move(from: string, to: string): void {
    attempt(`cannot rename ${from} to ${to}`, () => renameSync(from, to));
  }

  remove(path: string): void {
    attempt(`cannot remove ${path}`, () => rmSync(path, { force: true }));
  }

  removeFolder(path: string): void {
    attempt(`cannot remove ${path}`, () => rmSync(path, { force: true, recursive: true }));
  }

  discardFolder(path: string, to: string, done: () => void): void {
    this.makeFolder(dirname(to));
    const isThere = attempt(
      `cannot remove ${path}`,
      () => {
        renameSync(path, to);
        return true;
      },
      false,
    );
    if (!isThere) done();
    else rm(to, { force: true, recursive: true }, () => done()); // where it cannot be removed, the next start tries again
  }

  /**
   * Node.js has no call for locks of files, but SQLite takes them: the kernel's, which end with the process, are seen in all containers
   * that share the volume, and need no address or process id that another one could have by chance. Nothing is ever written to the file.
   */
  lock(path: string): Disposable | "unsupported" | null {
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path);
      database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
    } catch (error) {
      database?.close();
      const code = sqliteCodeOf(error);
      if (code === BUSY || code === LOCKED) return null;
      if (code === IO_ERROR) return "unsupported";
      throw diskError(`cannot lock ${path}`, error);
    }
    const held = database;
    return { [Symbol.dispose]: () => held.close() };
  }

  syncFolder(path: string): void {
    attempt(`cannot sync the folder ${path}`, () => {
      const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        fdatasyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  syncFolderLater(path: string, done: (error: DiskError | null) => void): void {
    let descriptor: number;
    try {
      descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      done(codeOf(error) === "ENOENT" ? null : diskError(`cannot sync the folder ${path}`, error));
      return;
    }
    fdatasync(descriptor, (error) => {
      closeSync(descriptor);
      done(error === null ? null : diskError(`cannot sync the folder ${path}`, error));
    });
  }
}

class NodeFile implements DiskFile {
  size: number;
  private readonly path: string;
  private readonly descriptor: number;
  private syncs = 0;
  private isClosing = false;

  constructor(path: string, descriptor: number, size: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.size = size;
  }

  write(content: Uint8Array, at: number): void {
    attempt(`cannot write to ${this.path}`, () => {
      for (let done = 0; done < content.length;) {
        const wrote = writeSync(this.descriptor, content, done, content.length - done, at + done);
        done += wrote;
        this.size = Math.max(this.size, at + done);
      }
    });
  }

  read(into: Uint8Array, at: number): number {
    return attempt(`cannot read ${this.path}`, () => {
      let done = 0;
      while (done < into.length) {
        const count = readSync(this.descriptor, into, done, into.length - done, at + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  truncate(size: number): void {
    attempt(`cannot cut ${this.path}`, () => ftruncateSync(this.descriptor, size));
    this.size = size;
  }

  sync(done: (error: DiskError | null) => void): void {
    this.syncs++;
    fdatasync(this.descriptor, (error) => {
      this.syncs--;
      if (this.isClosing && this.syncs === 0) closeSync(this.descriptor);
      done(error === null ? null : diskError(`cannot sync ${this.path}`, error));
    });
  }

  syncNow(): void {
    attempt(`cannot sync ${this.path}`, () => fdatasyncSync(this.descriptor));
  }

  /** The descriptor stays open until syncs under way have ended. */
  close(): void {
    if (this.isClosing) return;
    this.isClosing = true;
    if (this.syncs === 0) closeSync(this.descriptor);
  }
}

/** `missing`: the result where the file or folder is not there. */
function attempt<T>(what: string, act: () => T, ...missing: [T?]): T {
  try {
    return act();
  } catch (error) {
    if (missing.length > 0 && codeOf(error) === "ENOENT") return missing[0] as T;
    throw diskError(what, error);
  }
}

function diskError(what: string, error: unknown): DiskError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DiskError(`${what}: ${reason}`, codeOf(error));
}

/** Without what it has in its higher bytes. */
function sqliteCodeOf(error: unknown): number {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
  return code & 0xff;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
