/**
 * Blocks of messages as nats-server's files and its backups before 2.15 have them: records one behind the other, all numbers with the
 * lowest byte first:
 *
 *     0 u32 length of the record, highest bit: it has headers    4 u64 sequence    12 i64 time (ns)    20 u16 length of the subject
 *     22 subject   [u32 length of headers   headers]   payload   8 bytes checksum
 *
 * The highest bit of a sequence: the message was erased. The next one: the record says that a message was removed, and is none itself.
 * The checksum covers all but the lengths; its key depends on the names of the stream and of the block.
 */
import { createHash } from "node:crypto";
import { HighwayHash } from "./highway-hash.ts";
import { DamagedBackup } from "./s2-stream.ts";

const HEAD = 22;
const CHECKSUM = 8;
const HAS_HEADERS = 0x80000000;
const ERASED = 1n << 63n;
const REMOVED = 1n << 62n;
/** nats-server's own bound. */
const RECORD_MAX = 32 * 1024 * 1024;

export interface OldRecord {
  readonly kind: "message" | "erased" | "removed";
  readonly sequence: number;
  readonly timeNs: bigint;
  /** A byte string. */
  readonly subject: string;
  readonly headerLength: number;
  /** Headers and payload. */
  readonly body: Uint8Array;
}

/** The checksums of one file, which belong to `name`: `<stream>`, `<stream>-<block>` or `<stream>/<consumer>`. A byte string. */
export function oldHash(name: string): HighwayHash {
  return new HighwayHash(createHash("sha256").update(name, "latin1").digest());
}

/** Takes a block in pieces of any length, and hands over its records; it holds one at most. */
export class BlockReader {
  private readonly hash: HighwayHash;
  private readonly deliver: (record: OldRecord) => void;
  private rest: Buffer = Buffer.alloc(0);

  constructor(hash: HighwayHash, deliver: (record: OldRecord) => void) {
    this.hash = hash;
    this.deliver = deliver;
  }

  /** Throws `DamagedBackup`, and what `deliver` throws. */
  push(bytes: Buffer): void {
    const content = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    while (at + HEAD <= content.length) {
      const length = content.readUInt32LE(at) % HAS_HEADERS;
      if (length < HEAD + CHECKSUM || length > RECORD_MAX) throw damaged();
      if (at + length > content.length) break;
      this.deliver(readRecord(content.subarray(at, at + length), this.hash));
      at += length;
    }
    this.rest = content.subarray(at);
  }

  /** Throws `DamagedBackup` in the middle of a record. */
  end(): void {
    if (this.rest.length > 0) throw damaged();
  }
}

function readRecord(record: Buffer, hash: HighwayHash): OldRecord {
  const hasHeaders = record.readUInt32LE(0) >= HAS_HEADERS;
  const subjectEnd = HEAD + record.readUInt16LE(20);
  const bodyAt = subjectEnd + (hasHeaders ? 4 : 0);
  const bodyEnd = record.length - CHECKSUM;
  if (bodyAt > bodyEnd) throw damaged();
  const body = record.subarray(bodyAt, bodyEnd);
  const sum = hash.hash([record.subarray(4, 20), record.subarray(HEAD, subjectEnd), body]);
  if (!sum.equals(record.subarray(bodyEnd))) throw damaged();
  const headerLength = hasHeaders ? record.readUInt32LE(subjectEnd) : 0;
  const marked = record.readBigUInt64LE(4);
  const sequence = marked & ~(ERASED | REMOVED);
  if (headerLength > body.length || sequence > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged();
  const isMessage = marked === sequence && sequence > 0n;
  return {
    kind: isMessage ? "message" : (marked & REMOVED) === 0n ? "erased" : "removed",
    sequence: Number(sequence),
    timeNs: record.readBigInt64LE(12),
    subject: record.toString("latin1", HEAD, subjectEnd),
    headerLength,
    body,
  };
}

function damaged(): DamagedBackup {
  return new DamagedBackup("a block of messages of the backup is damaged: its checksum is wrong");
}

/** `bodyLength`: of headers and payload. */
export function recordLength(subjectLength: number, headerLength: number, bodyLength: number): number {
  return HEAD + subjectLength + (headerLength > 0 ? 4 : 0) + bodyLength + CHECKSUM;
}

/** A record as a reader takes it. */
export function writeRecord(record: OldRecord, hash: HighwayHash): Buffer {
  const { kind, sequence, timeNs, subject, headerLength, body } = record;
  const hasHeaders = headerLength > 0;
  const subjectEnd = HEAD + subject.length;
  const bodyAt = subjectEnd + (hasHeaders ? 4 : 0);
  const length = recordLength(subject.length, headerLength, body.length);
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(length + (hasHeaders ? HAS_HEADERS : 0), 0);
  const mark = kind === "message" ? 0n : kind === "erased" ? ERASED : REMOVED;
  bytes.writeBigUInt64LE(BigInt(sequence) | mark, 4);
  bytes.writeBigInt64LE(timeNs, 12);
  bytes.writeUInt16LE(subject.length, 20);
  bytes.write(subject, HEAD, "latin1");
  if (hasHeaders) bytes.writeUInt32LE(headerLength, subjectEnd);
  bytes.set(body, bodyAt);
  hash.hash([bytes.subarray(4, 20), bytes.subarray(HEAD, subjectEnd), body]).copy(bytes, length - CHECKSUM);
  return bytes;
}
