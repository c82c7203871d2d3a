/**
 * A disk on which blocks of messages may lie packed: whoever reads one sees it as if it were not. A block is packed as a whole, once it is
 * sealed, in chunks that are read one by one:
 *
 *     "SHOALS2B"   checksum of what follows up to the chunks   bytes unpacked   chunks   for each: bytes, highest bit: not packed   chunks
 *
 * A chunk that cannot be unpacked reads as zeros: what lies in it is damaged then, and nothing else. Whoever writes to a packed block has it
 * unpacked before. What is encrypted is never packed: it has nothing that could be.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { BlockEncoder, packedMax } from "../compress/block-encoder.ts";
import { BROKEN, unpackBlock, unpackedLength } from "../compress/block-decoder.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { ForwardingDisk, ForwardingFile } from "./forwarding-disk.ts";

const MAGIC = Buffer.from("SHOALS2B", "latin1");
const CHECKSUM_AT = 8;
const LENGTH_AT = 12;
const COUNT_AT = 16;
const HEAD = 20;
/** Bytes of a chunk, unpacked. */
const CHUNK = 32 * 1024;
const PLAIN = 0x80000000;
/** Longer blocks hold one long message, and stay as they are. */
const UNPACKED_MAX = 64 * 1024 * 1024;
/** A block that becomes no smaller than this part of it is not worth it. */
const WORTH = 0.9;
const BLOCK = /\.blk(?:\.new)?$/;

/** The chunk that was unpacked last, of all files of a disk. */
interface Unpacked {
  file: PackedBlock | null;
  chunk: number;
  readonly bytes: Buffer;
}

export class PackedDisk extends ForwardingDisk {
  private readonly unpacked: Unpacked = { file: null, chunk: 0, bytes: Buffer.alloc(CHUNK) };

  override open(path: string): DiskFile {
    const file = this.disk.open(path);
    if (!BLOCK.test(path) || this.sealBytes > 0) return file;
    return new PackedBlock(file, { disk: this.disk, path, unpacked: this.unpacked });
  }
}

export function isPacked(file: DiskFile | null): boolean {
  return file instanceof PackedBlock && file.isPacked;
}

/** Where the chunks of a packed block lie. */
interface Chunks {
  readonly length: number;
  /** Offset of each chunk, and behind the last one the end. */
  readonly at: readonly number[];
  readonly isPlain: readonly boolean[];
}

interface PackedBlockOptions {
  readonly disk: Disk;
  readonly path: string;
  readonly unpacked: Unpacked;
}

class PackedBlock extends ForwardingFile {
  private readonly options: PackedBlockOptions;
  /** null: it is not packed. */
  private chunks: Chunks | null;

  constructor(file: DiskFile, options: PackedBlockOptions) {
    super(file);
    this.options = options;
    this.chunks = chunksOf(file);
  }

  get isPacked(): boolean {
    return this.chunks !== null;
  }

  override get size(): number {
    return this.chunks?.length ?? this.file.size;
  }

  override read(into: Uint8Array, at: number): number {
    const { chunks } = this;
    if (chunks === null) return this.file.read(into, at);
    const end = Math.min(at + into.length, chunks.length);
    for (let from = at; from < end;) {
      const chunk = Math.floor(from / CHUNK);
      const bytes = this.unpack(chunks, chunk);
      const start = from - chunk * CHUNK;
      const piece = bytes.subarray(start, Math.min(CHUNK, start + end - from));
      into.set(piece, from - at);
      from += piece.length;
    }
    return Math.max(0, end - at);
  }

  override write(content: Uint8Array, at: number): void {
    this.becomePlain();
    this.file.write(content, at);
  }

  override truncate(size: number): void {
    this.becomePlain();
    this.file.truncate(size);
  }

  override close(): void {
    const { unpacked } = this.options;
    if (unpacked.file === this) unpacked.file = null;
    this.file.close();
  }

