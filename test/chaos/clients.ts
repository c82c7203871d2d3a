/** Official clients of a chaos run, which come back to any server, and requests to the API that may be left without an answer. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Copy, Stored } from "./history.ts";

/** Attempts of a client are told apart from a lost server by this. */
export const ASK_TIMEOUT_MS = 2000;
/** Requests for messages that are under way at once. */
const READ_AT_ONCE = 200;
const NO_MESSAGE = 10037;

export function client(servers: readonly string[], user: "a" | "sys" = "a"): Promise<NatsConnection> {
  return connect({
    servers: [...servers],
    user,
    pass: user,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    waitOnFirstConnect: true,
    pingInterval: 2000,
    maxPingOut: 2,
    timeout: ASK_TIMEOUT_MS,
  });
}

export interface ClusterInfo {
  readonly leader?: string;
  readonly replicas?: readonly {
    readonly name: string;
    readonly current: boolean;
    readonly offline?: boolean;
  }[];
}

export interface Answer {
  readonly error?: { readonly err_code?: number; readonly description?: string };
  readonly cluster?: ClusterInfo;
  readonly state?: { readonly messages: number; readonly first_seq: number; readonly last_seq: number };
  readonly num_pending?: number;
  readonly num_ack_pending?: number;
  readonly message?: {
    readonly seq: number;
    readonly subject: string;
    readonly data?: string;
    readonly hdrs?: string;
    readonly time: string;
  };
  readonly success?: boolean;
}

/** Undefined: no answer in time. */
export async function ask(
  nc: NatsConnection,
  subject: string,
  body: object = {},
  timeoutMs = ASK_TIMEOUT_MS,
): Promise<Answer | undefined> {
  try {
    const answer = await nc.request(`$JS.API.${subject}`, JSON.stringify(body), { timeout: timeoutMs });
    return answer.json<Answer>();
  } catch {
    return undefined;
  }
}

/** Asks until the answer is none of an error, and satisfies; undefined: not within the time. */
export async function askUntil(
  nc: NatsConnection,
  subject: string,
  body: object,
  withinMs: number,
): Promise<Answer | undefined> {
  for (const endMs = performance.now() + withinMs; performance.now() < endMs; await pause(200)) {
    const answer = await ask(nc, subject, body);
    if (answer !== undefined && answer.error === undefined) return answer;
  }
  return undefined;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** All that the leader of a stream has; undefined: it did not answer, or is another one in the end. */
export async function readCopy(
  nc: NatsConnection,
  stream: string,
  server: string,
): Promise<Copy | undefined> {
  const before = await ask(nc, `STREAM.INFO.${stream}`);
  if (before?.cluster?.leader !== server || before.state === undefined) return undefined;
  const { first_seq: first, last_seq: last } = before.state;
  const messages: Stored[] = [];
  for (let from = Math.max(1, first); from <= last; from += READ_AT_ONCE) {
    const count = Math.min(READ_AT_ONCE, last - from + 1);
    const found = await Promise.all(
      Array.from({ length: count }, (_, i) => readMessage(nc, stream, from + i)),
    );
    for (const one of found) {
      if (one === undefined) return undefined;
      if (one !== "none") messages.push(one);
    }
  }
  const after = await ask(nc, `STREAM.INFO.${stream}`);
  return after?.cluster?.leader === server ? { stream, server, lastSeq: last, messages } : undefined;
}

async function readMessage(
  nc: NatsConnection,
  stream: string,
  seq: number,
): Promise<Stored | "none" | undefined> {
  const answer = await ask(nc, `STREAM.MSG.GET.${stream}`, { seq }, 4 * ASK_TIMEOUT_MS);
  if (answer?.error?.err_code === NO_MESSAGE) return "none";
  if (answer?.message === undefined) return undefined;
  const { subject, data = "", hdrs = "", time } = answer.message;
  const text = Buffer.from(data, "base64").toString();
  const head = Buffer.from(hdrs, "base64").toString();
  return { seq, subject, id: text.split(" ", 1)[0]!, text: `${head}${text}`, time };
}
