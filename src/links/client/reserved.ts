/** Subjects that belong to servers among themselves; clients may not publish to them or have replies sent there. */
import { bytes, readText } from "../../slab/memory.ts";

const SUBJECTS = ["_GR_.", "$NRG."];
const JETSTREAM = "$JS.";
const REPLIES = ["_R_.", "_GR_.", JETSTREAM];
const UNDERSCORE = 0x5f;
const DOLLAR = 0x24;

/** Whether the subject that lies there may be reserved, or an acknowledgement: nearly all begin with another letter. */
export function isSpecial(at: number): boolean {
  const first = bytes[at];
  return first === DOLLAR || first === UNDERSCORE;
}

/** The reserved subject that lies there, or null. */
function reserved(prefixes: readonly string[], at: number, length: number): string | null {
  const first = bytes[at];
  if (first !== UNDERSCORE && first !== DOLLAR) return null;
  if (first === UNDERSCORE && bytes[at + 1] === 0x49) return null; // _INBOX
  const subject = readText(at, length);
  return prefixes.some((prefix) => subject.startsWith(prefix)) ? subject : null;
}

export function reservedSubject(at: number, length: number): string | null {
  if (bytes[at + 1] === 0x4a) return null; // $JS
  return reserved(SUBJECTS, at, length);
}

export function reservedReply(at: number, length: number): string | null {
  const found = reserved(REPLIES, at, length);
  return found === JETSTREAM ? null : found; // alone it is a subject like others
}
