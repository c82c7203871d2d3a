/** What a sealed block whose footer cannot be read holds: its records are read one after the other. */
import { BlockRows } from "./block-rows.ts";
import {
  findRecord,
  FIRST,
  MESSAGE,
  readRecord,
  RecordView,
  REMOVED,
  REMOVED_RUN,
  SETTLED,
} from "./record.ts";

export function rowsInRecords(content: Buffer, hashOf: (subject: string) => number): BlockRows {
  const rows = new BlockRows();
  const view = new RecordView();
  let last = 0;
  for (let at = 0; at < content.length;) {
    if (!readRecord(view, content, at, content.length)) {
      at = findRecord(view, content, at + 1, content.length);
      continue;
    }
    if (view.kind === MESSAGE && view.sequence > last) {
      rows.add(view.sequence, at, view.length, hashOf(view.subject), view.headerLength > 0);
      last = view.sequence;
    }
    at += view.length;
  }
  rows.trim();
  return rows;
}

/** The marks of a block whose records are sound, as its footer has them. */
export function marksInRecords(content: Buffer): number[] {
  const marks: number[] = [];
  const view = new RecordView();
  for (let at = 0; at < content.length && readRecord(view, content, at, content.length); at += view.length) {
    const { kind, sequence, previous } = view;
    if (kind === REMOVED_RUN) marks.push(kind, sequence, Number(view.timeNs));
    else if (kind === REMOVED || kind === SETTLED || kind === FIRST) marks.push(kind, sequence, previous);
  }
  return marks;
}
