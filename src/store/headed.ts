/** Messages with headers: most streams have none, and blocks without any are passed over. */
import { isGone, type Block } from "./block.ts";
import type { MessageIndex } from "./message-index.ts";

/** Visits them in the order of the stream, from a sequence on. */
export function visitHeaded(
  index: MessageIndex,
  blocks: readonly Block[],
  from: number,
  visit: (sequence: number) => void,
): void {
  for (const block of [...blocks]) {
    if (block.headed === 0 || block.live === 0 || block.reach < from) continue;
    const rows = index.rowsOf(block);
    for (let row = rows.rowFrom(from); row < rows.count; row++) {
      const sequence = rows.sequenceAt(row);
      if (rows.hasHeadersAt(row) && sequence >= index.floor && !isGone(block, sequence)) visit(sequence);
    }
  }
}
