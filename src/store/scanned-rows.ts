/** Rows of a sealed block whose footer cannot be read: its records are read one after the other. */
import { BlockRows } from "./block-rows.ts";
import { findRecord, MESSAGE, readRecord, RecordView } from "./record.ts";

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
