/** Writing a message's payload when its line was put together apart: the rare ways of clients and of routes. */
import { CHUNK_SIZE } from "../../slab/chunks.ts";
import { bytes, slice } from "../../slab/memory.ts";
import type { Message } from "../../protocol/message.ts";
import type { Outbox } from "./outbox.ts";

/**
 * Before the line is written: memory for a large payload may not be had, and a line without its payload would spoil the
 * receiver's stream.
 */
export function preparePayload(message: Message): void {
  if (message.size + 2 > CHUNK_SIZE) largePayload(message);
}

/** The payload with its CRLF, from `skip` on. */
export function writePayload(outbox: Outbox, message: Message, skip: number): void {
  const from = message.at + message.payloadFrom + skip;
  const length = message.size + 2 - skip;
  if (message.body === null && length <= CHUNK_SIZE) {
    const at = outbox.reserve(length);
    if (at < 0) return;
    bytes.copyWithin(at, from, from + length);
    outbox.at = at + length;
    outbox.touch();
    return;
  }
  outbox.writeOwned(largePayload(message).subarray(skip));
}

/** The payload in separate memory, made once for all its receivers. */
function largePayload(message: Message): Uint8Array {
  return (
    message.body ?? (message.copied ??= slice(message.at + message.payloadFrom, message.size + 2).slice())
  );
}
