/**
 * Derives a message with another subject and reply, and perhaps one more header, when a message crosses into another account. The derived
 * message is staged separately, so that other receivers of the original find it unchanged.
 */
import { copy, readText, slice, writeText } from "../slab/memory.ts";
import { withServerHeader } from "../protocol/header-block.ts";
import type { Message } from "../protocol/message.ts";
import { giveBody, hasStagedPayload, stageHead, unstage } from "./publish.ts";

export interface Derivation {
  readonly subject: string;
  /** "": none. */
  readonly reply: string;
  /** Replaces the sender's header of this name; null: none. The value is a byte string. */
  readonly header: { readonly name: string; readonly value: string } | null;
}

/** Calls `use` with the message, which is valid until `use` returns. False if there is no room for it. */
export function withDerived(
  source: Message,
  change: Derivation,
  use: (derived: Message) => boolean,
): boolean {
  const { header } = change;
  const skip = header === null ? 0 : source.headerLength;
  const intro = header === null ? "" : headersWith(source, header);
  const headerLength = header === null ? source.headerLength : intro.length;
  const derived = stageHead(change, headerLength, source.size - skip + intro.length);
  if (derived === null) return false;
  try {
    derived.origin = source.origin;
    derived.leafCluster = source.leafCluster;
    derived.shownAt = source.shownAt;
    derived.shownLength = source.shownLength;
    if (source.body !== null || !hasStagedPayload(derived)) giveBody(derived, largeBody(source, intro, skip));
    else {
      const at = writeText(derived.at + derived.payloadFrom, intro);
      copy(at, source.at + source.payloadFrom + skip, source.size - skip + 2);
    }
    return use(derived);
  } finally {
    unstage(derived);
  }
}

/** All headers plus one at the end. Any header of the sender with that name, in any spelling, is removed. */
function headersWith(source: Message, { name, value }: { name: string; value: string }): string {
  return withServerHeader(headerBlock(source), name, value);
}

/** From the version to the empty line; "": there is none. */
export function headerBlock({ body, at, payloadFrom, headerLength }: Message): string {
  if (body === null) return readText(at + payloadFrom, headerLength);
  return Buffer.from(body.buffer, body.byteOffset, headerLength).toString("latin1");
}

function largeBody(source: Message, intro: string, skip: number): Uint8Array {
  if (source.body !== null && intro === "" && skip === 0) return source.body;
  const payload = source.body ?? slice(source.at + source.payloadFrom, source.size + 2);
  const body = new Uint8Array(intro.length + payload.length - skip);
  Buffer.from(body.buffer).write(intro, "latin1");
  body.set(payload.subarray(skip), intro.length);
  return body;
}
