/** Takes what a block holds from its footer: nothing of the block itself is read but what the footer does not tell. */
import { Gaps, gapsBetween } from "./block-rows.ts";
import type { BlockLog } from "./block-log.ts";
import type { Block } from "./block.ts";
import type { Footer } from "./footer.ts";
import type { MessageIndex } from "./message-index.ts";
import { MESSAGE, RecordView } from "./record.ts";
import type { Recovery } from "./recovery.ts";
import { AMBIGUOUS, type SubjectTable } from "./subject-table.ts";

export interface RestoreHost {
  readonly recovery: Recovery;
  readonly subjects: SubjectTable;
  readonly index: MessageIndex;
  readonly log: BlockLog;
  lastMessage(): number;
  /** The message of this row is there. */
  take(sequence: number, number: number, row: number): void;
  /** Time of the last message of the block. */
  lastTime(timeNs: bigint): void;
  /** The message has been taken; its record may have to be read. */
  recall(sequence: number, hasHeaders: boolean): void;
}

/** False: the footer does not fit what comes before it; nothing was taken. */
export function restoreBlock(block: Block, { rows, names, bloom }: Footer, host: RestoreHost): boolean {
  const { recovery, subjects, index, log } = host;
  if (rows.count > 0 && rows.base <= host.lastMessage()) return false;
  const view = new RecordView();
  recovery.beginRestored(block);
  block.rows = rows;
  block.bloom = bloom;
  block.base = rows.count === 0 ? 0 : rows.base;
  if (rows.count > 0) block.reach = rows.sequenceAt(rows.count - 1);
  block.gaps = gapsBetween(rows, block.reach);
  const numbers = names.map((name) => subjects.ensure(name));
  for (let row = 0; row < rows.count; row++) {
    const sequence = rows.sequenceAt(row);
    let number = subjects.numberOfHash(rows.hashAt(row));
    if (number === AMBIGUOUS || number === 0) {
      const isRead = log.read(view, block, rows.offsetAt(row), rows.lengthAt(row));
      if (!isRead || view.kind !== MESSAGE) {
        if (!isRead) recovery.lose(sequence);
        addGap(block, sequence);
        continue;
      }
      number = subjects.ensure(view.subject);
    }
    host.take(sequence, number, row);
  }
  for (const number of numbers)
    if (subjects.countOf(number) === 0 && subjects.nameOf(number) !== "") subjects.drop(number);
  if (rows.count > 0) host.lastTime(block.facts.lastTimeNs);
  index.moved();
  recovery.endRestored(block);
  for (let row = 0; row < rows.count; row++) host.recall(rows.sequenceAt(row), rows.hasHeadersAt(row));
  log.sealed(block);
  return true;
}

function addGap(block: Block, sequence: number): void {
  block.gaps ??= new Gaps();
  block.gaps.add(sequence - block.base);
}
