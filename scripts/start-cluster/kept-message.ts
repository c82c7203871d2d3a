/** A message that the whole cluster keeps: a stream with a replica on each member takes it at one, and gives it back at another. */
import { setTimeout as delay } from "node:timers/promises";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";

const STREAM = "GREETINGS";
const SUBJECT = "greetings";
const RETRY_MS = 100;
/** How long an answer may take at first, and at most: without a leader there is none, and a busy machine needs longer. */
const ANSWER_MS = { first: 500, most: 10_000 };

export interface KeptMessageOptions {
  readonly replicas: number;
  /** Where it is published, and where it is read. */
  readonly publishUrl: string;
  readonly readUrl: string;
  /** A cluster that starts has no leader yet: it is asked again for so long. */
  readonly withinMs: number;
}

/** Resolves with what was read. Rejects with the last refusal when the time is over, or a server is gone. */
export async function keepMessage(options: KeptMessageOptions): Promise<string> {
  const { publishUrl, readUrl, withinMs } = options;
  const untilMs = Date.now() + withinMs;
  const near = await connectTo(publishUrl, withinMs);
  try {
    const far = await connectTo(readUrl, withinMs);
    try {
      return await untilKept(near, far, { ...options, untilMs });
    } finally {
      await far.close();
    }
  } finally {
    await near.close();
  }
}

async function untilKept(
  near: NatsConnection,
  far: NatsConnection,
  { replicas, untilMs }: { readonly replicas: number; readonly untilMs: number },
): Promise<string> {
  for (let timeout = ANSWER_MS.first; ; timeout = Math.min(2 * timeout, ANSWER_MS.most)) {
    try {
      return await publishAndRead(near, far, { replicas, timeout });
    } catch (error) {
      if (Date.now() > untilMs || near.isClosed() || far.isClosed()) throw error;
    }
    await delay(RETRY_MS);
  }
}

async function connectTo(servers: string, timeout: number): Promise<NatsConnection> {
  return connect({ servers, timeout, reconnect: false });
}

/** Another attempt finds the stream that an earlier one has made. */
async function publishAndRead(
  near: NatsConnection,
  far: NatsConnection,
  { replicas, timeout }: { readonly replicas: number; readonly timeout: number },
): Promise<string> {
  const options = { checkAPI: false, timeout };
  const config = { name: STREAM, subjects: [SUBJECT], num_replicas: replicas };
  await (await jetstreamManager(near, options)).streams.add(config);
  const { seq } = await jetstream(near, options).publish(SUBJECT, "hello", { timeout });
  const message = await (await jetstreamManager(far, options)).streams.getMessage(STREAM, { seq });
  if (message === null) throw new Error(`message ${seq} of ${STREAM} is not there`);
  return message.string();
}
