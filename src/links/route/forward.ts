/**
 * The rare ways over a route: queue groups, a message larger than a chunk, the route of a pinned account, a peer without
 * headers, a shown subject. The line is put together as text; the payload goes as it does to clients.
 */
import { readText } from "../../base/slab.ts";
import type { Plan } from "../../core/plan.ts";
import type { Message } from "../../protocol/message.ts";
import { routedReply } from "../../protocol/shown-subject.ts";
import type { Outbox } from "../outbox.ts";
import { preparePayload, writePayload } from "../payload.ts";

export function forwardRarely(
  session: { readonly outbox: Outbox; readonly headers: boolean },
  plan: Plan,
  message: Message,
  queues: string,
  isPinned: boolean,
): void {
  const hasHeaders = message.headerLength > 0 && session.headers;
  const skip = hasHeaders ? 0 : message.headerLength;
  const name = hasHeaders ? "HMSG" : "RMSG";
  const account = isPinned ? "" : `${plan.account} `;
  const subject = readText(plan.subjectAt, plan.subjectLength);
  const reply = routedReply(message);
  const sizes = hasHeaders ? `${message.headerLength} ${message.size}` : `${message.size - skip}`;
  preparePayload(message);
  session.outbox.writeText(`${name} ${account}${subject} ${addressees(reply, queues)}${sizes}\r\n`);
  writePayload(session.outbox, message, skip);
}

/** `queues` are joined by blanks, with one behind the last. */
function addressees(reply: string, queues: string): string {
  if (queues === "") return reply === "" ? "" : `${reply} `;
  return reply === "" ? `| ${queues}` : `+ ${reply} ${queues}`;
}
