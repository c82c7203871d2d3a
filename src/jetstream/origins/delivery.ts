/** What the consumer at an origin sends: messages with the subject where they would be acknowledged, heartbeats, questions of flow control. */
import { MessageHeaders } from "../headers.ts";
import type { Incoming } from "../host.ts";

/** What stands in the reply of a delivered message. */
export interface Delivered {
  readonly consumer: string;
  /** How often it has been delivered. */
  readonly count: number;
  readonly sequence: number;
  readonly consumerSequence: number;
  readonly timeNs: bigint;
  /** Messages behind it. */
  readonly pending: number;
}

const ACK = "$JS.ACK.";
const FLOW = "$JS.FC.";
/** `$JS.ACK.<stream>.<consumer>.…`; a longer reply has domain and account before them, and perhaps more behind. */
const SHORT = 9;
const LONG = 11;

/** null: it is no message of a consumer. */
export function readDelivered(reply: string): Delivered | null {
  if (!reply.startsWith(ACK)) return null;
  const tokens = reply.split(".");
  if (tokens.length !== SHORT && tokens.length < LONG) return null;
  const from = tokens.length === SHORT ? 3 : 5;
  const [consumer = "", count, sequence, consumerSequence, time = "", pending] = tokens.slice(from, from + 6);
  const numbers = [count, sequence, consumerSequence, pending].map(Number);
  if (!numbers.every((one) => Number.isSafeInteger(one) && one >= 0) || !/^\d{1,19}$/.test(time)) return null;
  return {
    consumer,
    count: numbers[0]!,
    sequence: numbers[1]!,
    consumerSequence: numbers[2]!,
    timeNs: BigInt(time),
    pending: numbers[3]!,
  };
}

export type Control =
  /** To be answered there when all that came before is kept. */
  | { readonly kind: "question"; readonly reply: string }
  /** `stalledAt`: where an answer is missing; "": nowhere. */
  | { readonly kind: "heartbeat"; readonly lastConsumer: number; readonly stalledAt: string }
  /** The consumer or its stream is gone. */
  | { readonly kind: "over" };

/** null: it is a message of the stream. */
export function readControl({ reply, headerLength, body }: Incoming): Control | null {
  if (headerLength === 0 || body.length !== headerLength) return null;
  const headers = MessageHeaders.of(body, headerLength);
  if (headers.block.startsWith("NATS/1.0 409 ")) return { kind: "over" };
  if (!headers.block.startsWith("NATS/1.0 100 ")) return null;
  if (reply !== "") return { kind: "question", reply };
  const stalledAt = headers.get("Nats-Consumer-Stalled") ?? "";
  return { kind: "heartbeat", lastConsumer: Number(headers.get("Nats-Last-Consumer") ?? 0), stalledAt };
}

/** Whoever may publish where a consumer delivers could otherwise have an answer sent anywhere. */
export function isFlowReply(subject: string): boolean {
  return subject.startsWith(FLOW);
}
