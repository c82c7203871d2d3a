/**
 * The archive of nats-server 2.15, which holds a stream independent of how a server stores it:
 *
 *     "NATSARC1"   then entries:
 *     uvarint length of the name   varint time (ns)   uvarint sequence   uvarint length of headers   uvarint length of payload
 *     name   headers   payload
 *
 * The first entry is `state.json`, then come `consumers/<name>`, then the messages in order, their subjects as names; an entry of zeros
 * ends it. All lengths are bounded before they are used.
 */
import { DamagedBackup } from "./s2-stream.ts";
import { putSigned, putUnsigned } from "./varints.ts";

/** What an archive begins with. */
export const ARCHIVE_START: Buffer = Buffer.from("NATSARC1", "latin1");
const NAME_MAX = 1024 * 1024;
/** Headers and payload of an entry. */
const BODY_MAX = 64 * 1024 * 1024 + 64 * 1024;
const VARINT_MAX = 10;

export interface ArchiveEntry {
  /** A byte string. */
  readonly name: string;
  readonly timeNs: bigint;
  /** 0: it is no message. */
  readonly sequence: number;
  readonly headerLength: number;
  /** Headers and payload. */
  readonly body: Uint8Array;
}

const NO_BODY = new Uint8Array(0);
export const END_OF_ARCHIVE: ArchiveEntry = {
  name: "",
  timeNs: 0n,
  sequence: 0,
  headerLength: 0,
  body: NO_BODY,
};

/** The bytes of an entry; its body is copied. */
export function writeEntry({ name, timeNs, sequence, headerLength, body }: ArchiveEntry): Buffer {
  const head: number[] = [];
  putUnsigned(head, BigInt(name.length));
  putSigned(head, timeNs);
  putUnsigned(head, BigInt(sequence));
  putUnsigned(head, BigInt(headerLength));
  putUnsigned(head, BigInt(body.length - headerLength));
  return Buffer.concat([Buffer.from(head), Buffer.from(name, "latin1"), body]);
}

interface Head {
  readonly nameLength: number;
  readonly timeNs: bigint;
  readonly sequence: number;
  readonly headerLength: number;
  readonly payloadLength: number;
}

/** Takes an archive in pieces of any length, and hands over its entries. */
export class ArchiveReader {
  private readonly deliver: (entry: ArchiveEntry) => void;
  private pieces: Buffer[] = [];
  private length = 0;
  private hasBegun = false;
  private head: Head | null = null;

  constructor(deliver: (entry: ArchiveEntry) => void) {
    this.deliver = deliver;
  }

  /** Throws `DamagedBackup`, and what `deliver` throws. */
  push(bytes: Buffer): void {
    this.pieces.push(bytes);
    this.length += bytes.length;
    while (this.step());
  }

  /** False: more has to come. */
  private step(): boolean {
    if (!this.hasBegun) {
      const start = this.take(ARCHIVE_START.length);
      if (start === null) return false;
      if (!start.equals(ARCHIVE_START)) throw new DamagedBackup("this is no archive of a stream");
      this.hasBegun = true;
    }
    this.head ??= this.readHead();
    if (this.head === null) return false;
    const { nameLength, timeNs, sequence, headerLength, payloadLength } = this.head;
    const content = this.take(nameLength + headerLength + payloadLength);
    if (content === null) return false;
    this.head = null;
    const name = content.toString("latin1", 0, nameLength);
    this.deliver({ name, timeNs, sequence, headerLength, body: content.subarray(nameLength) });
    return true;
  }

  private readHead(): Head | null {
    const start = this.peek(Math.min(this.length, 5 * VARINT_MAX));
    const numbers: bigint[] = [];
    let at = 0;
    while (numbers.length < 5) {
      let value = 0n;
      for (let i = 0; ; i++) {
        if (i === VARINT_MAX) throw new DamagedBackup("an entry of the backup is damaged");
        const byte = start[at];
        if (byte === undefined) return null;
        at++;
        value |= BigInt(byte & 0x7f) << BigInt(7 * i);
        if (byte < 0x80) break;
      }
      numbers.push(value);
    }
    this.drop(at);
    const [nameLength, time, sequence, headerLength, payloadLength] = numbers as [
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    if (
      nameLength > NAME_MAX ||
      headerLength > BODY_MAX ||
      payloadLength > BODY_MAX ||
      sequence > Number.MAX_SAFE_INTEGER
    )
      throw new DamagedBackup("an entry of the backup is longer, or has a higher sequence, than can be kept");
    return {
      nameLength: Number(nameLength),
      timeNs: (time & 1n) === 1n ? -((time + 1n) >> 1n) : time >> 1n,
      sequence: Number(sequence),
      headerLength: Number(headerLength),
      payloadLength: Number(payloadLength),
    };
  }

  /** null: it is not there yet. */
  private take(length: number): Buffer | null {
    if (this.length < length) return null;
    if (length === 0) return Buffer.alloc(0);
    const content = this.peek(length);
    this.drop(length);
    return content;
  }

  private peek(length: number): Buffer {
    if (length === 0) return Buffer.alloc(0);
    if (this.pieces[0]!.length < length) this.pieces = [Buffer.concat(this.pieces)];
    return this.pieces[0]!.subarray(0, length);
  }

  private drop(length: number): void {
    this.length -= length;
    let left = length;
    while (left > 0) {
      const [first] = this.pieces;
      if (first!.length > left) {
        this.pieces[0] = first!.subarray(left);
        return;
      }
      left -= first!.length;
      this.pieces.shift();
    }
  }
}
