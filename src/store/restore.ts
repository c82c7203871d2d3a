/** Takes what a block holds from its footer: nothing of the block itself is read but what the footer does not tell. */
import { Gaps, gapsBetween, type BlockRows } from "./block-rows.ts";
import type { BlockLog } from "./block-log.ts";
import type { Block } from "./block.ts";
import type { Footer } from "./footer.ts";
import type { MessageIndex } from "./message-index.ts";
import { MESSAGE, RecordView } from "./record.ts";
import type { Recovery } from "./recovery.ts";
import { RowGroups } from "./row-groups.ts";
import { AMBIGUOUS, type SubjectTable } from "./subject-table.ts";

export interface RestoreHost {
  readonly recovery: Recovery;
  readonly subjects: SubjectTable;
  readonly index: MessageIndex;
  readonly log: BlockLog;
  lastMessage(): number;
  /** The message of this row is there. */
  take(sequence: number, number: number, row: number): void;
  /** The messages of all rows are there. `numbers`: of the subject of each group. */
  takeAll(groups: RowGroups, numbers: Uint32Array): void;
  /** Time of the last message of the block. */
  lastTime(timeNs: bigint): void;
  /** Whose records have to be read once they have been taken: those of messages with headers. */
  readonly recalls: "headed" | "none";
  recall(sequence: number): void;
}

/** False: the footer does not fit what comes before it; nothing was taken. */
export function restoreBlock(block: Block, { rows, names, bloom }: Footer, host: RestoreHost): boolean {
  const { recovery, subjects, index, log } = host;
  if (rows.count > 0 && rows.base <= host.lastMessage()) return false;
  recovery.beginRestored(block);
  block.rows = rows;
  block.bloom = bloom;
  block.base = rows.count === 0 ? 0 : rows.base;
  if (rows.count > 0) block.reach = rows.sequenceAt(rows.count - 1);
  block.gaps = gapsBetween(rows, block.reach);
  const numbers = names.map((name) => subjects.ensure(name));
  if (rows.count > 0 && !takeGroups(rows, names.length, host)) takeRows(block, rows, host);
  for (const number of numbers)
    if (subjects.countOf(number) === 0 && subjects.nameOf(number) !== "") subjects.drop(number);
  if (rows.count > 0) host.lastTime(block.facts.lastTimeNs);
  index.moved();
  recovery.endRestored(block);
  if (host.recalls === "headed")
    for (let row = 0; row < rows.count; row++) if (rows.hasHeadersAt(row)) host.recall(rows.sequenceAt(row));
  log.sealed(block);
  return true;
}

/** False: nothing was taken, since the hashes do not say of each row which subject it is on. */
function takeGroups(rows: BlockRows, names: number, host: RestoreHost): boolean {
  const groups = RowGroups.of(rows, names);
  if (groups === null) return false;
  const numbers = new Uint32Array(groups.size);
  for (let group = 0; group < groups.size; group++) {
    const number = host.subjects.numberOfHash(groups.hashes[group]!);
    if (number === AMBIGUOUS || number === 0) return false;
    numbers[group] = number;
  }
  host.takeAll(groups, numbers);
  return true;
}

/** One by one: where subjects share a hash, the record says which it is. */
function takeRows(block: Block, rows: BlockRows, host: RestoreHost): void {
  const { recovery, subjects, log } = host;
  const view = new RecordView();
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
}

function addGap(block: Block, sequence: number): void {
  block.gaps ??= new Gaps();
  block.gaps.add(sequence - block.base);
}
