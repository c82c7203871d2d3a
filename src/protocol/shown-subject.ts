/**
 * Shown subjects. A message that JetStream delivers is matched on the subject where its consumer wants it, but clients see the
 * subject that it has in its stream. Between servers the shown subject stands behind the reply:
 *
 *     RMSG account deliver $JS.ACK.stream.consumer.1.2.3.time.0@shown size
 *
 * `restoreShown` takes it out of the head: what follows the subject is then what a client receives. `routedReply` puts it back.
 * Tokens of the reply may hold an `@` themselves, so only one behind eight dots counts, as in nats-server.
 */
import { AREA } from "../slab/layout.ts";
import { bytes, copy, readText, words, writeText } from "../slab/memory.ts";
import type { Message } from "./message.ts";

const PREFIX_LENGTH = "$JS.ACK.".length;
const PREFIX_LOW = 0x2e534a24; // $JS.
const PREFIX_HIGH = 0x2e4b4341; // ACK.
const DOTS = 8;
const DOT = 0x2e;
const AT = 0x40;
const BLANK = 0x20;
const VERB = "HMSG ";
const SHOWN_AT = AREA.shownHead.at;
/** What stands around the subject in the head that shows it: the verb, and the blank behind. */
export const SHOWN_EXTRA = VERB.length + 1;

/** Whether the reply is where a message of a stream is acknowledged. */
export function isAckReply({ at, replyFrom, replyLength }: Message): boolean {
  return isAckSubject(at + replyFrom, replyLength);
}

/** Whether the subject that lies there is one where a message of a stream is acknowledged. */
export function isAckSubject(at: number, length: number): boolean {
  return (
    words.getInt32(at, true) === PREFIX_LOW &&
    words.getInt32(at + 4, true) === PREFIX_HIGH &&
    length > PREFIX_LENGTH
  );
}

/** Takes the shown subject out of a routed message's reply. The head is rewritten in place, `payloadFrom` stays. */
export function restoreShown(message: Message): void {
  message.shownLength = 0;
  if (!isAckReply(message)) return;
  const { at, replyFrom, replyLength } = message;
  const from = at + replyFrom;
  const mark = markIn(from, from + replyLength);
  const shownLength = from + replyLength - mark - 1;
  if (shownLength <= 0) return;
  message.shownAt = SHOWN_AT;
  message.shownLength = shownLength;
  writeText(SHOWN_AT, VERB);
  const subjectAt = SHOWN_AT + VERB.length;
  copy(subjectAt, mark + 1, shownLength);
  bytes[subjectAt + shownLength] = BLANK;
  const shift = shownLength + 1;
  bytes.copyWithin(from + shift, from, mark);
  message.replyFrom = message.tailFrom = replyFrom + shift;
  message.replyLength = replyLength - shift;
}

/** Position of the `@` before the shown subject; `end` without one. */
function markIn(from: number, end: number): number {
  let dots = 0;
  for (let i = from; i < end; i++) {
    if (bytes[i] === DOT) dots++;
    else if (bytes[i] === AT && dots >= DOTS) return i;
  }
  return end;
}

/** The subject that clients see, of a message that has another one than it is matched on. */
export function shownSubject({ shownAt, shownLength }: Message): string {
  return readText(shownAt + VERB.length, shownLength);
}

/** The reply as other servers get it. */
export function routedReply(message: Message): string {
  const reply = readText(message.at + message.replyFrom, message.replyLength);
  return message.shownLength === 0 || reply === "" ? reply : `${reply}@${shownSubject(message)}`;
}
