/**
 * Tokens of accounts in a directory, one file for each, named by the account's public nkey, as by nats-server's resolvers and its older
 * account server. A file is written under another name and renamed, so a reader sees either the old or the new one.
 *
 * Invariant: names are public nkeys of accounts, so no name leads out of the directory. Bounds: `limit` tokens, TOKEN_BYTES_MAX
 * each, and WRITES_MAX changes that wait.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
} from "node:fs";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import { isNkeyOf } from "../keys/nkey.ts";

const ENDING = ".jwt";
const BEING_WRITTEN = ".writing";
const DELETED = ".deleted";
const TOKEN_BYTES_MAX = 1024 * 1024;
const WRITES_MAX = 10_000;
const HASH_BYTES = 32;
const FOLDER = /^[A-Z2-7]{2}$/;

export interface TokenFilesOptions {
  readonly directory: string;
  /** Tokens at most; null: any number. */
  readonly limit: number | null;
  /** What happens beyond the limit: a new token is refused, or takes the place of the one that was not used for longest. */
  readonly whenFull: "refuses" | "evicts";
  readonly onDelete: "renames" | "removes";
}

interface Tracked {
  readonly hash: Buffer;
  usedMs: number;
}

export class TokenFiles {
  private readonly options: TokenFilesOptions;
  /** In order of their last use. */
  private readonly tracked = new Map<string, Tracked>();
  private readonly sum = Buffer.alloc(HASH_BYTES);
  private writing: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** Makes the directory where there is none. Throws the operating system's error. */
  constructor(options: TokenFilesOptions) {
    this.options = options;
    mkdirSync(options.directory, { recursive: true });
    takeOutOfFolders(options.directory);
    for (const file of readdirSync(options.directory)) {
      if (file.endsWith(BEING_WRITTEN)) rmSync(join(options.directory, file), { force: true });
      const name = nameOf(file);
      const jwt = name === null ? null : this.read(name);
      if (name !== null && jwt !== null) this.track(name, jwt, 0);
    }
  }

  /** Takes note of what others have written and removed. Rejects where the directory cannot be read. */
  reread(nowMs: number, onChange: (name: string, jwt: string) => void): Promise<void> {
    return this.inTurn(async () => {
      const found = new Set<string>();
      for (const file of await readdir(this.options.directory)) {
        const name = nameOf(file);
        const jwt = name === null ? null : await this.readLater(name);
        if (name === null || jwt === null) continue;
        found.add(name);
        if (this.tracked.get(name)?.hash.equals(hashOf(jwt)) === true) continue;
        this.untrack(name);
        this.track(name, jwt, nowMs);
        onChange(name, jwt);
      }
      for (const name of [...this.tracked.keys()]) if (!found.has(name)) this.untrack(name);
    });
  }

  get names(): Iterable<string> {
    return this.tracked.keys();
  }

  /** The same for two directories that hold the same tokens, on servers of both kinds. */
  get hash(): Buffer {
    return Buffer.from(this.sum);
  }

  /** null: there is none, or it cannot be read. */
  load(name: string, nowMs: number): string | null {
    const tracked = this.tracked.get(name);
    if (tracked === undefined) return null;
    tracked.usedMs = nowMs;
    this.tracked.delete(name);
    this.tracked.set(name, tracked);
    return this.read(name);
  }

  /** "same": the file holds this token already. Rejects where it cannot be written. */
  save(name: string, jwt: string, nowMs: number): Promise<"written" | "same"> {
    assert(isNkeyOf("account", name), "a file is named by the public nkey of an account");
    return this.inTurn(async () => {
      const before = this.tracked.get(name);
      if (before?.hash.equals(hashOf(jwt)) === true) return "same";
      if (before === undefined) await this.makeRoom();
      await this.write(name, jwt);
      this.untrack(name);
      this.track(name, jwt, nowMs);
      return "written";
    });
  }

  remove(name: string): Promise<void> {
    return this.inTurn(async () => {
      if (!this.tracked.has(name)) return;
      const path = this.pathOf(name);
      if (this.options.onDelete === "renames") await rename(path, `${path}${DELETED}`);
      else await rm(path, { force: true });
      this.untrack(name);
    });
  }

