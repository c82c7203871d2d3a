/** Stored entries as messages: a window at a time, so that a long log is never in memory as a whole. */
import { assert } from "../../base/assert.ts";
import type { AppendEntry } from "../messages.ts";
import { decodeAppend } from "../wire.ts";
import type { GroupLog, LoggedEntry } from "./group-log.ts";

/** Bytes that are read at a time from the log as it is opened. */
const OPENING_BYTES = 1 << 20;

export function* storedEntries(log: GroupLog): Generator<AppendEntry> {
  for (let next = (log.snapshot?.index ?? 0) + 1; next <= log.lastIndex;) {
    const window = log.read(next, OPENING_BYTES);
    if (window.length === 0) return;
    for (const entry of window) yield decoded(entry);
    next += window.length;
  }
}

export function decoded({ bytes }: LoggedEntry): AppendEntry {
  const append = decodeAppend(bytes);
  assert(append !== undefined, "what was stored as an append entry is one");
  return append;
}
