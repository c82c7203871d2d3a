/** The last message of a subject, or of those that a filter covers: looked for from the newest on. */
import { isGone, type Block } from "./block.ts";
import type { MessageIndex } from "./message-index.ts";
import type { SubjectFilter } from "./subject-filter.ts";

interface Range {
  /** The newest. */
  readonly from: number;
  readonly to: number;
}

/** The last message from `from` down to `to` on the subject of this number; 0: none. */
export function findBack(
  index: MessageIndex,
  blocks: readonly Block[],
  { from, to }: Range,
  number: number,
): number {
  const hash = index.hashOfNumber(number);
  for (let i = Math.min(index.placeOf(from), blocks.length - 1); i >= 0; i--) {
    const block = blocks[i]!;
    if (block.live === 0 || block.base === 0 || block.base > from) continue;
    if (block.reach < to) return 0;
    if (block.bloom?.mayHave(hash) === false) continue;
    const rows = index.rowsOf(block);
    for (let row = Math.min(rows.count - 1, rows.rowFrom(from)); row >= 0; row--) {
      const sequence = rows.sequenceAt(row);
      if (sequence < to) return 0;
      if (sequence > from || rows.hashAt(row) !== hash || isGone(block, sequence)) continue;
      if (index.numberAt(block, rows, row) === number) return sequence;
    }
  }
  return 0;
}

/**
 * The last message from `from` down to `to` on a subject that the filter covers (null: any), as far as some rows tell; 0: none. Below 0: nothing
 * was found so far, and what is from that sequence on (without its sign) down has not been looked at.
 */
export function findBackWithin(
  index: MessageIndex,
  blocks: readonly Block[],
  { from, to, rowsMax }: Range & { readonly rowsMax: number },
  filter: SubjectFilter | null,
): number {
  let left = rowsMax;
  for (let i = Math.min(index.placeOf(from), blocks.length - 1); i >= 0; i--) {
    const block = blocks[i]!;
    if (block.live === 0 || block.base === 0 || block.base > from) continue;
    if (block.reach < to) return 0;
    const rows = index.rowsOf(block);
    for (let row = Math.min(rows.count - 1, rows.rowFrom(from)); row >= 0; row--) {
      const sequence = rows.sequenceAt(row);
      if (sequence < to) return 0;
      if (left-- <= 0) return -sequence;
      if (sequence > from || isGone(block, sequence)) continue;
      if (filter === null || filter.covers(index.numberAt(block, rows, row))) return sequence;
    }
  }
  return 0;
}
