/**
 * Tar archives in the form of POSIX.1-2001 (pax), as backups of nats-server 2.14 and older are: regular files with short contents, and before
 * some of them an entry with a longer name. Each entry is a header of 512 bytes, then its content, filled up to a multiple of that; two blocks
 * of zeros end the archive. A reader holds one header at most.
 */
import { DamagedBackup } from "./s2-stream.ts";

const BLOCK = 512;
/** Bytes of the records of one entry. */
const RECORDS_MAX = 64 * 1024;
const NAME = { at: 0, length: 100 };
const SIZE = { at: 124, length: 12 };
const CHECKSUM = { at: 148, length: 8 };
const KIND_AT = 156;
const MAGIC_AT = 257;
const PREFIX = { at: 345, length: 155 };
const REGULAR = "0";
/** Records of the next entry, and of all. */
const RECORDS = "x";
const RECORDS_OF_ALL = "g";

interface Field {
  readonly at: number;
  readonly length: number;
}

interface Head {
  readonly name: string;
  readonly kind: string;
  readonly length: number;
}

export interface TarHost {
  /** A file begins. */
  file(name: string): void;
  /** The next piece of it. */
  content(piece: Buffer): void;
  fileEnd(): void;
}

/** Takes an archive in pieces of any length, and hands over its files as they come. */
export class TarReader {
  private readonly host: TarHost;
  /** A header, or the records of one, of which not all is there yet. */
  private part: Buffer = Buffer.alloc(0);
  private head: Head | null = null;
  /** Bytes of the content, and of what fills its last block, that have not come. */
  private contentLeft = 0;
  private fillLeft = 0;
  /** What the entry before says of the next one. */
  private longName: string | null = null;
  private zeros = 0;

  constructor(host: TarHost) {
    this.host = host;
  }

  /** Whether the end of the archive has come. */
  get isComplete(): boolean {
    return this.zeros >= 2;
  }

  /** Takes some of the bytes, and returns how many: at least one. Throws `DamagedBackup`, and what the host throws. */
  take(bytes: Buffer): number {
    const { head } = this;
    if (head === null) return this.gather(bytes, BLOCK, (header) => this.header(header));
    if (this.contentLeft > 0) {
      if (head.kind === RECORDS) return this.gather(bytes, head.length, (records) => this.records(records));
      const piece = bytes.subarray(0, this.contentLeft);
      this.contentLeft -= piece.length;
      if (head.kind === REGULAR) this.host.content(piece);
      if (this.contentLeft === 0) this.contentEnd();
      return piece.length;
    }
    const used = Math.min(this.fillLeft, bytes.length);
    this.fillLeft -= used;
    if (this.fillLeft === 0) this.head = null;
    return used;
  }

  private gather(bytes: Buffer, length: number, use: (whole: Buffer) => void): number {
    const piece = bytes.subarray(0, length - this.part.length);
    this.part = Buffer.concat([this.part, piece]);
    if (this.part.length < length) return piece.length;
    const whole = this.part;
    this.part = Buffer.alloc(0);
    use(whole);
    return piece.length;
  }

  private header(header: Buffer): void {
    if (header.every((byte) => byte === 0)) {
      this.zeros++;
      return;
    }
    if (this.zeros > 0) throw new DamagedBackup("the backup goes on behind its end");
    const head = readHead(header);
    this.head = head;
    this.contentLeft = head.length;
    this.fillLeft = (BLOCK - (head.length % BLOCK)) % BLOCK;
    if (head.kind === REGULAR) {
      this.host.file(this.longName ?? head.name);
      this.longName = null;
    }
    if (head.length === 0) this.contentEnd();
  }

  private records(records: Buffer): void {
    this.longName = nameIn(records) ?? this.longName;
    this.contentLeft = 0;
    this.contentEnd();
  }

  private contentEnd(): void {
    if (this.head!.kind === REGULAR) this.host.fileEnd();
    if (this.fillLeft === 0) this.head = null;
  }
}

