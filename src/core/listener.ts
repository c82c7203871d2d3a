/** Receives messages in an account for the server itself. */
import { readText, slice } from "../slab/memory.ts";
import type { Message, MessageOrigin } from "../protocol/message.ts";
import type { Crossing } from "./subscription.ts";

/** A copy of a message, in memory of its own. */
export interface Heard {
  readonly subject: string;
  /** "": nobody waits for an answer. */
  readonly reply: string;
  /** Without headers. */
  readonly payload: Uint8Array;
  /** The client that said it, if it is connected here. */
  readonly origin: MessageOrigin | null;
}

export class Listener implements Crossing {
  readonly isCrossing = true;
  readonly queue = null;
  readonly subject: string;
  readonly takesRouted: boolean;
  private readonly hear: (heard: Heard) => void;

  constructor(subject: string, hear: (heard: Heard) => void, from: "everywhere" | "here" = "everywhere") {
    this.subject = subject;
    this.takesRouted = from === "everywhere";
    this.hear = hear;
  }

  cross(message: Message): boolean {
    this.hear(heardIn(message));
    return true;
  }
}

export function heardIn(message: Message): Heard {
  const { at, subjectFrom, subjectLength, replyFrom, replyLength, origin } = message;
  return {
    subject: readText(at + subjectFrom, subjectLength),
    reply: readText(at + replyFrom, replyLength),
    payload: payloadOf(message),
    origin,
  };
}

function payloadOf({ body, at, payloadFrom, headerLength, size }: Message): Uint8Array {
  if (body === null) return slice(at + payloadFrom + headerLength, size - headerLength).slice();
  return body.slice(headerLength, size);
}
