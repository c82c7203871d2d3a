/**
 * The rare ways over a route: queue groups, a message larger than a chunk, the route of a pinned account, a peer without
 * headers, a shown subject. The line is put together as text; the payload goes as it does to clients.
 */
import { LINE_MAX } from "../../slab/layout.ts";
import { readText } from "../../slab/memory.ts";
import type { Heads } from "../../core/heads.ts";
import type { Neighbour } from "../../core/subscription.ts";
import type { Message } from "../../protocol/message.ts";
import { routedReply } from "../../protocol/shown-subject.ts";
import { keepsLeavesApart, type RoutePeer } from "./peer.ts";
import type { Outbox } from "../trunk/outbox.ts";
import type { Tap } from "../trunk/tap.ts";
import { preparePayload, writePayload } from "../trunk/payload.ts";

interface ForwardingSession extends Neighbour {
  readonly tap: Tap | null;
  readonly outbox: Outbox;
  readonly peer: Readonly<RoutePeer>;
  /** The route is for one account, which is not named on it. */
  readonly isPinned: boolean;
}

export function forwardRarely(
  session: ForwardingSession,
  plan: Heads,
  message: Message,
  queues: string,
): void {
  traceForward(session.tap, plan, message, queues);
  const hasHeaders = message.headerLength > 0 && session.peer.takesHeaders;
  const skip = hasHeaders ? 0 : message.headerLength;
  // From a leaf node: with the name of its cluster, and always with the length of headers.
  const isFromLeaf = message.leafCluster !== "" && keepsLeavesApart(session.peer);
  const name = isFromLeaf ? `LMSG ${message.leafCluster}` : hasHeaders ? "HMSG" : "RMSG";
  const account = session.isPinned ? "" : `${plan.account} `;
  const subject = readText(plan.subjectAt, plan.subjectLength);
  const reply = routedReply(message);
  const headerLength = message.headerLength - skip;
  const sizes = `${hasHeaders || isFromLeaf ? `${headerLength} ` : ""}${message.size - skip}`;
  const begin = `${name} ${account}${subject} `;
  const lines = queues.length <= SHORT_MAX ? null : linesOf(queues, session, plan);
  preparePayload(message);
  for (let i = 0; i < (lines?.length ?? 1); i++) {
    session.outbox.writeText(`${begin}${addressees(reply, lines === null ? queues : lines[i]!)}${sizes}\r\n`);
    writePayload(session.outbox, message, skip);
  }
}

function traceForward(tap: Tap | null, plan: Heads, message: Message, queues: string): void {
  if (tap === null) return;
  const subject = readText(plan.subjectAt, plan.subjectLength);
  tap.sent(`RMSG ${plan.account} ${subject} ${queues}${message.size}`);
}

/** Names of queue groups in one line. A nats-server ends the route at a line of 64 KiB, a shoal at one of 1 MiB. */
const SHORT_MAX = 48 * 1024;
const LONG_MAX = LINE_MAX - 4 * SHORT_MAX;

/**
 * The names for each line: as many messages as that takes. A peer with plain subscriptions would give each of those to them: it
 * gets one, and the groups that find no room in it get none.
 */
function linesOf(queues: string, session: ForwardingSession, plan: Heads): readonly string[] {
  const max = session.peer.info?.["shoal"] === true ? LONG_MAX : SHORT_MAX;
  const lines: string[] = [];
  for (let from = 0; from < queues.length;) {
    // A name that is longer than a line is left out.
    const end = from + max >= queues.length ? queues.length : queues.lastIndexOf(" ", from + max) + 1;
    if (end > from) lines.push(queues.slice(from, end));
    from = end > from ? end : queues.indexOf(" ", from) + 1;
  }
  return plan.neighbours.includes(session) ? lines.slice(0, 1) : lines;
}

/** `queues` are joined by blanks, with one behind the last. */
function addressees(reply: string, queues: string): string {
  if (queues === "") return reply === "" ? "" : `${reply} `;
  return reply === "" ? `| ${queues}` : `+ ${reply} ${queues}`;
}
