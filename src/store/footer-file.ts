/** Footers where they lie: at the end of the files of sealed blocks. */
import { BlockRows, ROW_WORDS } from "./block-rows.ts";
import type { Block } from "./block.ts";
import type { DiskFile } from "./disk.ts";
import { decodeFooter, decodeRows, FOOTER_MIN, footerLength, ROWS_AT, TRAILER } from "./footer.ts";

/** null: the file does not end with a footer. */
export function readFooter(file: DiskFile): Buffer | null {
  const length = footerLengthOf(file);
  if (length === 0) return null;
  const record = Buffer.allocUnsafeSlow(length);
  return file.read(record, file.size - length) === length ? record : null;
}

/** The seed of the hashes in the footer of a block; null: there is none, or it is damaged. */
export function seedIn(file: DiskFile): number | null {
  const record = readFooter(file);
  return record === null ? null : (decodeFooter(record, file.size - record.length, null)?.seed ?? null);
}

/** null: the block has no footer, or it cannot be read. */
export function readRowsOf({ file, footerLength: length, end, base }: Block): BlockRows | null {
  if (file === null || length === 0) return null;
  const record = Buffer.allocUnsafeSlow(length);
  const rows = file.read(record, end) === length ? decodeRows(record) : null;
  return rows?.base === base ? rows : null;
}

/** One row by its place, without a look at the others; null: there is no footer, or no such row. */
export function readRow({ file, footerLength: length, base, end }: Block, place: number): BlockRows | null {
  const at = ROWS_AT + place * ROW_WORDS * 4;
  if (file === null || at + ROW_WORDS * 4 > length) return null;
  const words = new Uint32Array(ROW_WORDS);
  file.read(new Uint8Array(words.buffer), end + at);
  return words[0] === place ? new BlockRows(base, words, 1) : null;
}

/** 0: the file does not end with a footer. */
function footerLengthOf(file: DiskFile): number {
  const last = Buffer.alloc(TRAILER);
  if (file.size < TRAILER || file.read(last, file.size - TRAILER) < TRAILER) return 0;
  const length = footerLength(last);
  return length >= FOOTER_MIN && length <= file.size ? length : 0;
}
