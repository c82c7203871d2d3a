/**
 * Entries of what a consumer did, and the snapshots that they follow:
 *
 *     entry     0 u32 checksum of what follows   4 u8 kind   8 f64 stream sequence   16 f64 consumer sequence   24 u32 count   32 f64 time (ms)
 *     snapshot  0 u32 checksum of what follows   4 text of the owner's, without line feeds   a line feed and the number of a log; none: 0
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { checksum, getDouble, getU32, putDouble, putU32 } from "./bytes.ts";

export const ENTRY = 40;
/** The first entry of a log: its stream sequence is the length of the log before, whose number is its consumer sequence. */
export const BEGUN = 255;
const SUM = 4;

export interface ConsumerEntry {
  readonly kind: number;
  readonly streamSequence: number;
  readonly consumerSequence: number;
  readonly count: number;
  readonly timeMs: number;
}

export interface ConsumerSnapshot {
  readonly text: string;
  /** Number of the log whose entries follow it. */
  readonly log: number;
}

/** The log of this number; that of earlier versions, and the first one, has none. */
export function logPath(folder: string, number: number): string {
  return number === 0 ? `${folder}/log` : `${folder}/log.${number}`;
}

export function snapshotOf(text: string, log: number): Buffer {
  assert(!text.includes("\n"), "a line feed ends the text of a snapshot");
  const state = Buffer.from(log === 0 ? text : `${text}\n${log}`, "latin1");
  const content = Buffer.alloc(state.length + SUM);
  state.copy(content, SUM);
  content.writeUInt32LE(crc32(state), 0);
  return content;
}

/** null: it is damaged. */
export function snapshotIn(content: Uint8Array): ConsumerSnapshot | null {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  if (bytes.length <= SUM || bytes.readUInt32LE(0) !== crc32(bytes.subarray(SUM))) return null;
  const all = bytes.toString("latin1", SUM);
  const end = all.lastIndexOf("\n");
  return end < 0 ? { text: all, log: 0 } : { text: all.slice(0, end), log: Number(all.slice(end + 1)) };
}

export function isSoundEntry(memory: Buffer, at: number): boolean {
  return getU32(memory, at) === checksum(memory, at + SUM, at + ENTRY);
}

/** Whether a sound entry is among these. */
export function hasEntry(entries: Buffer): boolean {
  for (let at = 0; at + ENTRY <= entries.length; at += ENTRY) if (isSoundEntry(entries, at)) return true;
  return false;
}

export function writeEntry(memory: Buffer, at: number, entry: ConsumerEntry): void {
  assert(Number.isSafeInteger(entry.streamSequence), "a sequence is a whole number");
  putU32(memory, at + 4, entry.kind);
  putDouble(memory, at + 8, entry.streamSequence);
  putDouble(memory, at + 16, entry.consumerSequence);
  putU32(memory, at + 24, entry.count);
  putU32(memory, at + 28, 0);
  putDouble(memory, at + 32, entry.timeMs);
  putU32(memory, at, checksum(memory, at + SUM, at + ENTRY));
}

export function readEntry(memory: Buffer, at: number): ConsumerEntry {
  return {
    kind: memory[at + 4]!,
    streamSequence: getDouble(memory, at + 8),
    consumerSequence: getDouble(memory, at + 16),
    count: getU32(memory, at + 24),
    timeMs: getDouble(memory, at + 32),
  };
}
