/**
 * The scrub of a log: reads back everything that was written, in slices, and compares it with its checksums. Blocks that a start took
 * from their footers are read here for the first time.
 *
 * A damaged message is known missing from here on. What memory still holds (the block that is being written) is written again, and so is a
 * damaged footer, which follows from the records. Each slice reads 64 KiB at most, so that others have their turn in between.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import type { BlockLog } from "./block-log.ts";
import type { Block } from "./block.ts";
import { encodeFooter } from "./footer.ts";
import { claimedLength, readRecord, RECORD_HEAD, RecordView } from "./record.ts";
import { marksInRecords, rowsInRecords } from "./scanned-rows.ts";

const SLICE_BYTES = 64 * 1024;

export interface Finding {
  readonly file: string;
  /**
   * "lost": messages are known missing. "mended": the right bytes were known, and have been written again. "kept": no message that is
   * still wanted was there; the file stays as it is.
   */
  readonly outcome: "lost" | "mended" | "kept";
}

export interface ScrubHost {
  readonly log: BlockLog;
  /** null: its record is damaged, and it is known missing from here on. */
  readonly read: (sequence: number) => RecordView | null;
  /** The first message from `from` up to `to`; 0: there is none. */
  readonly next: (from: number, to: number) => number;
  readonly hashOf: (subject: string) => number;
  readonly lostCount: () => number;
  readonly found: (finding: Finding) => void;
}

/** Yields after each slice how many bytes it read. The log may change between slices. */
export function* scrubLog(host: ScrubHost): Generator<number, void> {
  const { log } = host;
  const slice = Buffer.allocUnsafeSlow(SLICE_BYTES);
  for (let block = log.blockAfter(0); block !== null; block = log.blockAfter(block.number)) {
    yield* scrubWritten(block, slice, host);
    if (block.memory === null && block.file !== null) yield* scrubSealed(block, slice, host);
  }
}

/** The block that is being written: memory has what the file should have. A slice is some whole records. */
function* scrubWritten(block: Block, slice: Buffer, host: ScrubHost): Generator<number, void> {
  const { log, found } = host;
  const view = new RecordView();
  for (let at = 0; block.memory !== null && block.file !== null && at < block.flushed;) {
    const { memory, flushed } = block;
    let end = at;
    while (end < flushed && readRecord(view, memory, end, flushed)) {
      if (end > at && end + view.length - at > SLICE_BYTES) break;
      end += view.length;
    }
    assert(end > at, "memory has whole records");
    const there = end - at <= SLICE_BYTES ? slice.subarray(0, end - at) : Buffer.allocUnsafeSlow(end - at);
    const length = block.file.read(there, at);
    const right = memory.subarray(at, end);
    if (length < end - at || !right.equals(there)) {
      block.file.write(right, at);
      block.file.sync(() => undefined); // the next sync of the log says whether it is on the disk
      found({ file: log.pathOf(block), outcome: "mended" });
    }
    at = end;
    yield length;
  }
}

function* scrubSealed(block: Block, slice: Buffer, host: ScrubHost): Generator<number, void> {
  const { log, found } = host;
  const { file } = block;
  const verdict: Verdict = { damagedAt: -1 };
  if (!block.isDamaged) yield* checkRecords(block, slice, verdict, log);
  if (block.file !== file) return; // it was dropped or rewritten meanwhile
  if (verdict.damagedAt >= block.end) {
    mendFooter(block, host);
    found({ file: log.pathOf(block), outcome: "mended" });
  } else if (verdict.damagedAt >= 0 || block.isDamaged) yield* nameLost(block, verdict, host);
}

/** The records of the block are sound: its footer is written again, or cut where it does not follow from them. */
function mendFooter(block: Block, { log, hashOf }: ScrubHost): void {
  const { file, facts, base, end } = block;
  const { seed, sealBytes } = log;
  assert(file !== null && seed !== null && block.memory === null, "a sealed block has a footer");
  const content = log.contentOf(block);
  const rows = rowsInRecords(content, hashOf);
  file.truncate(end);
  block.footerLength = 0;
  block.lists = null;
  if (rows.base === base) {
    const facing = { seed, end, sealBytes };
    const { record, lists } = encodeFooter(
      content,
      rows,
      { ...facts, marks: marksInRecords(content) },
      facing,
    );
    file.write(record, end);
    block.footerLength = record.length;
    block.lists = lists;
  }
  file.sync(() => undefined); // nothing depends on it: a torn footer is known as one
}

interface Verdict {
  /** Where no sound record lies; -1: all of it is sound. */
  damagedAt: number;
}

/** Reads records and footer one after the other, up to the first that is damaged. Ends early where the block is dropped or rewritten. */
function* checkRecords(
  block: Block,
  slice: Buffer,
  verdict: Verdict,
  log: BlockLog,
): Generator<number, void> {
  const { file } = block;
  const view = new RecordView();
  for (let at = 0; block.file === file && at < block.end + block.footerLength;) {
    const left = block.end + block.footerLength - at;
    const length = file!.read(slice.subarray(0, Math.min(SLICE_BYTES, left)), at);
    let sound = 0;
    while (sound < length && readRecord(view, slice, sound, length)) sound += view.length;
    if (sound === 0) {
      const claimed = claimedLength(slice, length);
      const isLong = claimed > SLICE_BYTES && claimed <= left;
      if (!isLong || !(yield* isLongSound(block, at, claimed, log.sealBytes === 0 ? slice : null))) {
        verdict.damagedAt = at;
        return;
      }
      sound = claimed;
    }
    at += sound;
    yield Math.min(length, sound);
  }
}

/** A record that fits into no slice: its checksum is taken piece by piece. `slice` null: it is sealed, and opened as a whole. */
function* isLongSound(
  block: Block,
  at: number,
  length: number,
  slice: Buffer | null,
): Generator<number, boolean> {
  const { file } = block;
  if (slice === null) {
    const whole = Buffer.allocUnsafeSlow(length);
    const isSound = file!.read(whole, at) === length && readRecord(new RecordView(), whole, 0, length);
    yield length;
    return isSound;
  }
  let sum = 0;
  let wanted = 0;
  for (let done = 0; done < length && block.file === file;) {
    const piece = slice.subarray(0, Math.min(SLICE_BYTES, length - done));
    if (file!.read(piece, at + done) < piece.length) return false;
    if (done === 0) wanted = piece.readUInt32LE(0);
    sum = crc32(done === 0 ? piece.subarray(4) : piece, sum);
    done += piece.length;
    yield piece.length;
  }
  return sum === wanted;
}

/** Some of the block is damaged: each of its messages is read, so that those that are lost are known by their sequences. */
function* nameLost(block: Block, { damagedAt }: Verdict, host: ScrubHost): Generator<number, void> {
  const { log, read, next } = host;
  const before = host.lostCount();
  const { file, base, reach } = block;
  let bytes = 0;
  for (let at = base === 0 ? 0 : next(base, reach); at !== 0; at = next(at + 1, reach)) {
    bytes += read(at)?.length ?? RECORD_HEAD;
    if (bytes < SLICE_BYTES) continue;
    yield bytes;
    if (block.file !== file) return;
    bytes = 0;
  }
  block.isDamaged = true; // what is damaged may be no message at all: the block stays as it is
  if (host.lostCount() > before) host.found({ file: log.pathOf(block), outcome: "lost" });
  else if (damagedAt >= 0) host.found({ file: log.pathOf(block), outcome: "kept" });
  yield bytes;
}
