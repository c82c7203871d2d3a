/**
 * A disk that encrypts the files of streams (seal.ts): its users see them unencrypted. Blocks consist of records, the
 * logs of consumers of entries; everything else is read and replaced as a whole.
 *
 *     <folder>/<account>/streams/<stream>/…      sealed by the keys of the stream; so are restoring/ and quarantine/
 *
 * What cannot be decrypted reads as if it were damaged: no records, empty texts.
 */
import { assert } from "../base/assert.ts";
import { DiskError, type Disk, type DiskFile } from "./disk.ts";
import { ForwardingDisk, ForwardingFile } from "./forwarding-disk.ts";
import { SEAL_BYTES } from "./record.ts";
import { ENTRY_BYTES, Seal, SEALED_ENTRY_BYTES, type SealKey } from "./seal.ts";
import type { StoreKeys } from "./store-keys.ts";

/** Parts of the path of a stream's folder, below the folder of the store. */
const DEPTH = 3;
export const KEY_FILE = "key";
/** What replaces a block is written beside it. */
const BLOCK = /\.blk(?:\.new)?$/;
const NOTHING = new Uint8Array(0);

export class SealedDisk extends ForwardingDisk {
  private readonly folder: string;
  private openedKeys: StoreKeys | null = null;
  /** By the folder of a stream. */
  private readonly known = new Map<string, readonly SealKey[]>();

  /** `folder`: of the store. */
  constructor(disk: Disk, folder: string) {
    super(disk);
    this.folder = folder;
  }

  /** No file of a stream is touched before. */
  unlock(keys: StoreKeys): void {
    this.openedKeys = keys;
  }

  override get sealBytes(): number {
    return SEAL_BYTES;
  }

  private get keys(): StoreKeys {
    const { openedKeys } = this;
    assert(openedKeys !== null, "a sealed disk is unlocked before it is used");
    return openedKeys;
  }

  override open(path: string): DiskFile {
    const seal = this.sealFor(path, "written");
    const file = this.disk.open(path);
    if (seal === null) return file;
    return BLOCK.test(path) ? new SealedBlock(file, seal) : new SealedEntries(file, seal);
  }

  override read(path: string): Uint8Array | null {
    const content = this.disk.read(path);
    if (content === null || this.placeOf(path) === null) return content;
    return this.sealFor(path, "read")?.openText(content) ?? NOTHING;
  }

  override replace(path: string, content: Uint8Array): void {
    const seal = this.sealFor(path, "written");
    const isBlock = BLOCK.test(path);
    this.disk.replace(
      path,
      seal === null ? content : isBlock ? seal.sealRecords(content) : seal.sealText(content),
    );
  }

  override create(path: string, content: Uint8Array): DiskFile {
    const seal = this.sealFor(path, "written");
    assert(!BLOCK.test(path), "a new file is a text: blocks are opened");
    return this.disk.create(path, seal === null ? content : seal.sealText(content));
  }

  override rename(from: string, to: string): void {
    this.forget(from);
    this.forget(to);
    this.disk.rename(from, to);
  }

  override removeFolder(path: string): void {
    this.forget(path);
    this.disk.removeFolder(path);
  }

  override discardFolder(path: string, to: string, done: () => void): void {
    this.forget(path);
    this.disk.discardFolder(path, to, done);
  }

  /** null: the file belongs to no stream, or its stream has no keys that can be opened. */
  private sealFor(path: string, use: "read" | "written"): Seal | null {
    const place = this.placeOf(path);
    if (place === null) return null;
    const keys = this.keysOf(place.stream) ?? (use === "written" ? this.made(place.stream) : null);
    return keys === null ? null : new Seal(keys, place.rest, this.keys.entropy);
  }

  /** null: there are none, or they cannot be opened. */
  private keysOf(stream: string): readonly SealKey[] | null {
    const known = this.known.get(stream);
    if (known !== undefined) return known;
    const content = this.disk.read(`${stream}/${KEY_FILE}`);
    const opened = content === null ? null : this.keys.openStream(content);
    if (opened !== null) this.known.set(stream, opened.keys);
    return opened?.keys ?? null;
  }

  private made(stream: string): readonly SealKey[] {
    if (this.disk.read(`${stream}/${KEY_FILE}`) !== null)
      throw new DiskError(`cannot write to ${stream}: its keys cannot be opened`, "EKEYREJECTED");
    const keys = [this.keys.newKey([])];
    this.disk.makeFolder(stream);
    this.disk.replace(`${stream}/${KEY_FILE}`, this.keys.sealStream({ keys, isChanging: false }));
    this.known.set(stream, keys);
    return keys;
  }

  /** null: it is no file of a stream. */
  private placeOf(path: string): { stream: string; rest: string } | null {
    if (!path.startsWith(`${this.folder}/`)) return null;
    const parts = path.slice(this.folder.length + 1).split("/");
    if (parts.length <= DEPTH) return null;
    const stream = `${this.folder}/${parts.slice(0, DEPTH).join("/")}`;
    return {
      stream,
      rest: parts
        .slice(DEPTH)
        .join("/")
        .replace(/\.new$/, ""),
    };
  }

  private forget(path: string): void {
    for (const stream of this.known.keys())
      if (stream === path || stream.startsWith(`${path}/`)) this.known.delete(stream);
  }
}

abstract class SealedFile extends ForwardingFile {
  protected readonly seal: Seal;

  constructor(file: DiskFile, seal: Seal) {
    super(file);
    this.seal = seal;
  }
}

/** Records keep room for their seal: they lie where they would without it. Reads and writes begin where a record does. */
class SealedBlock extends SealedFile {
  override write(content: Uint8Array, at: number): void {
    this.file.write(this.seal.sealRecords(content), at);
  }

  override read(into: Uint8Array, at: number): number {
    const length = this.file.read(into, at);
    this.seal.openRecords(Buffer.from(into.buffer, into.byteOffset, length));
    return length;
  }
}

/** Entries are longer on the disk. */
class SealedEntries extends SealedFile {
  override get size(): number {
    return Math.floor(this.file.size / SEALED_ENTRY_BYTES) * ENTRY_BYTES;
  }

  override write(content: Uint8Array, at: number): void {
    this.file.write(this.seal.sealEntries(content), sealedPlace(at));
  }

  override read(into: Uint8Array, at: number): number {
    assert(into.length % ENTRY_BYTES === 0, "whole entries are read");
    const sealed = Buffer.alloc(sealedPlace(into.length));
    const length = this.file.read(sealed, sealedPlace(at));
    const content = this.seal.openEntries(sealed.subarray(0, length));
    into.set(content);
    return content.length;
  }

  override truncate(size: number): void {
    this.file.truncate(sealedPlace(size));
  }
}

function sealedPlace(at: number): number {
  assert(at % ENTRY_BYTES === 0, "entries are of one size");
  return (at / ENTRY_BYTES) * SEALED_ENTRY_BYTES;
}
