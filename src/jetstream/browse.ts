/**
 * Messages of a stream for people who look into it: some of them from a sequence or a time on, towards newer or older ones. It makes no
 * consumer and changes nothing.
 *
 * Invariants: nothing is shown that a consumer could not be given yet. The messages, the bytes of each, the bytes of all and the messages that
 * are looked at are bounded; where such a bound ends the search, `next` says where to go on.
 */
import { assert } from "../base/assert.ts";
import { formatTime, timeNsOf } from "./time.ts";
import type { RecordView } from "../store/record.ts";
import type { Stream } from "./stream/stream.ts";

const BROWSED_MAX = 100;
/** Bytes of the headers, and of the payload, of one message. */
export const BROWSED_BYTES_MAX = 64 * 1024;
/** Bytes of all messages that are handed over. */
const TOTAL_BYTES_MAX = 1024 * 1024;
const LOOKED_AT_MAX = 200_000;
const LOOKED_AT_PER_TURN = 4000;
const READ_PER_TURN_BYTES = 256 * 1024;

export interface BrowseOptions {
  /** The first that is looked at. 0: the first one there is, or towards older ones the last. */
  readonly sequence: number;
  /** As RFC 3339: begins with the first message of this time or a later one, instead of a sequence. "": none. */
  readonly time: string;
  /** A pattern, as a byte string; "": any. */
  readonly subject: string;
  readonly direction: "newer" | "older";
  /** 1 to `BROWSED_MAX`. */
  readonly messages: number;
  /** Bytes of each payload; 0 to `BROWSED_BYTES_MAX`. */
  readonly payloadBytes: number;
}

export interface BrowsedMessage {
  readonly sequence: number;
  /** RFC 3339. */
  readonly time: string;
  /** A byte string. */
  readonly subject: string;
  /** All of them, and as many as are handed over. */
  readonly headerBytes: number;
  readonly headers: Buffer;
  readonly payloadBytes: number;
  readonly payload: Buffer;
}

export interface Browsed {
  readonly first: number;
  readonly last: number;
  /** In the order in which they were found. */
  readonly messages: readonly BrowsedMessage[];
  /** Where to go on; 0: there is nothing more. */
  readonly next: number;
}

/** Yields after each step, so that others have their turn; null: the stream has gone meanwhile. */
export function* browse(
  stream: Stream,
  options: BrowseOptions,
  isThere: () => boolean,
): Generator<undefined, Browsed | null> {
  const { messages: most, payloadBytes } = options;
  assert(most >= 1 && most <= BROWSED_MAX, "an answer has a bounded number of messages");
  assert(payloadBytes >= 0 && payloadBytes <= BROWSED_BYTES_MAX, "the payloads that are shown are bounded");
  const { store } = stream;
  const messages: BrowsedMessage[] = [];
  let at = startOf(stream, options);
  let lookedAt = 0;
  let bytes = 0;
  let bytesInTurn = 0;
  while (at !== 0 && messages.length < most && lookedAt < LOOKED_AT_MAX && bytes < TOTAL_BYTES_MAX) {
    const found = step(stream, options, at);
    if (found <= 0) {
      at = found === 0 ? 0 : -found;
      lookedAt += LOOKED_AT_PER_TURN;
    } else {
      const view = store.read(found); // null: it is damaged
      if (view !== null) {
        const message = copyOf(view, payloadBytes);
        messages.push(message);
        bytes += message.headers.length + message.payload.length;
        bytesInTurn += view.bodyLength;
      }
      at = options.direction === "newer" ? found + 1 : found - 1;
      if (bytesInTurn < READ_PER_TURN_BYTES) continue;
    }
    bytesInTurn = 0;
    yield;
    if (!isThere()) return null;
  }
  return { first: store.first, last: stream.commit.sequence, messages, next: remaining(stream, options, at) };
}

function copyOf(view: RecordView, payloadBytes: number): BrowsedMessage {
  const { body, headerLength, sequence, subject } = view;
  return {
    sequence,
    time: formatTime(view.timeNs),
    subject,
    headerBytes: headerLength,
    headers: Buffer.from(body.subarray(0, Math.min(headerLength, BROWSED_BYTES_MAX))),
    payloadBytes: body.length - headerLength,
    payload: Buffer.from(body.subarray(headerLength, headerLength + payloadBytes)),
  };
}

/** 0: there is nothing. */
function startOf({ store, commit }: Stream, { sequence, time, direction }: BrowseOptions): number {
  const last = Math.min(store.last, commit.sequence);
  if (store.messages === 0 || last < store.first) return 0;
  const from = time === "" ? sequence : store.atTime(timeNsOf(time));
  if (direction === "newer") return Math.max(from, store.first);
  return from === 0 ? last : Math.min(from, last);
}

/** As `nextWithin`, in either direction. */
function step({ store, commit }: Stream, { subject, direction }: BrowseOptions, at: number): number {
  const filters = subject === "" ? null : [subject];
  return direction === "newer"
    ? store.nextWithin(at, filters, commit.sequence, LOOKED_AT_PER_TURN)
    : store.previousWithin(Math.min(at, commit.sequence), filters, LOOKED_AT_PER_TURN);
}

function remaining({ store, commit }: Stream, { direction }: BrowseOptions, at: number): number {
  if (direction === "newer") return at > commit.sequence ? 0 : at;
  return at < store.first ? 0 : at;
}