  /** Removes what was not used since then. */
  async expire(sinceMs: number): Promise<void> {
    const old = [...this.tracked].filter(([, { usedMs }]) => usedMs < sinceMs);
    for (const [name] of old) await this.evict(name);
  }

  /** Resolves when all that was asked for is done. */
  async settled(): Promise<void> {
    await this.writing;
  }

  private evict(name: string): Promise<void> {
    return this.inTurn(() => this.drop(name));
  }

  private async drop(name: string): Promise<void> {
    await rm(this.pathOf(name), { force: true });
    this.untrack(name);
  }

  private async makeRoom(): Promise<void> {
    const { limit, whenFull } = this.options;
    if (limit === null || this.tracked.size < limit) return;
    const [oldest] = this.tracked.keys();
    if (whenFull === "refuses" || oldest === undefined) throw new Error("jwt store is full");
    await this.drop(oldest);
  }

  private async write(name: string, jwt: string): Promise<void> {
    const path = this.pathOf(name);
    const file = await open(`${path}${BEING_WRITTEN}`, "w", 0o640);
    try {
      await file.writeFile(jwt);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}${BEING_WRITTEN}`, path);
  }

  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    if (this.waiting >= WRITES_MAX) return Promise.reject(new Error("too many changes wait"));
    this.waiting++;
    const done = this.writing.then(act).finally(() => this.waiting--);
    this.writing = done.catch(() => undefined); // the caller is told
    return done;
  }

  private track(name: string, jwt: string, usedMs: number): void {
    const hash = hashOf(jwt);
    this.tracked.set(name, { hash, usedMs });
    this.add(hash);
  }

  private untrack(name: string): void {
    const tracked = this.tracked.get(name);
    if (tracked === undefined) return;
    this.tracked.delete(name);
    this.add(tracked.hash);
  }

  /** Adding the same twice removes it. */
  private add(hash: Buffer): void {
    for (let i = 0; i < HASH_BYTES; i++) this.sum[i]! ^= hash[i]!;
  }

  private async readLater(name: string): Promise<string | null> {
    try {
      const { size } = await stat(this.pathOf(name));
      if (size === 0 || size > TOKEN_BYTES_MAX) return null;
      return (await readFile(this.pathOf(name), "utf8")).trim();
    } catch {
      return null; // as if it were not there
    }
  }

  /** Reads at most the bytes that a token may have. */
  private read(name: string): string | null {
    try {
      const file = openSync(this.pathOf(name), "r");
      try {
        const { size } = fstatSync(file);
        if (size === 0 || size > TOKEN_BYTES_MAX) return null;
        // A file that grows meanwhile is being written by others, and not by renaming.
        const bytes = Buffer.allocUnsafe(size);
        let length = 0;
        for (let count = -1; count !== 0 && length < size; length += count)
          count = readSync(file, bytes, length, size - length, null);
        return bytes.toString("utf8", 0, length).trim();
      } finally {
        closeSync(file);
      }
    } catch {
      return null; // as if it were not there
    }
  }

  private pathOf(name: string): string {
    return join(this.options.directory, `${name}${ENDING}`);
  }
}

/** The older account server may have put files into folders by the last two letters of their names. */
function takeOutOfFolders(directory: string): void {
  for (const folder of readdirSync(directory, { withFileTypes: true })) {
    if (!folder.isDirectory() || !FOLDER.test(folder.name)) continue;
    for (const file of readdirSync(join(directory, folder.name))) {
      const to = join(directory, file);
      if (nameOf(file)?.endsWith(folder.name) !== true || existsSync(to)) continue;
      renameSync(join(directory, folder.name, file), to);
    }
  }
}

/** The account of a file; null: it is something else. */
function nameOf(file: string): string | null {
  const name = file.endsWith(ENDING) ? file.slice(0, -ENDING.length) : "";
  return isNkeyOf("account", name) ? name : null;
}

function hashOf(jwt: string): Buffer {
  return createHash("sha256").update(jwt).digest();
}