  private unpack({ at, isPlain, length }: Chunks, chunk: number): Buffer {
    const { unpacked } = this.options;
    const { bytes } = unpacked;
    if (unpacked.file === this && unpacked.chunk === chunk) return bytes;
    unpacked.file = null;
    const wanted = Math.min(CHUNK, length - chunk * CHUNK);
    const packed = Buffer.allocUnsafeSlow(at[chunk + 1]! - at[chunk]!);
    const isRead = this.file.read(packed, at[chunk]!) === packed.length;
    if (isRead && isPlain[chunk]! && packed.length === wanted) packed.copy(bytes);
    else {
      const isSound = isRead && !isPlain[chunk]! && unpackedLength(packed) === wanted;
      if (!isSound || unpackBlock(packed, bytes) === BROKEN) bytes.fill(0);
    }
    unpacked.file = this;
    unpacked.chunk = chunk;
    return bytes;
  }

  /** Durable when this returns: a kill leaves the block in one form or in the other. */
  private becomePlain(): void {
    const { chunks } = this;
    if (chunks === null) return;
    const { disk, path, unpacked } = this.options;
    const content = Buffer.allocUnsafeSlow(chunks.length);
    this.read(content, 0);
    const beside = `${path}.plain.new`;
    const plain = disk.open(beside);
    plain.truncate(0);
    plain.write(content, 0);
    plain.syncNow();
    disk.rename(beside, path);
    this.file.close();
    this.file = plain;
    this.chunks = null;
    if (unpacked.file === this) unpacked.file = null;
  }
}

/** null: the file is not packed, or does not say soundly how. */
function chunksOf(file: DiskFile): Chunks | null {
  const head = Buffer.alloc(HEAD);
  if (file.read(head, 0) < HEAD || !head.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const length = head.readUInt32LE(LENGTH_AT);
  const count = head.readUInt32LE(COUNT_AT);
  if (length > UNPACKED_MAX || count !== Math.ceil(length / CHUNK)) return null;
  const table = Buffer.alloc(HEAD + 4 * count);
  if (file.read(table, 0) < table.length) return null;
  if (crc32(table.subarray(LENGTH_AT)) !== head.readUInt32LE(CHECKSUM_AT)) return null;
  const at = [table.length];
  const isPlain: boolean[] = [];
  for (let chunk = 0; chunk < count; chunk++) {
    const word = table.readUInt32LE(HEAD + 4 * chunk);
    isPlain.push(word >= PLAIN);
    at.push(at[chunk]! + (word % PLAIN));
  }
  return { length, at, isPlain };
}

/** Packs the content of a block, one chunk in a step. */
export class BlockPacking {
  private readonly content: (into: Buffer, at: number) => number;
  private readonly length: number;
  private readonly encoder = new BlockEncoder("fast");
  private readonly chunks: Buffer[] = [];
  private readonly sizes: number[] = [];
  private done = 0;
  private packedBytes = 0;

  /** `read`: of the block as it lies there. `length`: its bytes. */
  constructor(read: (into: Buffer, at: number) => number, length: number) {
    assert(BlockPacking.canPack(length), "a block that is packed is no longer than what is read again");
    this.content = read;
    this.length = length;
  }

  static canPack(length: number): boolean {
    return length > 0 && length <= UNPACKED_MAX;
  }

  /** True: all of it has been packed. */
  step(): boolean {
    const left = this.length - this.done;
    if (left === 0) return true;
    const source = Buffer.allocUnsafeSlow(Math.min(CHUNK, left));
    const length = this.content(source, this.done);
    assert(length === source.length, "a block is as long as it was when its packing began");
    const target = Buffer.allocUnsafeSlow(packedMax(source.length));
    const packed = this.encoder.pack(source, target);
    this.chunks.push(packed === 0 ? source : Buffer.from(target.subarray(0, packed)));
    this.sizes.push(packed === 0 ? PLAIN + source.length : packed);
    this.packedBytes += packed === 0 ? source.length : packed;
    this.done += source.length;
    return this.done === this.length;
  }

  /** The file; null: it is not worth it. */
  result(): Buffer | null {
    assert(this.done === this.length, "a block is packed as a whole");
    if (this.packedBytes > this.length * WORTH) return null;
    const table = Buffer.alloc(HEAD + 4 * this.sizes.length);
    MAGIC.copy(table);
    table.writeUInt32LE(this.length, LENGTH_AT);
    table.writeUInt32LE(this.sizes.length, COUNT_AT);
    for (const [i, size] of this.sizes.entries()) table.writeUInt32LE(size, HEAD + 4 * i);
    table.writeUInt32LE(crc32(table.subarray(LENGTH_AT)), CHECKSUM_AT);
    return Buffer.concat([table, ...this.chunks]);
  }
}
