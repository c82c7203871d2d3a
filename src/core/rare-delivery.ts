/**
 * Deliveries of messages that show another subject than they are matched on, or that are traced. Each is checked or written down
 * by itself, so that the router pays for neither with other messages.
 */
import { TRACE_ERRORS, type MessageTrace } from "../protocol/message-trace.ts";
import type { Message } from "../protocol/message.ts";
import { shownSubject } from "../protocol/shown-subject.ts";
import { TRACE_HOP_NAME } from "../protocol/trace-headers.ts";
import type { Crossed } from "./crossed.ts";
import type { Heads } from "./heads.ts";
import type { Source } from "./reach.ts";
import { Shadow } from "./stream-import.ts";
import { RemoteInterest, isCrossing, type Neighbour, type Subscription } from "./subscription.ts";
import { withHeader } from "./tracing.ts";

export function isRarelyDelivered(message: Message): boolean {
  return message.shownLength > 0 || message.trace !== null;
}

/** Returns whether the subscription got it, as `deliver` of its owner does; in a trace without deliveries, whether it would. */
export function deliverRarely(subscription: Subscription, message: Message, { sender }: Source): boolean {
  const { trace } = message;
  const { owner } = subscription;
  const isMuted = owner === sender;
  if (isMuted || !mayBeShown(subscription, message)) {
    if (trace !== null) note(trace, subscription, isMuted ? TRACE_ERRORS.noEcho : TRACE_ERRORS.denied);
    return false;
  }
  if (trace === null) return owner.deliver(subscription, message);
  return owner instanceof Shadow
    ? deliverExported(owner, subscription, message)
    : deliverTraced(subscription, message, trace);
}

/** A client may be denied the subject that it would be shown: plans know only the one that is matched. */
function mayBeShown({ filter, queue }: Subscription, message: Message): boolean {
  return message.shownLength === 0 || filter === null || filter.admits(shownSubject(message), queue);
}

function deliverTraced(subscription: Subscription, message: Message, trace: MessageTrace): boolean {
  const { owner } = subscription;
  // What the server itself hears is no delivery to anyone.
  if (owner.traced === undefined) return trace.isOnly || owner.deliver(subscription, message);
  const isDelivered = trace.isOnly || owner.deliver(subscription, message);
  const problem = owner.traced.isOpen ? TRACE_ERRORS.notStalled : TRACE_ERRORS.clientClosed;
  note(trace, subscription, isDelivered ? "" : problem);
  return isDelivered;
}

/** To the subscription of another account; what happens there is traced where the import allows it. */
function deliverExported(shadow: Shadow, subscription: Subscription, message: Message): boolean {
  const { trace } = message;
  const to = shadow.subjectThere(message);
  if (trace === null || to === null) return false;
  trace.exported(shadow.traced?.account ?? "", to);
  if (shadow.allowsTrace) return deliverTraced(subscription, message, trace);
  return trace.isOnly || shadow.deliver(subscription, message);
}

function note(trace: MessageTrace, { owner, subject, queue }: Subscription, error: string): void {
  if (owner.traced === undefined) return;
  const { kind, id, name, account } = owner.traced;
  trace.left({ kind, id, name, account, subscription: subject, queue, error }, "");
}

/** The next server traces the message, too, and says by which way it came. */
export function forwardTraced(
  neighbour: Neighbour,
  plan: Heads,
  message: Message,
  queues: string,
  trace: MessageTrace,
): void {
  const { traced } = neighbour;
  const hop = trace.nextHop();
  const isSupported = traced?.supportsTraces ?? false;
  const isForwarded = isSupported || !trace.isOnly;
  if (isForwarded) {
    withHeader(message, TRACE_HOP_NAME, hop, (changed) => {
      neighbour.forward(plan, changed, queues);
      return true;
    });
  }
  if (traced === undefined) return;
  const { kind, id, name } = traced;
  const problem = isForwarded ? TRACE_ERRORS.notSupported : TRACE_ERRORS.onlyNotSupported;
  const error = isSupported ? "" : problem;
  trace.left({ kind, id, name, account: "", subscription: "", queue: null, error }, hop);
}

/** Subscriptions that cover the subject, of clients that may not have it: no plan knows them. */
export function noteDenied(account: Crossed, trace: MessageTrace): void {
  for (const item of trace.isRefused ? [] : account.interest.refusing(trace.subject)) {
    if (item instanceof RemoteInterest || isCrossing(item) || item.queue !== null) continue;
    if (item.owner.isGone === true) continue;
    note(trace, item, TRACE_ERRORS.denied);
  }
}
