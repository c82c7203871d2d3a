/**
 * Rare forms of forwarding over a leaf connection: queue groups, a message larger than a chunk, a peer without headers, a shown subject, tracing.
 * The line is built as text; the payload is written as for clients.
 */
import { readText } from "../../slab/memory.ts";
import type { Heads } from "../../core/heads.ts";
import type { Message } from "../../protocol/message.ts";
import { routedReply } from "../../protocol/shown-subject.ts";
import type { Outbox } from "../trunk/outbox.ts";
import { preparePayload, writePayload } from "../trunk/payload.ts";
import type { Tap } from "../trunk/tap.ts";

interface ForwardingLeaf {
  readonly tap: Tap | null;
  readonly outbox: Outbox;
  readonly peer: { readonly takesHeaders: boolean };
}

/** Bytes for the names of queue groups in one line: nats-server closes the connection at a line of 64 KiB. Groups beyond it get nothing. */
const NAMES_MAX = 48 * 1024;

export function forwardRarely(session: ForwardingLeaf, plan: Heads, message: Message, queues: string): void {
  const hasHeaders = message.headerLength > 0 && session.peer.takesHeaders;
  const skip = hasHeaders ? 0 : message.headerLength;
  const subject = readText(plan.subjectAt, plan.subjectLength);
  const reply = routedReply(message);
  const sizes = hasHeaders ? `${message.headerLength} ${message.size}` : `${message.size - skip}`;
  const head = `${hasHeaders ? "HMSG" : "LMSG"} ${subject} ${addressees(reply, shortened(queues))}${sizes}`;
  session.tap?.sent(head);
  preparePayload(message);
  session.outbox.writeText(`${head}\r\n`);
  writePayload(session.outbox, message, skip);
}

function shortened(queues: string): string {
  return queues.length <= NAMES_MAX ? queues : queues.slice(0, queues.lastIndexOf(" ", NAMES_MAX) + 1);
}

/** `queues` are joined by blanks, with one behind the last. */
function addressees(reply: string, queues: string): string {
  if (queues === "") return reply === "" ? "" : `${reply} `;
  return reply === "" ? `| ${queues}` : `+ ${reply} ${queues}`;
}
