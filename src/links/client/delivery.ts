/**
 * The rare ways of a delivery: a message larger than a chunk, a long sid, a client that does not understand headers.
 * A large payload is shared by all who receive it; only what stands before it is written for each.
 */
import { readText } from "../../slab/memory.ts";
import type { Subscription } from "../../core/subscription.ts";
import type { Message } from "../../protocol/message.ts";
import { preparePayload, writePayload } from "../trunk/payload.ts";
import type { Client } from "./client.ts";

const CRLF = "\r\n";

export function deliverRarely(session: Client, subscription: Subscription, message: Message): boolean {
  const strips = message.headerLength > 0 && !session.hello.headers;
  session.tap?.sentText(usualLine(subscription, message));
  const line = strips ? strippedLine(subscription, message) : usualLine(subscription, message);
  preparePayload(message);
  session.outbox.writeText(line);
  writePayload(session.outbox, message, strips ? message.headerLength : 0);
  if (!session.isOpen) return false;
  session.countDelivery(subscription, message.size);
  return true;
}

function usualLine(subscription: Subscription, message: Message): string {
  const head = readText(message.headAt, message.headLength);
  const tail = readText(message.at + message.tailFrom, message.payloadFrom - message.tailFrom);
  return `${head}${subscription.sid} ${tail}`;
}

function strippedLine(subscription: Subscription, message: Message): string {
  const head = readText(message.headAt + 1, message.headLength - 1); // without the H of HMSG
  const reply =
    message.replyLength > 0 ? readText(message.at + message.replyFrom, message.replyLength) + " " : "";
  return `${head}${subscription.sid} ${reply}${message.size - message.headerLength}${CRLF}`;
}
