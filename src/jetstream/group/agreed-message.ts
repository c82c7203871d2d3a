/**
 * What a copy of a stream does with a message that its group has agreed on. It follows on the log and on the copy alone, so that all copies
 * do the same, those of nats-servers among them.
 *
 * A message may be agreed on and still find no place: then every copy refuses it, and counts it as failed. Messages behind it have
 * sequences that are lower by the number of those.
 */
import { MessageHeaders } from "../headers.ts";
import type { Stream } from "../stream/stream.ts";
import { isSkip, type MessageOperation } from "./operations.ts";

/**
 * - "here": the copy has it already.
 * - "ahead": others stand before it that the copy has not.
 * - "skip": its sequence is taken by nothing.
 * - "control": a question of flow control on its way through the log. It takes no sequence.
 * - "refused": every copy refuses it.
 * - "next": it is stored.
 */
export type Agreed = "here" | "ahead" | "skip" | "control" | "refused" | "next";

const EXPECTED_ID = "Nats-Expected-Last-Msg-Id";
const NONE = Buffer.alloc(0);
const CONTROL = "NATS/1.0 100 ";

export function judgeAgreed(
  message: MessageOperation,
  { store, lastId }: Pick<Stream, "store" | "lastId">,
  failed: number,
): Agreed {
  const { headerLength, body, reply } = message;
  const headers = headerLength === 0 ? NONE : Buffer.from(body.buffer, body.byteOffset, headerLength);
  const isControl = headerLength > 0 && headerLength === body.length && reply !== "";
  if (isControl && headers.toString("latin1", 0, CONTROL.length) === CONTROL) return "control";
  const sequence = message.after + 1 - failed;
  if (sequence <= store.last) return "here";
  if (sequence > store.last + 1) return "ahead";
  if (isSkip(message)) return "skip";
  if (headerLength === 0 || !headers.includes(EXPECTED_ID)) return "next";
  const expected = new MessageHeaders(headers.toString("latin1")).get(EXPECTED_ID) ?? "";
  return expected === "" || expected === (idOfLast(store) ?? lastId ?? "") ? "next" : "refused";
}

/** null: it has none, or is gone. */
function idOfLast(store: Stream["store"]): string | null {
  const view = store.has(store.last) ? store.read(store.last) : null;
  if (view === null || view.headerLength === 0) return null;
  return MessageHeaders.of(view.body, view.headerLength).get("Nats-Msg-Id");
}
