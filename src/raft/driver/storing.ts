/** Hands the log what a step wants stored, in the order that `Ready` demands. */
import { indexOf, type AppendEntry } from "../messages.ts";
import type { RaftEvent, Ready } from "../state.ts";
import type { Applying } from "./applying.ts";
import type { GroupLog } from "./group-log.ts";

/** Whether there was anything. */
export function storeReady(
  { save, cutAfter, snapshot, append: appended }: Ready,
  log: GroupLog,
  applying: Applying,
  encode: (append: AppendEntry) => Uint8Array,
): boolean {
  if (save !== undefined) log.save(save);
  if (cutAfter >= 0) {
    log.cutAfter(cutAfter);
    applying.recent.cutAfter(cutAfter);
  }
  if (snapshot !== undefined) {
    log.install(snapshot);
    applying.replacing();
  }
  for (const append of appended) {
    const entry = { index: indexOf(append), term: append.term, bytes: encode(append) };
    log.append(entry);
    applying.recent.add(entry.index, append, entry.bytes.length);
  }
  return save !== undefined || cutAfter >= 0 || snapshot !== undefined || appended.length > 0;
}

/** Whether a step on such an event may store something. */
export function stores({ kind }: RaftEvent): boolean {
  return kind === "message" || kind === "propose" || kind === "add peer" || kind === "remove peer";
}
