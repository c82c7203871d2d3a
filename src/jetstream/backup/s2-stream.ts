/**
 * The frames of S2 and Snappy streams, in which backups travel:
 *
 *     ff 06 00 00 "S2sTwO"                                       begins a stream
 *     00 length(3) checksum(4) block       compressed            01 length(3) checksum(4) bytes      as they are
 *     80 … fe length(3) …                  skipped
 *
 * Checksums are CRC-32C over what the frame holds unpacked, masked. This side writes bytes as they are; it reads both kinds. A reader
 * holds at most one frame.
 */
const STREAM_START = Buffer.from("\xff\x06\x00\x00S2sTwO", "latin1");
const SNAPPY_START = Buffer.from("\xff\x06\x00\x00sNaPpY", "latin1");
const COMPRESSED = 0;
const PLAIN = 1;
const START = 0xff;
const SKIPPABLE_FROM = 0x80;
const HEAD = 4;
const CHECKSUM = 4;
/** Bytes of one frame, unpacked: what writers of S2 keep to. */
const FRAME_MAX = 4 * 1024 * 1024;
/** A frame that does not compress may be longer than what it holds. */
const PACKED_MAX = FRAME_MAX + 64 * 1024;
const POLYNOMIAL = 0x82f63b78;
const MASK_DELTA = 0xa282ead8;

const NOTHING: Buffer = Buffer.alloc(0);
const TABLE = makeTable();

function makeTable(): Int32Array {
  const table = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[i] = crc;
  }
  return table;
}

function maskedChecksum(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}

/** What a stream begins with. */
export function streamStart(): Buffer {
  return STREAM_START;
}

/** A frame with the bytes as they are: at most `FRAME_MAX`. */
export function plainFrame(bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD + CHECKSUM + bytes.length);
  frame[0] = PLAIN;
  frame.writeUIntLE(CHECKSUM + bytes.length, 1, 3);
  frame.writeUInt32LE(maskedChecksum(bytes), HEAD);
  frame.set(bytes, HEAD + CHECKSUM);
  return frame;
}

/** The bytes received are not a backup, or they are damaged. */
export class DamagedBackup extends Error {}

/** Takes a stream in pieces of any length, and hands over what its frames hold, one frame at a time. */
export class BackupFrames {
  private pieces: Buffer[] = [];
  private length = 0;
  private hasBegun = false;

  add(bytes: Uint8Array): void {
    this.pieces.push(Buffer.from(bytes));
    this.length += bytes.length;
  }

  /** What the next frame holds; null: it is not there yet. Throws `DamagedBackup`. */
  next(): Buffer | null {
    for (;;) {
      const head = this.peek(HEAD);
      if (head === null) return null;
      const length = head.readUIntLE(1, 3);
      if (length > PACKED_MAX) throw new DamagedBackup("a frame of the backup is too long");
      const frame = this.peek(HEAD + length);
      if (frame === null) return null;
      const bytes = this.unpack(frame);
      this.drop(HEAD + length);
      if (bytes.length > 0) return bytes;
    }
  }

  /** The stream ends. Throws `DamagedBackup` in the middle of a frame. */
  end(): void {
    if (this.length > 0 || !this.hasBegun) throw new DamagedBackup("the backup is cut off");
  }

  private unpack(frame: Buffer): Buffer {
    const kind = frame[0]!;
    if (kind === START) {
      if (!frame.equals(STREAM_START) && !frame.equals(SNAPPY_START))
        throw new DamagedBackup("this is no backup: it does not begin as one");
      this.hasBegun = true;
      return NOTHING;
    }
    if (!this.hasBegun) throw new DamagedBackup("this is no backup: it does not begin as one");
    if (kind >= SKIPPABLE_FROM) return NOTHING;
    if (kind > PLAIN || frame.length < HEAD + CHECKSUM)
      throw new DamagedBackup("a frame of the backup is damaged");
    const packed = frame.subarray(HEAD + CHECKSUM);
    const bytes = kind === COMPRESSED ? unpack(packed) : packed;
    if (maskedChecksum(bytes) !== frame.readUInt32LE(HEAD))
      throw new DamagedBackup("a frame of the backup is damaged: its checksum is wrong");
    return bytes;
  }

  /** The first so many bytes; null: they are not there yet. */
  private peek(length: number): Buffer | null {
    if (this.length < length) return null;
    if (this.pieces[0]!.length < length) this.pieces = [Buffer.concat(this.pieces)];
    return this.pieces[0]!.subarray(0, length);
  }

  private drop(length: number): void {
    this.length -= length;
    const rest = this.pieces[0]!.subarray(length);
    if (rest.length === 0) this.pieces.shift();
    else this.pieces[0] = rest;
  }
}

/** A block: its length unpacked, then literals and copies of what stands before. Throws `DamagedBackup`. */
function unpack(block: Uint8Array): Buffer {
  const reader = new BlockReader(block);
  const length = reader.length();
  if (length > FRAME_MAX) throw new DamagedBackup("a frame of the backup is too long");
  return reader.unpack(Buffer.alloc(length));
}

const LITERAL = 0;
const COPY_1 = 1;
const COPY_2 = 2;

class BlockReader {
  private readonly block: Uint8Array;
  private at = 0;
  private offset = 0;

  constructor(block: Uint8Array) {
    this.block = block;
  }

  length(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.number(1);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw damaged();
  }

  unpack(into: Buffer): Buffer {
    let end = 0;
    while (this.at < this.block.length) {
      const tag = this.number(1);
      if ((tag & 3) === LITERAL) {
        const length = this.literalLength(tag >> 2);
        if (this.at + length > this.block.length || end + length > into.length) throw damaged();
        into.set(this.block.subarray(this.at, this.at + length), end);
        this.at += length;
        end += length;
        continue;
      }
      const length = this.copyLength(tag);
      if (this.offset === 0 || this.offset > end || end + length > into.length) throw damaged();
      // what is copied may overlap what it becomes
      for (let i = 0; i < length; i++, end++) into[end] = into[end - this.offset]!;
    }
    if (end !== into.length) throw damaged();
    return into;
  }

  private literalLength(short: number): number {
    return short < 60 ? short + 1 : this.number(short - 59) + 1;
  }

  /** Sets the offset, but for a repeated one: that of the copy before is meant. */
  private copyLength(tag: number): number {
    const kind = tag & 3;
    if (kind !== COPY_1) {
      this.offset = this.number(kind === COPY_2 ? 2 : 4);
      return 1 + (tag >> 2);
    }
    const offset = ((tag & 0xe0) << 3) | this.number(1);
    const length = (tag >> 2) & 7;
    if (offset !== 0) {
      this.offset = offset;
      return length + 4;
    }
    if (length === 5) return this.number(1) + 4 + 4;
    if (length === 6) return this.number(2) + (1 << 8) + 4;
    if (length === 7) return this.number(3) + (1 << 16) + 4;
    return length + 4;
  }

  private number(bytes: number): number {
    if (this.at + bytes > this.block.length) throw damaged();
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.block[this.at + i]!;
    this.at += bytes;
    return value;
  }
}

function damaged(): DamagedBackup {
  return new DamagedBackup("a frame of the backup is damaged: it cannot be unpacked");
}
