/** What JetStream needs of the server around it, for one account. `app` hands it in; the simulation has its own. */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { Message, MessageOrigin } from "../protocol/message.ts";

import type { AckReply } from "./consumer/ack-reply.ts";
import type { Piece } from "./stream/held-answers.ts";

export interface Outgoing {
  /** Where it goes. */
  readonly subject: string;
  /** "": none. What is no string writes itself into the slab; `String` makes a text of it. */
  readonly reply: string | AckReply;
  /** From NATS/1.0 to the empty line, or "". */
  readonly headers: string;
  /** Bytes, or a byte string. */
  readonly payload: Uint8Array | string;
  /** The subject that its receiver is shown; absent: the one that it is sent to. */
  readonly shownSubject?: string;
}

/** A message whose payload is a number with a text before and behind it. Byte strings. */
interface Numbered {
  readonly subject: string;
  readonly before: string;
  readonly number: number;
  readonly after: string;
}

/** A message that came in. Valid until the call that received it returns. */
export interface Incoming {
  readonly subject: string;
  /** "": none. */
  readonly reply: string;
  readonly headerLength: number;
  /** Headers and payload. */
  readonly body: Uint8Array;
  /** What stands behind the headers, as a byte string; absent: it is in `body` alone. */
  readonly payload?: string;
  /** Where it lies in the slab; absent: elsewhere. */
  readonly message?: Message;
}

/** The way to one subject for many messages: see `core/lane.ts`. */
export interface DeliveryLane {
  readonly subject: string;
  /** Whether anybody would get a message. */
  readonly isAwaited: boolean;
  /** Room for a message that takes `length` bytes beside its verb and its sid; 0: it has to be sent by `send`. */
  begin(length: number, kind: "plain" | "headed"): number;
  writeSid(at: number): number;
  /** `size`: of headers and payload. */
  end(at: number, size: number): void;
}

/** The client that sent a message; null: it came from elsewhere. */
export function originOf({ message }: Incoming): MessageOrigin | null {
  return message?.origin ?? null;
}

/** What stands behind the headers, as a byte string. */
export function payloadOf(message: Incoming): string {
  const { payload } = message;
  if (payload !== undefined) return payload;
  const { headerLength, body } = message;
  const length = body.length - headerLength;
  if (length === 0) return "";
  return Buffer.from(body.buffer, body.byteOffset + headerLength, length).toString("latin1");
}

/** A copy of what stands behind the headers. */
export function payloadBytes({ headerLength, body }: Incoming): Uint8Array {
  return new Uint8Array(body.subarray(headerLength)); // a Buffer's slice would be the same memory
}

/** The way to inboxes, for many answers: see `core/lane.ts`. */
export interface AnswerLane {
  /**
   * Writes the head of an answer to the subject that lies there, and returns the offset in the slab where its headers and payload of `size`
   * bytes begin; 0: `send`.
   */
  begin(subject: Piece, size: number, headerLength?: number): number;
  /** Behind the closing CRLF. */
  end(at: number, size: number): void;
}

export interface AccountHost {
  /** The account's. */
  readonly name: string;
  /** The domain of JetStream; "": none. */
  readonly domain: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Nanoseconds since the epoch. */
  nowNs(): bigint;
  /** False: nobody got it. Must not be called while a message is being delivered. */
  send(message: Outgoing): boolean;
  /** The same, and no text is made of the number. */
  sendNumbered(message: Numbered): boolean;
  readonly answers: AnswerLane;
  /** For many messages to the subject, one after the other. */
  lane(subject: string): DeliveryLane;
  /** Whether anybody would get a message on the subject. */
  isAwaited(subject: string): boolean;
  /** `receive` must not send: it notes what to do, and asks for `afterwards`. */
  listen(subject: string, receive: (message: Incoming) => void, queue?: string): Disposable;
  /** Calls back with every subject, with wildcards, that somebody begins to be interested in. */
  onInterest(call: (subject: string) => void): void;
  /** Calls `work` once, when the messages that are being read have been handled. */
  afterwards(work: () => void): void;
  /** Calls `work` once, after others have had their turn. */
  soon(work: () => void): void;
}
