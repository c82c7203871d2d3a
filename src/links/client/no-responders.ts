/** The status that a requester gets when nobody listens, on its own subscription for the reply. */
import { hashBytes } from "../../slab/hash.ts";
import { readText } from "../../slab/memory.ts";
import type { Message } from "../../protocol/message.ts";
import type { Client } from "./client.ts";

export function sayNoResponders(session: Client, message: Message): void {
  if (!session.hello.noResponders || !session.isOpen) return;
  const replyAt = message.at + message.replyFrom;
  const reply = readText(replyAt, message.replyLength);
  const { interest } = session.account;
  const plan = interest.plan(replyAt, message.replyLength, hashBytes(replyAt, message.replyLength));
  const own = plan.locals.find((subscription) => subscription.owner === session.receiver);
  if (own === undefined) return;
  const subject = readText(message.at + message.subjectFrom, message.subjectLength);
  const header = `NATS/1.0 503\r\nNats-Subject: ${subject}\r\n\r\n`;
  session.say(`HMSG ${reply} ${own.sid} ${header.length} ${header.length}\r\n${header}\r\n`);
}
