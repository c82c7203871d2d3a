/**
 * Records of the journal, which holds the logs of all Raft groups of a server. All numbers are little-endian, all records begin at a multiple
 * of eight.
 *
 *      0  u32  checksum (CRC-32) of the head: everything from here to the end of the name
 *      4  u32  checksum of the body
 *      8  u16  magic
 *     10  u8   kind
 *     11  u8   length of the name of the group
 *     12  u32  length of the body
 *     16  u64  ordinal: counts the records of the group, from 1 on
 *     24  u64  index
 *     32  u64  term
 *     40  u32  this segment was durable up to here when the record was made
 *     44  u32  the length of the segment before; 0: there is none
 *     48       name, body, zeros up to a multiple of eight
 *
 *     HARD      term, vote, and what was lost. body: one byte of loss, the vote
 *     ENTRY     the entry of an index; those from there on that were before it are void
 *     MOVED     the same entry as before, from a segment that is removed; nothing is void
 *     CUT       entries behind the index are void
 *     INSTALLED a snapshot, which takes the place of all entries
 *     COMPACTED a snapshot, which takes the place of those up to its index. Body of both: u32 length of the membership, membership, data
 *     REMOVED   the group is gone
 *
 * Head and body have checksums of their own, so that damage to a body is known to be that of one group.
 */
import { assert } from "../../base/assert.ts";
import { checksum, getU32, getWhole, putText, putU32, putWhole } from "../bytes.ts";

const HEAD_BYTES = 48;
const ALIGNMENT = 8;
const MAGIC = 0x7253;
const NAME_MAX = 255;
/** A snapshot is the largest. */
const BODY_MAX = 512 * 1024 * 1024;

export const Kind = {
  HARD: 1,
  ENTRY: 2,
  MOVED: 3,
  CUT: 4,
  INSTALLED: 5,
  COMPACTED: 6,
  REMOVED: 7,
} as const;

export interface JournalRecord {
  readonly kind: number;
  readonly group: string;
  readonly ordinal: number;
  readonly index: number;
  readonly term: number;
  readonly bodyLength: number;
  readonly synced: number;
  readonly before: number;
  /** Where the body begins, counted from the record. */
  readonly bodyAt: number;
  /** The whole record takes so many bytes. */
  readonly length: number;
}

export type NewRecord = Pick<
  JournalRecord,
  "kind" | "group" | "ordinal" | "index" | "term" | "synced" | "before"
>;

export function recordLength(group: string, bodyLength: number): number {
  const bytes = HEAD_BYTES + group.length + bodyLength;
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Writes a record, and returns its length. There is room for it. */
export function writeRecord(memory: Buffer, at: number, record: NewRecord, body: Uint8Array): number {
  const { group, kind } = record;
  assert(group.length > 0 && group.length <= NAME_MAX, "the name of a group has 1 to 255 characters");
  assert(body.length <= BODY_MAX, "a record of the journal is at most 512 MiB long");
  const bodyAt = at + HEAD_BYTES + group.length;
  const length = recordLength(group, body.length);
  memory.fill(0, bodyAt + body.length, at + length);
  memory.set(body, bodyAt);
  putText(memory, at + HEAD_BYTES, group);
  memory.writeUInt16LE(MAGIC, at + 8);
  memory[at + 10] = kind;
  memory[at + 11] = group.length;
  putU32(memory, at + 12, body.length);
  putWhole(memory, at + 16, record.ordinal);
  putWhole(memory, at + 24, record.index);
  putWhole(memory, at + 32, record.term);
  putU32(memory, at + 40, record.synced);
  putU32(memory, at + 44, record.before);
  putU32(memory, at + 4, checksum(memory, bodyAt, bodyAt + body.length));
  putU32(memory, at, checksum(memory, at + 4, bodyAt));
  return length;
}

/** Undefined: there is no sound head. The body may be damaged, and need not be in memory. */
export function readHead(memory: Buffer, at: number): JournalRecord | undefined {
  if (at + HEAD_BYTES > memory.length || memory.readUInt16LE(at + 8) !== MAGIC) return undefined;
  const nameLength = memory[at + 11]!;
  const bodyAt = at + HEAD_BYTES + nameLength;
  const bodyLength = getU32(memory, at + 12);
  if (nameLength === 0 || bodyAt > memory.length || bodyLength > BODY_MAX) return undefined;
  if (getU32(memory, at) !== checksum(memory, at + 4, bodyAt)) return undefined;
  return {
    kind: memory[at + 10]!,
    group: memory.toString("latin1", at + HEAD_BYTES, bodyAt),
    ordinal: getWhole(memory, at + 16),
    index: getWhole(memory, at + 24),
    term: getWhole(memory, at + 32),
    synced: getU32(memory, at + 40),
    before: getU32(memory, at + 44),
    bodyLength,
    bodyAt: bodyAt - at,
    length: Math.ceil((HEAD_BYTES + nameLength + bodyLength) / ALIGNMENT) * ALIGNMENT,
  };
}

/** `at`: of the record. All of it is in memory. */
export function isBodySound(memory: Buffer, at: number, { bodyAt, bodyLength }: JournalRecord): boolean {
  return getU32(memory, at + 4) === checksum(memory, at + bodyAt, at + bodyAt + bodyLength);
}

/** The next offset at which a head is sound, from an offset on; -1: there is none. */
export function nextHead(memory: Buffer, from: number): number {
  const first = Math.ceil(from / ALIGNMENT) * ALIGNMENT;
  for (let at = first; at + HEAD_BYTES <= memory.length; at += ALIGNMENT)
    if (readHead(memory, at) !== undefined) return at;
  return -1;
}
