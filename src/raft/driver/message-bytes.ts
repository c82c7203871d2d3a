/** Messages by the subject that they came on, and as bytes. */
import type { RaftMessage } from "../messages.ts";
import { appendSubject, CATCH_UP_PREFIX, PROGRESS_PREFIX, voteSubject } from "../subjects.ts";
import * as wire from "../wire.ts";

const VOTES = voteSubject("");
const APPENDS = appendSubject("");

/** Undefined: it is none. */
export function decodeMessage(subject: string, bytes: Uint8Array): RaftMessage | undefined {
  if (subject.startsWith(APPENDS) || subject.startsWith(CATCH_UP_PREFIX))
    return withBody("append", wire.decodeAppend(bytes));
  if (subject.startsWith(VOTES)) return withBody("vote request", wire.decodeVoteRequest(bytes));
  if (subject.startsWith(PROGRESS_PREFIX) || bytes.length === wire.APPEND_RESPONSE_BYTES)
    return withBody("append response", wire.decodeAppendResponse(bytes));
  return withBody("vote response", wire.decodeVoteResponse(bytes));
}

export function encodeMessage({ kind, body }: RaftMessage): Uint8Array {
  switch (kind) {
    case "vote request":
      return wire.encodeVoteRequest(body);
    case "vote response":
      return wire.encodeVoteResponse(body);
    case "append":
      return wire.encodeAppend(body);
    case "append response":
      return wire.encodeAppendResponse(body);
  }
}

function withBody<Kind extends RaftMessage["kind"]>(
  kind: Kind,
  body: Extract<RaftMessage, { kind: Kind }>["body"] | undefined,
): RaftMessage | undefined {
  return body && ({ kind, body } as RaftMessage);
}