function readHead(header: Buffer): Head {
  if (octal(header, CHECKSUM) !== checksumOf(header) || text(header, { at: MAGIC_AT, length: 5 }) !== "ustar")
    throw new DamagedBackup("a header of the backup is damaged");
  const prefix = text(header, PREFIX);
  const name = text(header, NAME);
  const length = octal(header, SIZE);
  const letter = String.fromCharCode(header[KIND_AT]!);
  const kind = letter === "\0" ? REGULAR : letter;
  if (kind !== REGULAR && kind !== RECORDS && kind !== RECORDS_OF_ALL)
    throw new DamagedBackup("the backup holds something else than files");
  if (kind === RECORDS && length > RECORDS_MAX) throw new DamagedBackup("a header of the backup is damaged");
  return { name: prefix === "" ? name : `${prefix}/${name}`, kind, length };
}

/** All bytes of a header, its checksum taken for spaces. */
function checksumOf(header: Buffer): number {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) {
    const isChecksum = i >= CHECKSUM.at && i < CHECKSUM.at + CHECKSUM.length;
    sum += isChecksum ? 0x20 : header[i]!;
  }
  return sum;
}

function text(header: Buffer, { at, length }: Field): string {
  const field = header.toString("latin1", at, at + length);
  const end = field.indexOf("\0");
  return end === -1 ? field : field.slice(0, end);
}

function octal(header: Buffer, field: Field): number {
  const digits = text(header, field).trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw new DamagedBackup("a header of the backup is damaged");
  return Number.parseInt(digits, 8);
}

/** The name in records such as `27 path=obs/…\n`, each of which tells its length; null: they do not tell one. */
function nameIn(records: Buffer): string | null {
  let name: string | null = null;
  for (let at = 0; at < records.length;) {
    const space = records.indexOf(" ", at);
    const length = space === -1 ? 0 : Number(records.toString("latin1", at, space));
    if (!Number.isInteger(length) || length < space - at + 3 || at + length > records.length)
      throw new DamagedBackup("a header of the backup is damaged");
    const [key, value] = records.toString("latin1", space + 1, at + length - 1).split("=", 2);
    if (key === "path") name = value ?? "";
    if (key === "size") throw new DamagedBackup("a file of the backup is longer than can be taken");
    at += length;
  }
  return name;
}

/** A file as a part of an archive. `name`: a byte string. */
export function tarFile(name: string, content: Uint8Array, timeNs: bigint): Buffer {
  const { length } = content;
  return Buffer.concat([tarHead(name, length, timeNs), content, tarFill(length)]);
}

/** What comes before the content of a file. */
export function tarHead(name: string, length: number, timeNs: bigint): Buffer {
  const timeS = Number(timeNs / 1_000_000_000n);
  const head = headOf(name.slice(0, NAME.length), REGULAR, length, timeS);
  if (name.length <= NAME.length) return head;
  const record = pathRecord(name);
  return Buffer.concat([headOf("long", RECORDS, record.length, timeS), record, tarFill(record.length), head]);
}

/** What comes behind it. */
export function tarFill(length: number): Buffer {
  return Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK);
}

/** What an archive ends with. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

function pathRecord(name: string): Buffer {
  const rest = ` path=${name}\n`;
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return Buffer.from(`${length}${rest}`, "latin1");
}

function headOf(name: string, kind: string, length: number, timeS: number): Buffer {
  const head = Buffer.alloc(BLOCK);
  const digits = (value: number, places: number): string => value.toString(8).padStart(places - 1, "0");
  head.write(name, NAME.at, "latin1");
  head.write(`${digits(0o600, 8)}\0${digits(0, 8)}\0${digits(0, 8)}\0`, NAME.length, "latin1");
  head.write(`${digits(length, 12)}\0${digits(timeS, 12)}\0`, SIZE.at, "latin1");
  head.write(kind, KIND_AT, "latin1");
  head.write("ustar\x0000", MAGIC_AT, "latin1");
  head.write(`${digits(checksumOf(head), 7)}\0 `, CHECKSUM.at, "latin1");
  return head;
}
